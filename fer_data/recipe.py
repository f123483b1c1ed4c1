"""A recipe: every stage of a data set with its settings, in one TOML file."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomli_w

from fer_data.balance import BalanceSettings
from fer_data.dataset import Dataset, SourceRecord
from fer_data.face_align import FaceSettings
from fer_data.face_weights import find_detector_weights
from fer_data.filter_settings import FilterSettings, default_filter, find_preset
from fer_data.image import ImageSettings
from fer_data.ingest import IngestSettings
from fer_data.operations import PRESETS
from fer_data.operations_file import find_operations, read_operations
from fer_data.pack import PackSettings
from fer_data.quality import QualitySettings
from fer_data.sources.opening import source_name
from fer_data.sources.settings import SourceSettings
from fer_data.split import SplitSettings
from fer_data.toml_settings import TomlTable, read_toml
from fer_data.verdicts import read_decisions

_SECTIONS = ("image", "source", "quality", "filter", "split", "balance", "pack")
_HEAD = """\
# Makes the same shards again: ferdata run THIS_FILE
# Paths are as they were typed, from the folder in which that command runs.

"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeSource:
    """One raw source.

    Attributes:
        raw: a folder, an archive or a CSV file.
        settings: how it is read.
    """

    raw: Path
    settings: IngestSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What is to be done with which settings; None: that stage is not asked for.

    Attributes:
        dataset_dir: folder of the data set.
        shards_dir: folder of the shards.
        sources: read in this order.
        quality: scores to measure beyond those that the filter needs.
        filter: which samples to keep.
        split: which samples to learn from.
        balance: which classes to lift.
        pack: how shards are written.
    """

    dataset_dir: Path
    shards_dir: Path
    sources: tuple[RecipeSource, ...]
    quality: QualitySettings | None = None
    filter: FilterSettings | None = None
    split: SplitSettings | None = None
    balance: BalanceSettings | None = None
    pack: PackSettings | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _SourceTable:
    """The keys of [[source]]: those of `SourceSettings`, and how pictures are taken from it."""

    path: Path
    manifest: str | None = None
    name: str | None = None
    labels: Path | None = None
    path_column: str | None = None
    label_column: str | None = None
    split_column: str | None = None
    votes: Path | None = None
    map: Mapping[str, str] = field(default_factory=dict)
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    limit: int | None = None
    max_per_class: int | None = None
    faces: FaceSettings | None = None
    max_rejected: float = 0.05
    on_error: str = "reject"

    def source(self, image: ImageSettings) -> RecipeSource:
        """The source that they describe."""
        given = {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}
        names = SourceSettings.__dataclass_fields__
        source = {name: value for name, value in given.items() if name in names}
        faces = self.faces
        if faces is not None:
            weights = find_detector_weights(faces.detector_weights)
            faces = dataclasses.replace(faces, detector_weights=weights)
        settings = IngestSettings(
            image=image,
            faces=faces,
            source=SourceSettings(**source, class_map=self.map),
            max_rejected=self.max_rejected,
            on_error=self.on_error,
        )
        return RecipeSource(raw=self.path, settings=settings)


def read_recipe(path: Path, raw: Sequence[Path] = ()) -> Recipe:
    """The recipe in a TOML file.

    Args:
        path: of the file.
        raw: where its sources lie, in their order, if not where it says.

    Raises:
        SettingsError: the file is no recipe, with the line; or a source is not there.
    """
    toml = read_toml(path)
    toml.check_keys(["dataset", *_SECTIONS])
    image, pack = toml.table("image"), toml.table("pack")
    form = image.read(ImageSettings) if image else ImageSettings()
    split, quality = toml.table("split"), toml.table("quality")
    filter_, balance = toml.table("filter"), toml.table("balance")
    return Recipe(
        dataset_dir=toml.get("dataset", Path, Path("dataset")),
        shards_dir=pack.get("out", Path, Path("shards")) if pack else Path("shards"),
        sources=_read_sources(toml, raw, form),
        quality=quality.read(QualitySettings) if quality else None,
        filter=_read_filter(filter_, form.color) if filter_ else None,
        split=split.read(SplitSettings) if split else None,
        balance=_read_balance(balance) if balance else None,
        pack=pack.without("out").read(PackSettings) if pack else None,
    )


def _read_sources(
    toml: TomlTable, raw: Sequence[Path], image: ImageSettings
) -> tuple[RecipeSource, ...]:
    tables = toml.tables("source")
    if not tables:
        raise toml.error([], 'no [[source]]; expected at least one, with path = "…"')
    if raw and len(raw) != len(tables):
        raise toml.error(
            ["source"], f"{len(tables)} [[source]], but {len(raw)} paths were named; name as many"
        )
    sources: dict[str, RecipeSource] = {}
    for number, table in enumerate(tables):
        asked = table.read(_SourceTable)
        if raw:
            asked = dataclasses.replace(asked, path=raw[number])
        for key in ("path", "labels", "votes"):
            place = getattr(asked, key)
            if place is not None and not place.exists():
                what = "a file" if key != "path" else "a folder, an archive or a CSV file"
                raise table.error([key], f"{key} {place} does not exist; expected {what}")
        name = asked.name or source_name(asked.path)
        if name in sources:
            key = "name" if asked.name else "path"
            raise table.error(
                [key], f'a second source "{name}"; expected unique names, give it another name'
            )
        sources[name] = asked.source(image)
    return tuple(sources.values())


def _read_filter(table: TomlTable, color: str) -> FilterSettings:
    """The keys of `FilterSettings`, which change what a preset says; none: the default filter."""
    if not set(table.values) - {"max_loss"}:
        max_loss = table.get("max_loss", float, FilterSettings().max_loss)
        return dataclasses.replace(default_filter(color), max_loss=max_loss)
    given = table.without("preset", "decisions").read(FilterSettings)
    changes = {name: getattr(given, name) for name in table.values if hasattr(given, name)}
    preset = table.get("preset", str, None)
    start = FilterSettings() if preset is None else find_preset(preset)
    if "rules" in changes:
        changes["rules"] = (*start.rules, *given.rules)
    decisions = table.get("decisions", Path, None)
    if decisions is not None:
        listed = read_decisions(decisions)
        changes["keep"] = (*listed.keep, *given.keep)
        changes["drop"] = (*listed.drop, *given.drop)
        changes["relabel"] = {**listed.relabel, **given.relabel}
    return dataclasses.replace(start, **changes)


def _read_balance(table: TomlTable) -> BalanceSettings:
    """The keys of `BalanceSettings`; targets as --target has them, operations perhaps by name."""
    targets: dict[str, int | None] = {}
    for number, text in enumerate(table.get("targets", tuple[str, ...], ())):
        name, _, size = text.partition("=")
        if not name or (not size.isdecimal() and "=" in text):
            raise table.error(
                ["targets", number],
                f'targets must be like "disgust" or "disgust=4000"; received "{text}"',
            )
        targets[name] = int(size) if size else None
    values = {**table.values, "targets": targets}
    operations = values.pop("operations", None)
    settings = dataclasses.replace(table, values=values).read(BalanceSettings)
    if operations is None:
        return settings
    named = isinstance(operations, str)
    found = find_operations(operations) if named else read_operations(table.tables("operations"))
    return dataclasses.replace(settings, operations=found)


def write_recipe(dataset: Dataset) -> str:
    """The text of the recipe that made a data set, as far as it was made."""
    info = dataset.info
    sections: dict[str, Any] = {
        "dataset": str(dataset.dir),
        "image": dataclasses.asdict(info.image),
        "source": [_source_table(source) for source in info.sources],
    }
    for name in ("quality", "filter", "split", "balance", "pack"):
        if name in info.stages:
            sections[name] = _given(dict(dataset.stage(name).settings))
    balance = sections.get("balance", {})
    if targets := balance.pop("targets", {}):
        balance["targets"] = [n if size is None else f"{n}={size}" for n, size in targets.items()]
    for name, operations in PRESETS.items():
        if balance.get("operations") == [dataclasses.asdict(each) for each in operations]:
            balance["operations"] = name
    return _HEAD + tomli_w.dumps(sections)


def _source_table(source: SourceRecord) -> dict[str, Any]:
    settings = dict(source.settings)
    table = {"name": source.name, "manifest": source.manifest, **settings, **source.paths}
    if "class_map" in table:
        table["map"] = table.pop("class_map")
    if "faces" in table:
        table["faces"] = {k: v for k, v in table["faces"].items() if k != "detector_weights"}
    return {"path": table.pop("path", source.name), **_given(table)}


def _given(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings without those that say nothing, which TOML cannot say."""
    return {key: value for key, value in settings.items() if value not in (None, [], {})}

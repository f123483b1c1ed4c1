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
_DETECTORS = ("yunet", "lbp")
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
    """The keys of [[source]] beside those of `SourceSettings` and [source.faces]."""

    path: Path
    map: Mapping[str, str] = field(default_factory=dict)
    max_rejected: float = IngestSettings().max_rejected
    on_error: str = IngestSettings().on_error


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
        source = _read_source(table, raw[number] if raw else None, image)
        given = source.settings.source.name
        name = given or source_name(source.raw)
        if name in sources:
            raise table.error(
                ["name" if given else "path"],
                f'a second source "{name}"; expected unique names, give it another name',
            )
        sources[name] = source
    return tuple(sources.values())


def _read_source(table: TomlTable, raw: Path | None, image: ImageSettings) -> RecipeSource:
    own = [each.name for each in dataclasses.fields(_SourceTable)]
    names = [each.name for each in dataclasses.fields(SourceSettings) if each.name != "class_map"]
    table.check_keys([*own, *names, "faces"])
    asked = table.without(*names, "faces").read(_SourceTable)
    source = table.without(*own, "faces").read(SourceSettings)
    path = raw if raw is not None else asked.path
    for key, place in (("path", path), ("labels", source.labels), ("votes", source.votes)):
        if place is not None and not place.exists():
            what = "a file" if key != "path" else "a folder, an archive or a CSV file"
            raise table.error([key], f"{key} {place} does not exist; expected {what}")
    faces = table.table("faces")
    settings = IngestSettings(
        image=image,
        faces=_read_faces(faces) if faces else None,
        source=dataclasses.replace(source, class_map=asked.map),
        max_rejected=asked.max_rejected,
        on_error=asked.on_error,
    )
    return RecipeSource(raw=path, settings=settings)


def _read_faces(table: TomlTable) -> FaceSettings:
    """The keys of `FaceSettings`, and which detector it must be: yunet or lbp; none: either."""
    table.check_keys(["detector", *(each.name for each in dataclasses.fields(FaceSettings))])
    faces = table.without("detector").read(FaceSettings)
    detector = table.get("detector", str, None)
    if detector not in (None, *_DETECTORS):
        raise table.error(
            ["detector"], f'detector must be {" or ".join(_DETECTORS)}; received "{detector}"'
        )
    weights = find_detector_weights(faces.detector_weights) if detector != "lbp" else None
    if detector == "yunet" and weights is None:
        raise table.error(
            ["detector"],
            "detector is yunet, and there are no weights of it in the cache; fetch them with "
            "`ferdata ingest --align --download-detector`, or name their file: detector_weights",
        )
    return dataclasses.replace(faces, detector_weights=weights)


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
    table = {"name": source.name, "manifest": source.manifest, **source.settings}
    usual = IngestSettings()
    for name in ("max_rejected", "on_error"):
        if getattr(source, name) != getattr(usual, name):
            table[name] = getattr(source, name)
    table |= source.paths
    if "class_map" in table:
        table["map"] = table.pop("class_map")
    if "faces" in table:
        faces = dict(table["faces"])
        table["faces"] = {"detector": faces.pop("detector_weights"), **faces}
    return {"path": table.pop("path", source.name), **_given(table)}


def _given(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings without those that are None, which TOML cannot say, and empty tables."""
    return {key: value for key, value in settings.items() if value not in (None, {})}

"""Manifests: what a known data set looks like on disk, in one TOML file each."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fer_data.emotions import canonical_class_name
from fer_data.errors import ManifestError, UnknownNameError

#: Takes any folder of class folders; used where no other manifest fits.
GENERIC = "folders"
SPLITS = ("train", "validation", "test")
_DETECTED_SHARE = 0.95
_FIELDS = {"name", "title", "citation", "url", "terms", "classes", "splits", "layouts", "counts"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FileLayout:
    """Where the path of a file says its class and split.

    Attributes:
        pattern: regular expression for the whole path, with the groups `label` and, where a
            path says it, `split`; other named groups are attributes. None: class folders.
    """

    pattern: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvPixelsLayout:
    """A CSV file of one picture a row; names of its columns and the size of the pictures."""

    label: str
    pixels: str
    split: str
    height: int
    width: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a data set is on disk: never what we choose to do with it.

    Attributes:
        name: short name, as `--manifest` takes it.
        classes: class name → label code; empty where any class may stand.
        splits: train, validation, test → the names that this data set uses for them.
        layouts: the forms it is handed around in.
        counts: split → class name → samples of the complete data set; empty where unknown.
    """

    name: str
    title: str
    citation: str = ""
    url: str = ""
    terms: str = ""
    classes: Mapping[str, str] = field(default_factory=dict)
    splits: Mapping[str, Sequence[str]] = field(default_factory=dict)
    layouts: Sequence[FileLayout | CsvPixelsLayout] = ()
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def class_name(self, label: str) -> str | None:
        """The class a label code, name or synonym stands for; None where it is no class here."""
        if not self.classes:
            return canonical_class_name(label) or None
        by_code = {code: name for name, code in self.classes.items()}
        name = by_code.get(label.strip(), canonical_class_name(label))
        return name if name in self.classes else None

    def split_name(self, word: str) -> str | None:
        """Train, validation or test, where a word is one of this data set's names for it."""
        word = word.strip().lower()
        return next((split for split, words in self.splits.items() if word in words), None)

    def count_remarks(self, classes: Mapping[str, Mapping[str, int]]) -> list[str]:
        """One remark a split on how the samples found compare with those of the complete set.

        Args:
            classes: split → class name → samples found.
        """
        remarks = []
        for split, expected in self.counts.items():
            total = sum(expected.values())
            found = classes.get(split, {})
            wrong = [name for name, count in expected.items() if found.get(name, 0) != count]
            if not found:
                remarks.append(f"{split}: absent ({total:,} samples in the complete set)")
            elif wrong:
                name = wrong[0]
                remarks.append(
                    f"{split}: differs from the complete set in {len(wrong)} classes, for example "
                    f"{name}: {found.get(name, 0):,} of {expected[name]:,}"
                )
            else:
                remarks.append(f"{split}: complete, all {total:,} samples")
        return remarks


def manifest_dir() -> Path:
    """Where the shipped manifests stand: in the wheel, or beside the package in a checkout."""
    inside = Path(__file__).parent / "manifests"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "manifests"


def manifest_names() -> list[str]:
    """Names of the shipped manifests."""
    return sorted(path.stem for path in manifest_dir().glob("*.toml"))


def load_manifest(name_or_path: str) -> Manifest:
    """The manifest of this name, or in this TOML file.

    Raises:
        UnknownNameError: no manifest has this name.
        ManifestError: the file is missing or wrong.
    """
    if name_or_path.endswith(".toml"):
        path = Path(name_or_path)
    elif name_or_path in manifest_names():
        path = manifest_dir() / f"{name_or_path}.toml"
    else:
        raise UnknownNameError("manifest", name_or_path, manifest_names())
    try:
        fields = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ManifestError(f"{path}: cannot be read ({error})") from None
    return _manifest_from_toml(fields, path.name)


def _manifest_from_toml(fields: dict[str, Any], where: str) -> Manifest:
    unknown = sorted(set(fields) - _FIELDS)
    if unknown:
        raise ManifestError(f'{where}: unknown field "{unknown[0]}"; expected {sorted(_FIELDS)}')
    classes: dict[str, str] = {}
    for entry in fields.pop("classes", []):
        if entry.get("name") in classes:
            raise ManifestError(
                f'{where}: classes lists "{entry["name"]}" twice; expected unique names'
            )
        if "name" not in entry or "code" not in entry:
            raise ManifestError(f"{where}: each class needs a name and a code; received {entry}")
        classes[entry["name"]] = str(entry["code"])
    for split in [*fields.get("splits", {}), *fields.get("counts", {})]:
        if split not in SPLITS:
            raise ManifestError(f'{where}: unknown split "{split}"; expected one of {SPLITS}')
    try:
        layouts = tuple(_layout_from_toml(layout, where) for layout in fields.pop("layouts", []))
        return Manifest(classes=classes, layouts=layouts, **fields)
    except TypeError as error:
        raise ManifestError(f"{where}: {error}") from None


def _layout_from_toml(fields: dict[str, Any], where: str) -> FileLayout | CsvPixelsLayout:
    kinds = {"files": FileLayout, "csv-pixels": CsvPixelsLayout}
    kind = fields.pop("kind", None)
    if kind not in kinds:
        raise ManifestError(f'{where}: layout kind is "{kind}"; expected one of {sorted(kinds)}')
    layout: FileLayout | CsvPixelsLayout = kinds[kind](**fields)
    if isinstance(layout, FileLayout) and layout.pattern is not None:
        try:
            groups = re.compile(layout.pattern).groupindex
        except re.error as error:
            raise ManifestError(f"{where}: pattern {layout.pattern!r}: {error}") from None
        if "label" not in groups:
            raise ManifestError(f"{where}: pattern {layout.pattern!r} has no group named label")
    return layout


def detect_file_layout(
    paths: Sequence[str], manifests: Sequence[Manifest]
) -> tuple[Manifest, FileLayout] | None:
    """The manifest and layout that nearly all of these paths fit, or None.

    Args:
        paths: of the pictures, relative to their source.
        manifests: those to try, in order.
    """
    for manifest in manifests:
        for layout in manifest.layouts:
            if isinstance(layout, FileLayout) and layout.pattern is not None and paths:
                pattern = re.compile(layout.pattern)
                if sum(map(bool, map(pattern.fullmatch, paths))) >= _DETECTED_SHARE * len(paths):
                    return manifest, layout
    return None


def detect_csv_layout(
    columns: Sequence[str], manifests: Sequence[Manifest]
) -> tuple[Manifest, CsvPixelsLayout] | None:
    """The manifest and layout whose columns a CSV file has, or None."""
    for manifest in manifests:
        for layout in manifest.layouts:
            if isinstance(layout, CsvPixelsLayout) and {
                layout.label,
                layout.pixels,
                layout.split,
            } <= set(columns):
                return manifest, layout
    return None

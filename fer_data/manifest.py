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
from fer_data.layouts import (
    CsvPixelsLayout,
    FileLayout,
    Layout,
    TableLayout,
    checked_fields,
    layout_from_toml,
)
from fer_data.shards.index import HumanAccuracy

__all__ = [
    "GENERIC", "GENERIC_TABLE", "SPLITS", "UNUSED_REASONS", "CsvPixelsLayout", "FileLayout",
    "Layout", "Manifest", "TableLayout", "detect_csv_layout", "detect_file_layout",
    "load_manifest", "manifest_dir", "manifest_names",
]  # fmt: skip

#: Takes any folder of class folders; used where no other manifest fits.
GENERIC = "folders"
#: Takes any pictures whose paths and labels stand in a CSV file.
GENERIC_TABLE = "csv"
SPLITS = ("train", "validation", "test")
#: Why a label that a data set knows is no class of it.
UNUSED_REASONS = ("no-emotion", "uncertain", "not-a-face")
_DETECTED_SHARE = 0.95
_NUM_PROBES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a data set is on disk: never what we choose to do with it.

    Attributes:
        name: short name, as `--manifest` takes it.
        classes: class name → label code; empty where any class may stand.
        synonyms: other words of this data set → class name.
        unused: label codes that are no class → why, one of `UNUSED_REASONS`.
        splits: train, validation, test → the names that this data set uses for them.
        layouts: the forms it is handed around in.
        counts: split ("all" where it has none) → class name → samples of the complete data set.
        totals: split → samples, where the samples a class are not known.
        human_accuracy: how often people are right by its labels, where that was published.
        verified: whether the counts were taken from the files or a primary source.
    """

    name: str
    title: str
    citation: str = ""
    url: str = ""
    terms: str = ""
    classes: Mapping[str, str] = field(default_factory=dict)
    synonyms: Mapping[str, str] = field(default_factory=dict)
    unused: Mapping[str, str] = field(default_factory=dict)
    splits: Mapping[str, Sequence[str]] = field(default_factory=dict)
    layouts: Sequence[Layout] = ()
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    totals: Mapping[str, int] = field(default_factory=dict)
    human_accuracy: HumanAccuracy | None = None
    verified: bool = True

    def class_name(self, label: str) -> str | None:
        """The class a label code, name or synonym stands for; None where it is no class here."""
        word = label.strip()
        if not self.classes:
            return canonical_class_name(word) or None
        code = next((name for name, code in self.classes.items() if code == word), None)
        name = code or self.synonyms.get(word.lower(), canonical_class_name(word))
        return name if name in self.classes else None

    def split_name(self, word: str) -> str | None:
        """Train, validation or test, where a word is one of this data set's names for it."""
        word = word.strip().lower()
        return next((split for split, words in self.splits.items() if word in words), None)

    def count_remarks(self, classes: Mapping[str, Mapping[str, int]]) -> list[str]:
        """One remark a split on how the samples found compare with those of the complete set.

        Args:
            classes: split ("" where the source has none) → class name → samples found.
        """
        remarks = []
        doubt = "" if self.verified else " (by figures that are not verified)"
        for split in dict.fromkeys([*self.counts, *self.totals]):
            expected = self.counts.get(split, {})
            total = self.totals.get(split, sum(expected.values()))
            found = classes.get("" if split == "all" else split, {})
            wrong = [name for name, count in expected.items() if found.get(name, 0) != count]
            if not found:
                text = f"absent ({total:,} samples in the complete set)"
            elif wrong:
                name = wrong[0]
                text = (
                    f"differs from the complete set in {len(wrong)} classes, for example "
                    f"{name}: {found.get(name, 0):,} of {expected[name]:,}"
                )
            elif sum(found.values()) != total:
                text = f"{sum(found.values()):,} of {total:,} samples"
            else:
                text = f"complete, all {total:,} samples"
            remarks.append(f"{split}: {text}{doubt}")
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
    for name in ("classes", "layouts"):
        entries = fields.get(name, [])
        if not isinstance(entries, list) or not all(isinstance(each, dict) for each in entries):
            raise ManifestError(f"{where}: {name} must be a list of tables; received {entries!r}")
    classes: dict[str, str] = {}
    synonyms: dict[str, str] = {}
    for entry in fields.pop("classes", []):
        name = _read_class(entry, classes, where)
        words = entry.get("synonyms", [])
        words = [words] if isinstance(words, str) else words
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise ManifestError(
                f'{where}: synonyms of "{name}" must be a list of words; received {words!r}'
            )
        synonyms.update(dict.fromkeys(map(str.lower, words), name))
    layouts = tuple(layout_from_toml(layout, where) for layout in fields.pop("layouts", []))
    human = fields.pop("human_accuracy", None)
    checked = checked_fields(Manifest, fields, where)
    if human is not None:
        checked["human_accuracy"] = _read_human_accuracy(human, where)
    for split in [*fields.get("splits", {}), *fields.get("counts", {}), *fields.get("totals", {})]:
        if split not in (*SPLITS, "all"):
            raise ManifestError(f'{where}: unknown split "{split}"; expected one of {SPLITS}')
    for split, counts in fields.get("counts", {}).items():
        for name in counts:
            if name not in classes:
                raise ManifestError(f'{where}: counts.{split} has "{name}", which is no class')
    for reason in fields.get("unused", {}).values():
        if reason not in UNUSED_REASONS:
            raise ManifestError(
                f'{where}: unused has the reason "{reason}"; expected one of {UNUSED_REASONS}'
            )
    return Manifest(**{**checked, "classes": classes, "synonyms": synonyms, "layouts": layouts})


def _read_human_accuracy(entry: Any, where: str) -> HumanAccuracy:
    try:
        return HumanAccuracy(**entry)
    except (TypeError, ValueError, AttributeError):
        raise ManifestError(
            f"{where}: human_accuracy needs a value and a plus_minus, shares from 0 to 1, and the "
            f"source of both; received {entry!r}"
        ) from None


def _read_class(entry: dict[str, Any], classes: dict[str, str], where: str) -> str:
    """The class's name; it and its code are added to `classes`."""
    for key in entry:
        if key not in ("name", "code", "synonyms"):
            raise ManifestError(
                f'{where}: a class has the unknown field "{key}"; expected name, code, synonyms'
            )
    if "name" not in entry or "code" not in entry:
        raise ManifestError(f"{where}: each class needs a name and a code; received {entry}")
    name, code = canonical_class_name(str(entry["name"])), str(entry["code"])
    if name in classes:
        raise ManifestError(f'{where}: classes lists "{name}" twice; expected unique names')
    if code in classes.values():
        raise ManifestError(
            f'{where}: classes lists the code "{code}" twice; expected unique codes'
        )
    classes[name] = code
    return name


def detect_file_layout(
    paths: Sequence[str], manifests: Sequence[Manifest]
) -> tuple[Manifest, FileLayout] | None:
    """The manifest and layout that nearly all of these paths fit, or None.

    Args:
        paths: of the pictures, relative to their source.
        manifests: those to try, in order.
    """
    probes = paths[:: max(len(paths) // _NUM_PROBES, 1)]
    for manifest in manifests:
        for layout in manifest.layouts:
            if not isinstance(layout, FileLayout) or layout.pattern is None:
                continue
            # a few paths rule most layouts out, and all are many
            if fits(layout.pattern, probes, share=0.5) and fits(layout.pattern, paths):
                return manifest, layout
    return None


def fits(pattern: str, paths: Sequence[str], *, share: float = _DETECTED_SHARE) -> bool:
    """Whether a pattern takes so many of the paths."""
    takes = re.compile(pattern).fullmatch
    return sum(map(bool, map(takes, paths))) >= share * len(paths) > 0


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

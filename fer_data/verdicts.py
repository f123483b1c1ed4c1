"""What becomes of each sample: which ones are named, and what twins mean for one another."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from fer_data.errors import SettingsError
from fer_data.filter_settings import FilterSettings

#: Official splits by which results are judged: nothing is fitted on them, nor dropped unasked.
OFFICIAL_TESTS = ("validation", "test")
_ACTIONS = ("keep", "drop", "relabel")


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    """What a person decided of single samples, named by key or path.

    Attributes:
        keep: stay.
        drop: go.
        relabel: key or path → class.
    """

    keep: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    relabel: dict[str, str] = field(default_factory=dict)


def read_decisions(path: Path) -> Decisions:
    """The decisions in a CSV file with the columns key or path, action, and label.

    An action is keep, drop or relabel; the last needs a label.

    Raises:
        SettingsError: the file is not one of these.
    """
    names: dict[str, list[str]] = {"keep": [], "drop": []}
    relabel: dict[str, str] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            columns = reader.fieldnames or []
            name = next((each for each in ("key", "path") if each in columns), None)
            if name is None or "action" not in columns:
                raise SettingsError(
                    f"{path}: columns are {', '.join(columns) or 'missing'}; expected key or path, "
                    "action, and label where something is relabelled"
                )
            for row in reader:
                where = f"{path}, line {reader.line_num}"
                action, label = (row["action"] or "").strip().lower(), (row.get("label") or "")
                if action not in _ACTIONS:
                    raise SettingsError(
                        f'{where}: action is "{action}"; expected {", ".join(_ACTIONS)}'
                    )
                if action != "relabel":
                    names[action].append(row[name])
                elif label.strip():
                    relabel[row[name]] = label.strip()
                else:
                    raise SettingsError(f"{where}: relabel needs a class in the column label")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SettingsError(f"{path}: cannot be read ({error})") from None
    return Decisions(keep=tuple(names["keep"]), drop=tuple(names["drop"]), relabel=relabel)


class SampleNames:
    """Finds samples by their keys or paths."""

    def __init__(self, samples: pa.Table) -> None:
        self._samples = samples
        self._rows: dict[str, list[int]] | None = None

    def rows(self, words: Sequence[str]) -> set[int]:
        """Rows of the samples that are named.

        Raises:
            SettingsError: a word names none, or several.
        """
        if not words:
            return set()
        if self._rows is None:
            self._rows = defaultdict(list)
            for column in ("path", "key"):
                for row, name in enumerate(self._samples[column].to_pylist()):
                    self._rows[name].append(row)
        found = set()
        for word in words:
            rows = set(self._rows.get(word, []))
            if len(rows) != 1:
                trouble = f"{len(rows)} samples have" if rows else "no sample has"
                raise SettingsError(
                    f'{trouble} the key or path "{word}"; expected a key as in '
                    f'"{self._samples["key"][0]}"'
                )
            found |= rows
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdicts:
    """What is known of every sample so far.

    Attributes:
        labels: class name of each.
        splits: official split of each, or None.
        reasons: why each is dropped or flagged, or None.
        kept: rows that stay, whatever is found.
    """

    labels: list[str]
    splits: Sequence[str | None]
    reasons: list[str | None]
    kept: set[int] = field(default_factory=set)

    def drop(self, rows: Sequence[int] | set[int], reason: str) -> None:
        """Gives samples a reason, where they have none."""
        for row in rows:
            if self.reasons[row] is None and row not in self.kept:
                self.reasons[row] = reason

    def judge(self, members: Sequence[int], settings: FilterSettings) -> None:
        """Gives the twins of one group their reasons."""
        left = [row for row in members if self.reasons[row] is None]
        counted = Counter(self.labels[row] for row in left)
        if settings.conflicts != "keep" and len(counted) > 1:
            (label, most), (_, second) = counted.most_common(2)
            if settings.conflicts == "drop" or most == second:
                self.drop(left, "conflict")
                return
            self.drop([row for row in left if self.labels[row] != label], "conflict")
            left = [row for row in left if self.reasons[row] is None]
        official_tests = [row for row in left if self.splits[row] in OFFICIAL_TESTS]
        if settings.leaks == "drop-train" and official_tests:
            self.drop([row for row in left if row not in official_tests], "leak")
            left = official_tests
        if settings.duplicates == "keep-one":
            first = min(left, key=lambda row: (row not in self.kept, row), default=None)
            self.drop([row for row in left if row != first], "duplicate")

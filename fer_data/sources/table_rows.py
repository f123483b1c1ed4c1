"""Rows of a label file -> facts of the pictures they name."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Mapping, Sequence

from fer_data.emotions import canonical_emotion
from fer_data.layouts import RESERVED_GROUPS, TableLayout
from fer_data.manifest import Manifest
from fer_data.sources.label_file import picture_path
from fer_data.sources.listing import readable_text
from fer_data.sources.raw import Facts, Rejection, sample_path
from fer_data.sources.table_parts import LabelFile, PictureFinder, Table, find_column
from fer_data.sources.votes import read_votes

_NUM_PROBES = 1000
_NO_VALUES = ("", "NULL", "null", "None", "nan", "NaN")


class RowReader:
    """Reads the rows of one label file into a table."""

    def __init__(
        self,
        file: LabelFile,
        layout: TableLayout,
        manifest: Manifest,
        finder: PictureFinder,
        table: Table,
    ) -> None:
        self._file = file
        self._layout = layout
        self._manifest = manifest
        self._finder = finder
        self._table = table
        path = find_column(file.columns, layout.path)
        assert path is not None
        self._path = path
        self._label = find_column(file.columns, layout.label)
        self._split = find_column(file.columns, layout.split)
        self._pattern = re.compile(layout.path_pattern) if layout.path_pattern else None
        self._attributes = self._attribute_columns()
        self._classes: dict[str, str | None] = {}

    def _attribute_columns(self) -> dict[str, int]:
        columns = list(self._file.columns)
        places = {name: columns.index(c) for name, c in self._layout.attributes.items()}
        if self._layout.other_columns:
            used = (self._path, self._label, self._split)
            others = {c.lower(): n for n, c in enumerate(columns) if c and n not in used}
            places = others | places
        return places

    def read(self) -> None:
        """All rows."""
        probes = list(itertools.islice(self._file.rows, _NUM_PROBES))
        form = self._most_common_form(probes)
        for number, cells in itertools.chain(probes, self._file.rows):
            self._table.num_rows += 1
            self._read_row(number, cells, form)

    def _most_common_form(self, rows: Sequence[tuple[int, list[str]]]) -> int:
        """Which form of picture most of the rows have; all rows are read in that one."""
        if len(self._layout.pictures) == 1:
            return 0
        found: Counter[int] = Counter()
        for _, cells in rows:
            path = picture_path(cells[self._path]) if len(cells) > self._path else None
            places = self._finder.places(path, self._file) if path else []
            found.update(form for form, place in enumerate(places) if place)
        return max(range(len(self._layout.pictures)), key=lambda form: (found[form], -form))

    def _read_row(self, number: int, cells: list[str], form: int) -> None:
        where = f"{self._file.path}, row {number}"
        if len(cells) != len(self._file.columns):
            detail = f"{len(cells)} columns; expected {len(self._file.columns)}"
            self._stray(f"{self._file.path}#row-{number}", "bad-label", detail)
            return
        path = picture_path(cells[self._path])
        if not path:
            reason = "bad-label" if path == "" else "outside-source"
            detail = f"names {cells[self._path]!r}; expected a path in the source"
            self._stray(f"{self._file.path}#row-{number}", reason, detail)
            return
        places = self._finder.places(path, self._file)
        for other, place in enumerate(places):
            if place is not None and other != form:
                detail = f"{self._finder.fill(path)[form]} is read in its place"
                rejection = Rejection(path=place, reason="other-form", detail=detail)
                self._table.facts.setdefault(place, (rejection,))
        place = places[form]
        if place is None:
            self._stray(self._finder.fill(path)[form], "missing-file", f"named by {where}")
            return
        self._add(place, path, cells, where)

    def _stray(self, path: str, reason: str, detail: str) -> None:
        self._table.strays.append(Rejection(path=path, reason=reason, detail=detail))

    def _add(self, place: str, path: str, cells: list[str], where: str) -> None:
        before = self._table.facts.get(place, ())
        number = len(before) if self._layout.several else 0
        facts = self._facts(sample_path(place, number), path, cells, where)
        if self._layout.several:
            self._table.facts[place] = (*before, facts)
            return
        if before and self._layout.repeated == "reject":
            if _is_same(before[0], facts):
                return
            detail = f"{where} says other than a row before"
            facts = Rejection(path=place, reason="conflicting-labels", detail=detail)
        elif self._layout.folder_label and isinstance(facts, Facts):
            facts = self._compare_with_folder(place, facts)
        self._table.facts[place] = (facts,)

    def _compare_with_folder(self, place: str, facts: Facts) -> Facts:
        folders = place.split("/")[:-1][::-1]
        folder = next((name for name in folders if canonical_emotion(name)), None)
        named = self._manifest.class_name(folder) if folder else None
        if named is None or named == facts.label:
            return facts
        self._table.num_disagreeing += 1
        attributes = {**facts.attributes, "folder_label": named}
        return Facts(label=facts.label, split=facts.split, attributes=attributes)

    def _facts(self, sample: str, path: str, cells: list[str], where: str) -> Facts | Rejection:
        match = self._pattern.fullmatch(path) if self._pattern else None
        groups = {name: text for name, text in match.groupdict().items() if text} if match else {}
        split = self._file.split
        for word in (groups.get("split"), cells[self._split] if self._split is not None else None):
            split = (self._manifest.split_name(word) if word else None) or split
        attributes = {name: text for name, text in groups.items() if name not in RESERVED_GROUPS}
        for name, column in self._attributes.items():
            text = cells[column].strip()
            if text not in _NO_VALUES:
                attributes[name] = readable_text(text)
        try:
            box = self._box(dict(zip(self._file.columns, cells, strict=True)))
        except ValueError as error:
            return Rejection(path=sample, reason="bad-box", detail=f"{where}: {error}")
        base = Facts(label="", split=split, attributes=attributes, box=box)
        if self._layout.votes:
            return self._vote_facts(sample, base, cells, where)
        return self._label_facts(sample, base, cells, where)

    def _label_facts(
        self, sample: str, base: Facts, cells: list[str], where: str
    ) -> Facts | Rejection:
        assert self._label is not None
        word = readable_text(cells[self._label].strip())
        if word not in self._classes:
            self._classes[word] = self._manifest.class_name(word)
        name = self._classes[word]
        if name is not None:
            return Facts(label=name, split=base.split, attributes=base.attributes, box=base.box)
        if word in self._manifest.unused:
            reason = self._manifest.unused[word]
            return Rejection(path=sample, reason=reason, detail=f"{where}: label {word}")
        if word in _NO_VALUES:
            return Rejection(path=sample, reason="unlabelled", detail=f"{where}: has no label")
        detail = f"{where}: label is {word!a}"
        return Rejection(path=sample, reason="unknown-class", detail=detail)

    def _vote_facts(
        self, sample: str, base: Facts, cells: list[str], where: str
    ) -> Facts | Rejection:
        try:
            votes = read_votes(dict(zip(self._file.columns, cells, strict=True)), self._layout)
        except ValueError as error:
            return Rejection(path=sample, reason="bad-label", detail=f"{where}: {error}")
        return votes.facts(sample, base)

    def _box(self, cells: Mapping[str, str]) -> tuple[int, int, int, int] | None:
        names = self._layout.box or self._layout.box_size
        words = [cells[name].strip() for name in names]
        if not names or any(word in _NO_VALUES for word in words):
            return None
        try:
            left, top, right, bottom = (round(float(word)) for word in words)
        except OverflowError:
            raise ValueError(f"box is {words}") from None
        if self._layout.box_size:
            right, bottom = left + right, top + bottom
        if not left < right or not top < bottom:
            raise ValueError(f"box from {left}, {top} to {right}, {bottom} is empty")
        return left, top, right, bottom


def _is_same(before: Facts | Rejection, facts: Facts | Rejection) -> bool:
    """Whether two rows of one picture agree."""
    if isinstance(before, Facts) and isinstance(facts, Facts):
        return (before.label, before.split, before.box) == (facts.label, facts.split, facts.box)
    return isinstance(before, Rejection) is isinstance(facts, Rejection)

"""What reading a table needs: the open label file, the pictures it names, and what was read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from fer_data.layouts import TableLayout
from fer_data.sources.labels import TableLabeler
from fer_data.sources.listing import Entry
from fer_data.sources.raw import Facts, Rejection

_BYTE = re.compile(r"\\x([0-9a-f]{2})")


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelFile:
    """An open label file.

    Attributes:
        path: in the source, or of the file that was given.
        base: folder of the source that the layout's paths begin in, "" or ending in "/".
        split: of all its rows, or None.
        columns: names of its columns.
        rows: number of the row and its cells.
    """

    path: str
    base: str
    split: str | None
    columns: Sequence[str]
    rows: Iterator[tuple[int, list[str]]]


@dataclass(slots=True)
class Table:
    """What the rows of all label files say.

    Attributes:
        facts: path → what is true of each sample in the file.
        strays: rejections of rows that name no file of the source.
        num_rows: of all label files.
        num_disagreeing: pictures whose folder names another class.
    """

    facts: dict[str, tuple[Facts | Rejection, ...]] = field(default_factory=dict)
    strays: list[Rejection] = field(default_factory=list)
    num_rows: int = 0
    num_disagreeing: int = 0

    def labeler(self, origin: str) -> TableLabeler:
        """A labeler that knows these facts."""
        return TableLabeler(self.facts, origin)

    def entries(self) -> list[Entry]:
        """The strays, as files that are not there."""
        return [Entry(s.path, "", 0, 0, s.reason, s.detail) for s in self.strays]


def find_column(columns: Sequence[str], names: Sequence[str]) -> int | None:
    """Place of the first column that has one of the names; letters may be large or small."""
    lower = [column.lower() for column in columns]
    return next((lower.index(name.lower()) for name in names if name.lower() in lower), None)


class PictureFinder:
    """Finds the file of a source that a row names."""

    def __init__(self, paths: Iterable[str], layout: TableLayout) -> None:
        self._paths = dict.fromkeys(paths)
        self._anywhere = layout.anywhere
        self._templates = layout.pictures
        self._endings: dict[int, dict[str, str | None]] = {}

    def places(self, path: str, file: LabelFile) -> list[str | None]:
        """For each form of picture, where it stands, or None where it does not."""
        return [self._find(filled, file) for filled in self.fill(path)]

    def fill(self, path: str) -> list[str]:
        """For each form of picture, where it should stand below the base."""
        if self._templates == ("{path}",):
            return [path]
        pure = PurePosixPath(path)
        parts = {"path": path, "stem": pure.stem, "suffix": pure.suffix}
        return [template.format(**parts) for template in self._templates]

    def _find(self, path: str, file: LabelFile) -> str | None:
        folder = file.path.rpartition("/")[0]
        for place in (f"{folder}/{path}" if folder else path, f"{file.base}{path}"):
            if place in self._paths:
                return place
        if "\\x" in path:  # bytes that are not UTF-8: a list from Windows, beside names in UTF-8
            return self._find(_BYTE.sub(_windows_letter, path), file)
        return self._find_ending(path) if self._anywhere else None

    def _find_ending(self, path: str) -> str | None:
        """The only file whose path ends so."""
        depth = path.count("/") + 1
        if depth not in self._endings:
            endings: dict[str, str | None] = {}
            for known in self._paths:
                ending = "/".join(known.split("/")[-depth:])
                endings[ending] = None if ending in endings else known
            self._endings[depth] = endings
        return self._endings[depth].get(path)


def _windows_letter(byte: re.Match[str]) -> str:
    return bytes([int(byte[1], 16)]).decode("cp1252", "replace")

"""A CSV file of one picture a row, its grey levels as numbers: `fer2013.csv` and its copies."""

from __future__ import annotations

import csv
import hashlib
import mmap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fer_data.errors import SourceError
from fer_data.manifest import CsvPixelsLayout, Manifest
from fer_data.sources.raw import Facts, RawSample, Rejection


def read_csv_header(path: Path) -> list[str]:
    """Names of the columns, without the blanks around them.

    Raises:
        SourceError: the file has no header line of text.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return [name.strip() for name in next(csv.reader([file.readline(10_000)]), [])]
    except UnicodeDecodeError:
        raise SourceError(f"{path}: not a text file; expected CSV in UTF-8") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvPixelsBlock:
    """Some rows of the file: those in the bytes from `start` to `end`."""

    path: Path
    stamp: int
    start: int
    end: int
    first_row: int
    num_files: int
    columns: Sequence[str]
    manifest: Manifest
    layout: CsvPixelsLayout

    @property
    def fingerprint(self) -> str:
        """Of the place in the file, the file's time, and how it is understood."""
        facts = (self.stamp, self.start, self.end, self.first_row, self.manifest.name, self.columns)
        return hashlib.sha256(repr(facts).encode()).hexdigest()

    def read(self) -> Iterator[RawSample | Rejection]:
        """Each row, as a sample or a rejection, in order."""
        with self.path.open("rb") as file:
            file.seek(self.start)
            lines = file.read(self.end - self.start).splitlines()
        for number, line in enumerate(lines, self.first_row):
            yield self._read_row(f"row-{number:07d}", line)

    def _read_row(self, path: str, line: bytes) -> RawSample | Rejection:
        cells = next(csv.reader([line.decode("utf-8", "replace")]), [])
        if len(cells) != len(self.columns):
            detail = f"{len(cells)} columns; expected {len(self.columns)}"
            return Rejection(path=path, reason="corrupt", detail=detail)
        row = dict(zip(self.columns, cells, strict=True))
        label = self.manifest.class_name(row[self.layout.label])
        if label is None:
            detail = f'{self.layout.label} is "{row[self.layout.label]}"'
            return Rejection(path=path, reason="unknown-class", detail=detail)
        height, width = self.layout.height, self.layout.width
        try:
            # five times as fast as int() on each of 2,304 words
            levels = np.fromstring(row[self.layout.pixels], dtype=np.int64, sep=" ")
        except ValueError:
            return Rejection(path=path, reason="corrupt", detail="pixels are not all numbers")
        if len(levels) != height * width:
            detail = f"{len(levels)} pixels; expected {height * width}"
            return Rejection(path=path, reason="truncated", detail=detail)
        if levels.min() < 0 or levels.max() > 255:
            detail = f"pixels from {levels.min()} to {levels.max()}; expected 0 to 255"
            return Rejection(path=path, reason="corrupt", detail=detail)
        return RawSample(
            path=path,
            facts=Facts(label=label, split=self.manifest.split_name(row[self.layout.split])),
            data=line,
            pixels=levels.astype(np.uint8).reshape(height, width),  # (H * W,) -> (H, W)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvPixelsSource:
    """A CSV file of pixels whose columns have been understood."""

    name: str
    path: Path
    columns: Sequence[str]
    manifest: Manifest
    layout: CsvPixelsLayout
    line_ends: Sequence[int]  # of the header and of every row
    kind: str = "csv-pixels"

    @property
    def manifest_name(self) -> str:
        """Name of the manifest that fits."""
        return self.manifest.name

    @property
    def class_names(self) -> tuple[str, ...]:
        """Classes the manifest lists."""
        return tuple(self.manifest.classes)

    @property
    def num_files(self) -> int:
        """Rows below the header."""
        return len(self.line_ends) - 1

    def blocks(self, num_files: int) -> Sequence[CsvPixelsBlock]:
        """The whole file, `num_files` rows a block."""
        stamp = self.path.stat().st_mtime_ns
        rows = range(0, self.num_files, num_files)
        return [
            CsvPixelsBlock(
                path=self.path,
                stamp=stamp,
                start=self.line_ends[row],
                end=self.line_ends[min(row + num_files, self.num_files)],
                first_row=row,
                num_files=min(num_files, self.num_files - row),
                columns=self.columns,
                manifest=self.manifest,
                layout=self.layout,
            )
            for row in rows
        ]


def find_line_ends(path: Path) -> list[int]:
    """Offsets behind the end of every line; blank lines at the end of the file do not count.

    Raises:
        SourceError: the file is empty.
    """
    if path.stat().st_size == 0:
        raise SourceError(f"{path}: the file is empty; expected a header and rows")
    ends: list[int] = []
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
        end = text.find(b"\n") + 1
        while end:
            ends.append(end)
            end = text.find(b"\n", end) + 1
        if not ends or ends[-1] < len(text):
            ends.append(len(text))
        while len(ends) > 1 and not text[ends[-2] : ends[-1]].strip():
            ends.pop()
    return ends

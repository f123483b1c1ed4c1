"""All files of a source in columns, in order of their paths: some 100 bytes a file."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fer_data.emotions import canonical_emotion
from fer_data.manifest import Manifest
from fer_data.sources.listing import PICTURE_SUFFIXES, Entry
from fer_data.sources.raw import MAX_FILE_BYTES, Rejection

_PICTURE = f"(?i)(?:{'|'.join(PICTURE_SUFFIXES)})$".replace(".", "[.]")
_HIDDEN = r"(?i)(?:^|/)(?:[.]|(?:thumbs[.]db|desktop[.]ini|__macosx)(?:/|$))"
_SCHEMA = pa.schema(
    {"path": pa.string(), "place": pa.binary(), "size": pa.int64(), "stamp": pa.int64()}
)
_CHUNK = 8192


class Texts(Sequence[str]):
    """A column of text as a sequence of strings, made as they are asked for."""

    def __init__(self, column: pa.ChunkedArray) -> None:
        self._column = column

    def __len__(self) -> int:
        """Number of texts."""
        return len(self._column)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> Texts: ...
    def __getitem__(self, place: int | slice) -> str | Texts:
        """One text, or some."""
        if isinstance(place, slice):
            return Texts(_take(self._column, place))
        text: str = self._column[place].as_py()
        return text

    def __iter__(self) -> Iterator[str]:
        """All texts."""
        for start in range(0, len(self), _CHUNK):
            yield from self._column.slice(start, _CHUNK).to_pylist()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FileList(Sequence[Entry]):
    """The files of a source.

    Attributes:
        columns: path, place, size and stamp.
        why: int32 array of shape (files,): number of the reason not to read each; 0: it is read.
        reasons: (reason, detail) by that number; the first is ("", "").
    """

    columns: pa.Table
    why: NDArray[np.int32]
    reasons: tuple[tuple[str, str], ...] = (("", ""),)

    def __len__(self) -> int:
        """Number of files."""
        return len(self.why)

    def __reduce__(self) -> tuple[Callable[..., FileList], tuple[Any, ...]]:
        """Itself without what a slice shares with the whole: a block is small."""
        numbers, why = np.unique([0, *self.why], return_inverse=True)
        columns = self.columns.take(pa.array(range(len(self)), pa.int64()))
        reasons = tuple(self.reasons[number] for number in numbers)
        return _file_list, (columns, why[1:].astype(np.int32), reasons)

    @overload
    def __getitem__(self, place: int) -> Entry: ...
    @overload
    def __getitem__(self, place: slice) -> FileList: ...
    def __getitem__(self, place: int | slice) -> Entry | FileList:
        """One file, or some."""
        if isinstance(place, slice):
            return replace(self, columns=_take(self.columns, place), why=self.why[place])
        (entry,) = self[place : place + 1 or None]
        return entry

    def __iter__(self) -> Iterator[Entry]:
        """All files, each made as it is asked for."""
        for start in range(0, len(self), _CHUNK):
            path, place, size, stamp = self.columns.slice(start, _CHUNK).columns
            why = [self.reasons[number] for number in self.why[start : start + _CHUNK].tolist()]
            yield from map(
                Entry,
                path.to_pylist(),
                _to_places(place),
                size.to_pylist(),
                stamp.to_pylist(),
                [reason for reason, _ in why],
                [detail for _, detail in why],
            )

    @property
    def paths(self) -> Texts:
        """Path of each file."""
        return Texts(self.columns["path"])

    @property
    def is_read(self) -> NDArray[np.bool_]:
        """Bool array of shape (files,): whether nothing speaks against reading it."""
        is_read: NDArray[np.bool_] = self.why == 0
        return is_read

    @property
    def is_picture(self) -> NDArray[np.bool_]:
        """Bool array of shape (files,): whether it is called as pictures are."""
        return _matches(self.columns["path"], _PICTURE)

    def has_reason(self, reason: str) -> NDArray[np.bool_]:
        """Bool array of shape (files,): whether it is not read for this reason."""
        numbers = [number for number, (each, _) in enumerate(self.reasons) if each == reason]
        has_reason: NDArray[np.bool_] = np.isin(self.why, numbers)
        return has_reason

    def where(self, mask: NDArray[np.bool_]) -> FileList:
        """Some of the files."""
        return replace(self, columns=self.columns.filter(pa.array(mask)), why=self.why[mask])

    def rejecting(self, mask: NDArray[np.bool_], reason: str, detail: str) -> FileList:
        """The same files, some not to be read for a reason, whatever it was before."""
        why = self.why.copy()
        why[mask] = len(self.reasons)
        return replace(self, why=why, reasons=(*self.reasons, (reason, detail)))

    def rejecting_paths(self, rejections: Mapping[str, Rejection]) -> FileList:
        """The same files, those that are read so far and have a rejection here rejected."""
        found = [rejections.get(path) for path in self.paths]
        numbers = {pair: number for number, pair in enumerate(self.reasons)}
        why = self.why.copy()
        for place in np.flatnonzero(self.is_read).tolist():
            rejection = found[place]
            if rejection is not None:
                pair = (rejection.reason, rejection.detail)
                why[place] = numbers.setdefault(pair, len(numbers))
        return replace(self, why=why, reasons=tuple(numbers))

    def __add__(self, entries: Iterable[Entry]) -> FileList:
        """These files and then others."""
        others = collect_files(entries)
        numbers = {pair: number for number, pair in enumerate(self.reasons)}
        new = [numbers.setdefault(pair, len(numbers)) for pair in others.reasons]
        return FileList(
            columns=pa.concat_tables([self.columns, others.columns]),
            why=np.concatenate([self.why, np.array(new, np.int32)[others.why]]),
            reasons=tuple(numbers),
        )


def _file_list(columns: pa.Table, why: NDArray[np.int32], reasons: Any) -> FileList:
    return FileList(columns=columns, why=why, reasons=reasons)


def collect_files(entries: Iterable[Entry]) -> FileList:
    """Files in the order given."""
    numbers = {("", ""): 0}
    why: list[NDArray[np.int32]] = []
    parts: list[pa.RecordBatch] = []
    remaining = iter(entries)
    while chunk := list(itertools.islice(remaining, _CHUNK)):
        path, place, size, stamp, reason, detail = zip(*chunk, strict=True)
        columns = [path, _from_places(place), size, stamp]
        parts.append(
            pa.record_batch(
                [pa.array(c, f.type) for c, f in zip(columns, _SCHEMA, strict=True)], _SCHEMA
            )
        )
        pairs = zip(reason, detail, strict=True)
        why.append(np.array([numbers.setdefault(p, len(numbers)) for p in pairs], np.int32))
    return FileList(
        columns=pa.Table.from_batches(parts, _SCHEMA),
        why=np.concatenate(why) if why else np.empty(0, np.int32),
        reasons=tuple(numbers),
    )


def check_files(entries: Iterable[Entry], manifests: Sequence[Manifest]) -> FileList:
    """Files in order of their paths, without the folder they share; each unfit one rejected.

    Args:
        entries: as listed, in any order.
        manifests: know the split folders, which are no common folder to drop.
    """
    files = collect_files(entries)
    order = pc.sort_indices(files.columns["path"])  # stable: of one name, the last stays last
    columns, why = files.columns.take(order), files.why[order.to_numpy()]
    listed = columns["path"].combine_chunks()
    is_hidden = _matches(listed, _HIDDEN)
    prefix = _shared_folder(listed.filter(pa.array(~is_hidden)), manifests)
    if prefix:
        inside = pc.starts_with(listed, prefix)
        shorter = pc.if_else(inside, pc.utf8_slice_codeunits(listed, len(prefix)), listed)
        is_hidden = _matches(shorter, _HIDDEN)
        columns = columns.set_column(0, "path", shorter)
    files = replace(files, columns=columns, why=why)
    is_large = columns["size"].to_numpy() > MAX_FILE_BYTES
    files = files.rejecting(
        files.is_read & is_hidden, "hidden", "a file of the system, not of the data set"
    )
    files = files.rejecting(
        files.is_read & is_large, "too-large", f"more than {MAX_FILE_BYTES:,} bytes"
    )
    is_earlier = np.zeros(len(files), np.bool_)
    is_earlier[:-1] = pc.equal(listed[:-1], listed[1:]).to_numpy(zero_copy_only=False)
    return files.rejecting(is_earlier, "duplicate-name", "a later file has the same name")


def _from_places(places: Sequence[str]) -> pa.Array:
    """Names as bytes: those of a folder need not be Unicode."""
    try:
        return pa.array(places, pa.string()).cast(pa.binary())
    except UnicodeEncodeError:
        return pa.array([place.encode("utf-8", "surrogateescape") for place in places])


def _to_places(column: pa.ChunkedArray) -> list[str]:
    """What `_from_places` was given."""
    try:
        places: list[str] = column.cast(pa.string()).to_pylist()
    except pa.ArrowInvalid:
        places = [place.decode("utf-8", "surrogateescape") for place in column.to_pylist()]
    return places


def _shared_folder(paths: pa.StringArray, manifests: Sequence[Manifest]) -> str:
    """The folder that all paths begin with, unless it names a split or a class: "fer2013/".

    Args:
        paths: in order.
        manifests: know the split folders.
    """
    if len(paths) == 0:
        return ""
    # in order, so what the first and the last begin with, all do
    first, last = paths[0].as_py().split("/"), paths[-1].as_py().split("/")
    most = pc.min(pc.count_substring(paths, "/")).as_py() - 1  # a class folder and the file stay
    prefix = ""
    for folder, other in zip(first[: max(most, 0)], last, strict=False):
        if folder != other or canonical_emotion(folder):
            break
        if any(manifest.split_name(folder) for manifest in manifests):
            break
        prefix += f"{folder}/"
    return prefix


def _matches(column: pa.Array | pa.ChunkedArray, pattern: str) -> NDArray[np.bool_]:
    matches = pc.match_substring_regex(column, pattern)
    return np.asarray(matches.to_numpy(zero_copy_only=False), np.bool_)


def _take(column: Any, place: slice) -> Any:
    """A slice of a column or a table; one without steps copies nothing."""
    start, stop, step = place.indices(len(column))
    if step == 1:
        return column.slice(start, max(stop - start, 0))
    return column.take(pa.array(range(start, stop, step), pa.int64()))

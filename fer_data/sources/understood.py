"""The files of a source before and after their layout is known."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fer_data.manifest import Manifest
from fer_data.sources.file_list import FileList
from fer_data.sources.labels import Labeler
from fer_data.sources.members import Members


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelColumns:
    """Columns of a label file that was given; empty: found out."""

    path: str = ""
    label: str = ""
    split: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Understood:
    """Files whose layout is known.

    Attributes:
        manifest: the one that fits.
        labeler: knows what the pictures show.
        entries: all files, those that are no pictures rejected; with those that are not there.
        remarks: what was understood, for people.
    """

    manifest: Manifest
    labeler: Labeler
    entries: FileList
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The files of a source, and how to read them.

    Attributes:
        raw: the source, for messages.
        members: reads the files.
        entries: all of them.
        excluded: paths that are not asked for.
    """

    raw: Path
    members: Members
    entries: FileList
    excluded: frozenset[str] = field(default_factory=frozenset)

    def open_entries(self) -> FileList:
        """Entries that may be read, for their label or for their picture."""
        return self.entries.where(self.entries.is_read)

    def label_entries(self) -> FileList:
        """Entries that may be label files: these may be larger than pictures are."""
        return self.entries.where(_may_hold_labels(self.entries))

    def pictures(self) -> Sequence[str]:
        """Paths of pictures that are asked for."""
        paths = self.entries.where(self.entries.is_read & self.entries.is_picture).paths
        return [path for path in paths if path not in self.excluded] if self.excluded else paths


def without_support_files(entries: FileList, named: Collection[str]) -> FileList:
    """The entries, those that are no pictures rejected unless they are named."""
    mask = _may_hold_labels(entries)
    if named:
        is_named = [path in named for path in entries.where(mask).paths]
        mask[np.flatnonzero(mask)[is_named]] = False
    return entries.rejecting(mask, "support-file", "a file of the data set that is no picture")


def _may_hold_labels(entries: FileList) -> NDArray[np.bool_]:
    """Which files are no pictures, and nothing but their size speaks against them."""
    return (entries.is_read | entries.has_reason("too-large")) & ~entries.is_picture

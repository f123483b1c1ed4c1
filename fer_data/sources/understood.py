"""The files of a source before and after their layout is known."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fer_data.manifest import Manifest
from fer_data.sources.labels import Labeler
from fer_data.sources.listing import Entry, is_picture_path, rejected
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
    entries: Sequence[Entry]
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
    entries: Sequence[Entry]
    excluded: frozenset[str] = field(default_factory=frozenset)

    def open_entries(self) -> list[Entry]:
        """Entries that may be read, for their label or for their picture."""
        return [entry for entry in self.entries if entry.rejection is None]

    def label_entries(self) -> list[Entry]:
        """Entries that may be label files: these may be larger than pictures are."""
        return [e for e in self.entries if _is_read(e) and not is_picture_path(e.path)]

    def pictures(self) -> list[str]:
        """Paths of pictures that are asked for."""
        return [
            e.path
            for e in self.entries
            if e.rejection is None and is_picture_path(e.path) and e.path not in self.excluded
        ]


def without_support_files(entries: Sequence[Entry], named: Container[str]) -> list[Entry]:
    """The entries, those that are no pictures rejected unless they are named."""
    return [
        rejected(entry, "support-file", "a file of the data set that is no picture")
        if _is_read(entry) and not is_picture_path(entry.path) and entry.path not in named
        else entry
        for entry in entries
    ]


def _is_read(entry: Entry) -> bool:
    """Whether nothing but its size speaks against a file."""
    return entry.rejection is None or entry.rejection.reason == "too-large"

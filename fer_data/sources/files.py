"""A source of picture files: a folder or an archive, with a layout that reads the paths."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fer_data.manifest import Manifest
from fer_data.sources.archive import read_tar_member, read_zip_member
from fer_data.sources.folders import read_folder_file
from fer_data.sources.labels import Labeler
from fer_data.sources.listing import Entry
from fer_data.sources.raw import RawSample, Rejection

_READERS: Mapping[str, Callable[[str, Entry], bytes]] = {
    "folder": read_folder_file,
    "zip": read_zip_member,
    "tar": read_tar_member,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FileBlock:
    """Some files of a folder or an archive."""

    kind: str
    root: str
    entries: Sequence[Entry]
    labeler: Labeler

    @property
    def num_files(self) -> int:
        """Files of this block."""
        return len(self.entries)

    @property
    def fingerprint(self) -> str:
        """Of paths, sizes and stamps, and of how they are understood."""
        files = [(e.path, e.size, e.stamp) for e in self.entries]
        text = json.dumps([files, self.labeler.fingerprint])
        return hashlib.sha256(text.encode()).hexdigest()

    def read(self) -> Iterator[RawSample | Rejection]:
        """Each file, as a sample or a rejection, in order."""
        for entry in self.entries:
            yield entry.rejection or self._read_entry(entry)

    def _read_entry(self, entry: Entry) -> RawSample | Rejection:
        facts = self.labeler.facts(entry.path)
        if isinstance(facts, Rejection):
            return facts
        try:
            data = _READERS[self.kind](self.root, entry)
        except OSError as error:
            detail = error.strerror or str(error)
            return Rejection(path=entry.path, reason="unreadable", detail=detail)
        return RawSample(path=entry.path, facts=facts, data=data)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSource:
    """A folder or an archive whose layout has been understood."""

    name: str
    kind: str
    root: Path
    entries: Sequence[Entry]
    manifest: Manifest
    labeler: Labeler

    @property
    def manifest_name(self) -> str:
        """Name of the manifest that fits."""
        return self.manifest.name

    @property
    def class_names(self) -> tuple[str, ...]:
        """Classes the manifest lists; empty where the folders decide."""
        return tuple(self.manifest.classes)

    @property
    def num_files(self) -> int:
        """Files listed."""
        return len(self.entries)

    def blocks(self, num_files: int) -> Sequence[FileBlock]:
        """The whole source, `num_files` files a block."""
        parts = (
            self.entries[start : start + num_files]
            for start in range(0, len(self.entries), num_files)
        )
        return [
            FileBlock(
                kind=self.kind,
                root=str(self.root),
                entries=part,
                labeler=self.labeler.part([entry.path for entry in part]),
            )
            for part in parts
        ]

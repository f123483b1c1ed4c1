"""A source of picture files: a folder or an archive, with a labeler that knows what they show."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from fer_data.manifest import Manifest
from fer_data.sources.file_list import FileList
from fer_data.sources.labels import Labeler, PathLabeler
from fer_data.sources.listing import Entry
from fer_data.sources.members import Members
from fer_data.sources.raw import MAX_FILE_BYTES, Facts, RawSample, Rejection, sample_path


@dataclass(frozen=True, slots=True, kw_only=True)
class FileBlock:
    """Some files of a folder or an archive.

    Attributes:
        seen: place → status of each file when it was read.
    """

    members: Members
    entries: FileList
    labeler: Labeler
    seen: dict[str, tuple[int, int]] = field(default_factory=dict, repr=False, compare=False)

    @property
    def num_files(self) -> int:
        """Samples and rejections of this block."""
        return len(self.entries) + self.labeler.num_extra

    @property
    def fingerprint(self) -> str:
        """Of paths, sizes and stamps, as read or as they are, and of how they are understood."""
        files = [
            (e.path, self.seen.get(e.place) or self.members.known_status(e), e.reason)
            for e in self.entries
        ]
        text = json.dumps([files, self.labeler.fingerprint])
        return hashlib.sha256(text.encode()).hexdigest()

    def read(self) -> Iterator[RawSample | Rejection]:
        """Each file, as samples or rejections, in order."""
        for entry in self.entries:
            if entry.reason:
                yield Rejection(entry.path, entry.reason, entry.detail)
                continue
            samples = self.labeler.facts(entry.path)
            data: bytes | Rejection = b""
            if Facts in map(type, samples):
                data = self._read_entry(entry)
            for number, facts in enumerate(samples):
                path = sample_path(entry.path, number)
                if isinstance(facts, Rejection):
                    yield facts
                elif isinstance(data, Rejection):
                    yield data._replace(path=path)
                else:
                    yield RawSample(path, facts, data)

    def _read_entry(self, entry: Entry) -> bytes | Rejection:
        try:
            data, status = self.members.read(entry)
        except OSError as error:
            return Rejection(entry.path, "unreadable", error.strerror or str(error))
        self.seen[entry.place] = status
        if status[0] > MAX_FILE_BYTES:
            return Rejection(entry.path, "too-large", f"more than {MAX_FILE_BYTES:,} bytes")
        return data


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSource:
    """A folder or an archive whose layout has been understood.

    Attributes:
        class_names: classes the manifest lists, as mapped; empty where the folders decide.
        remarks: what it is understood to be, for people.
    """

    name: str
    members: Members
    entries: FileList
    manifest: Manifest
    labeler: Labeler
    class_names: tuple[str, ...]
    remarks: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """Folder, zip or tar."""
        return self.members.kind

    @property
    def manifest_name(self) -> str:
        """Name of the manifest that fits."""
        return self.manifest.name

    @property
    def num_files(self) -> int:
        """Files listed, and further faces in them."""
        if not self.labeler.num_extra:
            return len(self.entries)
        return len(self.entries) + self.labeler.part(self.sample_paths()).num_extra

    @property
    def has_boxes(self) -> bool:
        """Whether it says where the face is in any picture."""
        return self.labeler.has_boxes

    def describe(self) -> tuple[str, ...]:
        """What it is understood to be."""
        return self.remarks

    def sample_paths(self) -> list[str]:
        """Paths of the files that are to be read."""
        return list(self.entries.where(self.entries.is_read).paths)

    def known_facts(self) -> dict[str, tuple[Facts | Rejection, ...]]:
        """Path → what is known of each file that is to be read."""
        return {path: self.labeler.facts(path) for path in self.sample_paths()}

    def row(self, path: str) -> int | None:
        """The row of the original table that a path names, or None."""
        return self.labeler.row(path) if isinstance(self.labeler, PathLabeler) else None

    def without(self, rejections: Mapping[str, Rejection]) -> FileSource:
        """The same source, with some files rejected unread."""
        return replace(self, entries=self.entries.rejecting_paths(rejections))

    def remarked(self, remark: str) -> FileSource:
        """The same source with one remark more."""
        return replace(self, remarks=(*self.remarks, remark))

    def labelled(self, labeler: Labeler, manifest: Manifest | None = None) -> FileSource:
        """The same files with other facts."""
        if manifest is None:
            return replace(self, labeler=labeler)
        classes = tuple(manifest.classes)
        return replace(self, labeler=labeler, manifest=manifest, class_names=classes)

    def blocks(self, num_files: int) -> Sequence[FileBlock]:
        """The whole source, `num_files` files a block."""
        parts = (
            self.entries[start : start + num_files]
            for start in range(0, len(self.entries), num_files)
        )
        return [
            FileBlock(
                members=self.members,
                entries=part,
                labeler=self.labeler.part(part.where(part.is_read).paths),
            )
            for part in parts
        ]

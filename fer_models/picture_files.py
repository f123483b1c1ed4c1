"""Paths as users give them -> picture files, read one by one where they stand."""

from __future__ import annotations

import contextlib
import glob
import os
import sys
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from fer_data.errors import ImageError
from fer_data.sources.archive import is_tar, list_tar, list_zip, plain_tar
from fer_data.sources.listing import PICTURE_SUFFIXES, Entry
from fer_data.sources.members import Members
from fer_data.sources.raw import MAX_FILE_BYTES
from fer_models.errors import MissingPicturesError

#: Stands for a list of paths on standard input.
STDIN = Path("-")
_HEAD_BYTES = 16


class PictureFile(NamedTuple):
    """A file that is to be a picture or a video.

    Attributes:
        path: as given; of a member of an archive, behind the path of the archive.
        root: the folder or archive that was given, or the folder of a file that was.
        members: what reads it; None: a file of its own.
        entry: of the archive; None likewise.
    """

    path: Path
    root: Path
    members: Members | None = None
    entry: Entry | None = None

    def read_head(self) -> bytes:
        """The first bytes of a file of its own; none where it cannot be read."""
        if self.members is not None:
            return b""
        try:
            with self.path.open("rb", buffering=0) as file:
                return file.read(_HEAD_BYTES)
        except OSError:
            return b""

    def read(self) -> bytes:
        """The bytes of the file.

        Raises:
            ImageError: `reason` is unreadable, or too-large for a picture.
        """
        try:
            size = self.entry.size if self.entry is not None else self.path.stat().st_size
            if size > MAX_FILE_BYTES:
                raise ImageError(
                    "too-large", f"{size:,} bytes; expected {MAX_FILE_BYTES:,} at most"
                )
            if self.members is None or self.entry is None:
                return self.path.read_bytes()
            if self.entry.reason:
                raise ImageError("unreadable", self.entry.detail)
            return self.members.read(self.entry)[0]
        except OSError as error:
            raise ImageError("unreadable", error.strerror or str(error)) from None


@contextlib.contextmanager
def open_pictures(
    paths: Sequence[Path], *, left_out: Sequence[Path] = ()
) -> Iterator[list[PictureFile]]:
    """The files among `paths` and in the folders and archives among them, each once.

    Hidden files in folders and archives are passed over. Nothing is unpacked but a compressed tar,
    into a temporary file for as long as this is open.

    Args:
        paths: files, folders, ZIP and tar archives, patterns such as `photos/*.jpg`, and `-` for a
            list of such paths on standard input, a line or a NUL each. What is in that list and is
            not there is a file that cannot be read.
        left_out: folders whose files are no input.

    Raises:
        MissingPicturesError: a path does not exist, or there is no file at all.
        SourceError: an archive is damaged.
    """
    found: dict[Path, PictureFile] = {}
    with contextlib.ExitStack() as stack:
        for path, is_listed in _given(paths):
            if path.is_dir():
                files = _walk(path, left_out)
            elif kind := _archive_kind(path):
                files = _members(path, kind, stack)
            elif is_listed or path.exists():
                files = iter((PictureFile(path, path.parent),))
            else:
                raise MissingPicturesError(f"{path}: no such file or folder; expected pictures")
            for file in files:
                found.setdefault(file.path, file)
        if not found:
            raise MissingPicturesError(f"{', '.join(map(str, paths))}: no files; expected pictures")
        yield list(found.values())


def _given(paths: Sequence[Path]) -> Iterator[tuple[Path, bool]]:
    """Each path, and whether it comes from a list; patterns are resolved."""
    for path in paths:
        if path == STDIN:
            for listed in _read_list(sys.stdin.buffer.read()):
                yield listed, True
        elif glob.has_magic(str(path)) and not os.path.lexists(path):
            matches = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207  # of any anchor
            if not matches:
                raise MissingPicturesError(f"{path}: matches no file; expected pictures")
            for match in matches:
                yield Path(match), False
        else:
            yield path, False


def _read_list(text: bytes) -> list[Path]:
    """The paths of a list, a NUL or a line each; blank lines are none."""
    lines = text.split(b"\0") if b"\0" in text else text.splitlines()
    return [Path(os.fsdecode(line)) for line in lines if line.strip()]


def _walk(folder: Path, left_out: Sequence[Path]) -> Iterator[PictureFile]:
    foreign = {each.resolve() for each in left_out}
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and Path(root, name).resolve() not in foreign
        )
        for name in sorted(names):
            path = Path(root, name)
            if not name.startswith(".") and (path.is_file() or path.is_symlink()):
                yield PictureFile(path, folder)


def _archive_kind(path: Path) -> str:
    """Which archive a file is, "zip" or "tar"; empty for any other file."""
    if path.suffix.lower() in PICTURE_SUFFIXES or not path.is_file():
        return ""
    if zipfile.is_zipfile(path):
        return "zip"
    return "tar" if is_tar(path) else ""


def _members(archive: Path, kind: str, stack: contextlib.ExitStack) -> Iterator[PictureFile]:
    plain = archive if kind == "zip" else stack.enter_context(plain_tar(archive))
    members = Members(kind, str(plain))
    listed = list_zip(archive) if kind == "zip" else list_tar(plain)
    for entry in listed:
        # a name may try to lead out of the archive
        parts = [p for p in PurePosixPath(entry.path).parts if p not in ("/", "..")]
        if parts and not any(part.startswith((".", "__MACOSX")) for part in parts):
            yield PictureFile(archive.joinpath(*parts), archive, members, entry)

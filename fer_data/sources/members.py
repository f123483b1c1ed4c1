"""The bytes of one file of a folder or an archive, by its entry."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from fer_data.errors import SourceError
from fer_data.sources.archive import (
    DAMAGED,
    open_tar_member,
    open_zip_member,
    read_tar_member,
    read_zip_member,
)
from fer_data.sources.folders import folder_file_status, read_folder_file
from fer_data.sources.listing import Entry

#: Label files beyond this size are none.
MAX_LABEL_FILE_BYTES = 2**30
#: Nothing that says one label has more bytes.
MAX_SIDECAR_BYTES = 2**16


@dataclass(frozen=True, slots=True)
class Members:
    """The files of one source; opens what was listed, and nothing else.

    Args:
        kind: "folder", "zip" or "tar".
        root: path of the folder or the archive.
    """

    kind: str
    root: str

    def status(self, entry: Entry) -> tuple[int, int]:
        """Size of one file in bytes, and a number that changes when the file does.

        Raises:
            OSError: the file cannot be asked.
        """
        if self.kind == "folder":
            return folder_file_status(self.root, entry)
        return entry.size, entry.stamp

    def known_status(self, entry: Entry) -> tuple[int, int] | None:
        """The status of one file; None where it is not read, or cannot be asked."""
        with contextlib.suppress(OSError):
            return None if entry.reason else self.status(entry)
        return None

    def read(self, entry: Entry) -> tuple[bytes, tuple[int, int]]:
        """The bytes of one file, and its status as it is read; of one too large no bytes.

        Raises:
            OSError: it cannot be read.
        """
        if self.kind == "folder":
            return read_folder_file(self.root, entry)
        reader = read_zip_member if self.kind == "zip" else read_tar_member
        return reader(self.root, entry), (entry.size, entry.stamp)

    def open(self, entry: Entry) -> IO[bytes]:
        """One label file, to be read from its beginning.

        Raises:
            SourceError: it is too large.
            OSError: it cannot be read.
        """
        size, _ = self.status(entry)
        if size > MAX_LABEL_FILE_BYTES:
            raise SourceError(
                f"{entry.path} has {size:,} bytes; "
                f"expected a label file of at most {MAX_LABEL_FILE_BYTES:,}"
            )
        if self.kind == "folder":
            return (Path(self.root) / entry.place).open("rb")
        opener = open_zip_member if self.kind == "zip" else open_tar_member
        return opener(self.root, entry)

    @contextlib.contextmanager
    def as_file(self, entry: Entry) -> Iterator[Path]:
        """One label file in a place of its own; of an archive a copy, for as long as it is needed.

        Raises:
            SourceError: it is too large, or damaged.
            OSError: it cannot be read, or there is no room for the copy.
        """
        if self.kind == "folder":
            yield Path(self.root) / entry.place
            return
        with tempfile.TemporaryDirectory(prefix="ferkit-") as folder:
            path = Path(folder) / PurePosixPath(entry.path).name
            try:
                with self.open(entry) as member, path.open("wb") as copy:
                    shutil.copyfileobj(member, copy, 2**20)
            except DAMAGED as error:
                if isinstance(error, OSError) and error.errno:  # no room for the copy
                    raise
                raise SourceError(f"{self.root}: {entry.path} is damaged ({error})") from None
            os.utime(path, ns=(entry.stamp, entry.stamp))  # the same as long as the archive is
            yield path

    def read_small(self, entry: Entry) -> bytes:
        """The bytes of a file that holds one label.

        Raises:
            OSError: it cannot be read, or is too large.
        """
        size, _ = self.status(entry)
        if size > MAX_SIDECAR_BYTES:
            raise OSError(f"{entry.path} has {size:,} bytes, too many for one label")
        return self.read(entry)[0]

"""The bytes of one file of a folder or an archive, by its entry."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from fer_data.errors import SourceError
from fer_data.sources.archive import open_zip_member, read_tar_member, read_zip_member
from fer_data.sources.folders import read_folder_file
from fer_data.sources.listing import Entry

#: Label files beyond this size are none.
MAX_LABEL_FILE_BYTES = 2**30
#: Nothing that says one label has more bytes.
MAX_SIDECAR_BYTES = 2**16

_READERS: Mapping[str, Callable[[str, Entry], bytes]] = {
    "folder": read_folder_file,
    "zip": read_zip_member,
    "tar": read_tar_member,
}


@dataclass(frozen=True, slots=True)
class Members:
    """The files of one source; opens what was listed, and nothing else.

    Args:
        kind: "folder", "zip" or "tar".
        root: path of the folder or the archive.
    """

    kind: str
    root: str

    def read(self, entry: Entry) -> bytes:
        """The bytes of one file.

        Raises:
            OSError: it cannot be read.
        """
        return _READERS[self.kind](self.root, entry)

    def open(self, entry: Entry) -> IO[bytes]:
        """One label file, to be read from its beginning.

        Raises:
            SourceError: it is too large.
            OSError: it cannot be read.
        """
        if entry.size > MAX_LABEL_FILE_BYTES:
            raise SourceError(
                f"{entry.path} has {entry.size:,} bytes; "
                f"expected a label file of at most {MAX_LABEL_FILE_BYTES:,}"
            )
        if self.kind == "folder":
            return (Path(self.root) / entry.place).open("rb")
        if self.kind == "zip":
            return open_zip_member(self.root, entry)
        return io.BytesIO(self.read(entry))

    def read_small(self, entry: Entry) -> bytes:
        """The bytes of a file that holds one label.

        Raises:
            OSError: it cannot be read, or is too large.
        """
        if entry.size > MAX_SIDECAR_BYTES:
            raise OSError(f"{entry.path} has {entry.size:,} bytes, too many for one label")
        return self.read(entry)

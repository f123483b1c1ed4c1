"""A folder of files: listed without following links in circles, read one by one."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from fer_data.sources.listing import Entry, readable_path, rejected


def list_folder(root: Path) -> Iterator[Entry]:
    """Every file below a folder, links followed, each folder once."""
    seen: set[tuple[int, int]] = set()
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        place = root / folder
        try:
            status = place.stat()
            identity = (status.st_dev, status.st_ino)
            if identity in seen:
                yield _entry(folder, "link-loop", "this folder is read already under another name")
                continue
            seen.add(identity)
            with os.scandir(place) as found:
                children = sorted(found, key=lambda child: child.name)
        except OSError as error:
            yield _entry(folder, "unreadable", error.strerror or str(error))
            continue
        folders = []
        for child in children:
            path = f"{folder}/{child.name}" if folder else child.name
            if child.is_dir():
                folders.append(path)
            else:
                yield _file_entry(child, path)
        # real folders before links to them, so that a link is what counts as the second name
        waiting += sorted(folders, key=lambda path: ((root / path).is_symlink(), path))[::-1]


def _file_entry(child: os.DirEntry[str], path: str) -> Entry:
    try:
        status = child.stat()
    except OSError as error:
        detail = "broken link" if child.is_symlink() else (error.strerror or str(error))
        return _entry(path, "unreadable", detail)
    entry = Entry(
        path=readable_path(path), place=path, size=status.st_size, stamp=status.st_mtime_ns
    )
    if not stat.S_ISREG(status.st_mode):
        return rejected(entry, "not-a-file", "a pipe, socket or device")
    return entry


def _entry(path: str, reason: str, detail: str) -> Entry:
    entry = Entry(path=readable_path(path) or ".", place=path, size=0, stamp=0)
    return rejected(entry, reason, detail)


def read_folder_file(root: str, entry: Entry) -> bytes:
    """The bytes of one file.

    Raises:
        OSError: the system refuses.
    """
    # pathlib and buffered files cost as much as decoding a small picture does
    descriptor = os.open(f"{root}/{entry.place}", os.O_RDONLY)
    try:
        parts = [os.read(descriptor, entry.size + 1)]
        while parts[-1]:
            parts.append(os.read(descriptor, 2**20))
    finally:
        os.close(descriptor)
    return b"".join(parts)

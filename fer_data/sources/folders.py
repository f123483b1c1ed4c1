"""A folder of files: listed without following links in circles, read one by one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from fer_data.sources.listing import Entry, readable_text
from fer_data.sources.raw import MAX_FILE_BYTES


def list_folder(
    root: Path, *, left_out: Path | None = None, empty: list[str] | None = None
) -> Iterator[Entry]:
    """Every file below a folder, links followed, each folder once.

    Args:
        root: the folder.
        left_out: folder below it that is no part of it.
        empty: takes the paths of folders in which there is nothing.
    """
    seen: set[tuple[int, int]] = set()
    foreign = _identity(left_out) if left_out is not None and left_out.is_dir() else None
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        place = root / folder
        folders = []
        try:
            identity = _identity(place)
            if identity == foreign:
                continue
            if identity in seen:
                yield _reject(folder, "link-loop", "this folder is read already under another name")
                continue
            seen.add(identity)
            prefix = f"{folder}/" if folder else ""
            is_empty = True
            with os.scandir(place) as found:
                for child in found:
                    is_empty = False
                    path = prefix + child.name
                    if child.is_file():  # as the folder says: no file is asked
                        yield Entry(readable_text(path), path)
                    elif child.is_dir():
                        folders.append(path)
                    else:
                        yield _reject(path, *_why_unfit(child))
            if is_empty and empty is not None:
                empty.append(readable_text(folder))
        except OSError as error:
            yield _reject(folder, "unreadable", error.strerror or str(error))
        # real folders before links to them, so that a link is what counts as the second name
        waiting += sorted(folders, key=lambda path: ((root / path).is_symlink(), path))[::-1]


def _identity(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino


def _why_unfit(child: os.DirEntry[str]) -> tuple[str, str]:
    try:
        child.stat()
    except OSError as error:
        detail = "broken link" if child.is_symlink() else (error.strerror or str(error))
        return "unreadable", detail
    return "not-a-file", "a pipe, socket or device"


def _reject(path: str, reason: str, detail: str) -> Entry:
    return Entry(readable_text(path) or ".", path, reason=reason, detail=detail)


def folder_file_status(root: str, entry: Entry) -> tuple[int, int]:
    """Size in bytes and time of change of one file.

    Raises:
        OSError: the system refuses.
    """
    status = os.stat(f"{root}/{entry.place}")  # noqa: PTH116  # pathlib costs twice the call
    return status.st_size, status.st_mtime_ns


def read_folder_file(root: str, entry: Entry) -> tuple[bytes, tuple[int, int]]:
    """The bytes of one file, none where it is too large; its size and time of change as it is read.

    Raises:
        OSError: the system refuses.
    """
    # pathlib and buffered files cost as much as decoding a small picture does
    descriptor = os.open(f"{root}/{entry.place}", os.O_RDONLY)
    try:
        status = os.fstat(descriptor)
        size = status.st_size
        data = b"" if size > MAX_FILE_BYTES else os.read(descriptor, size + 1)
        while len(data) < size <= MAX_FILE_BYTES and (more := os.read(descriptor, size)):
            data += more  # a file system may give less than is asked for
    finally:
        os.close(descriptor)
    return data, (size, status.st_mtime_ns)

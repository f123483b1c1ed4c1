"""Files that are there whole or not at all."""

from __future__ import annotations

import contextlib
import io
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from typing_extensions import Buffer


@contextlib.contextmanager
def writing_file(path: Path) -> Iterator[IO[bytes]]:
    """A file to be written: beside `path`, flushed to the disk and renamed when all is in it.

    Args:
        path: of the file; its folder is made where there is none.

    Raises:
        OSError: the disk is full or the folder cannot be written. After this and any other error
            nothing stands at `path` that did not stand there before.
    """
    beside = path.with_name(f".{path.name}.{_own_number()}.tmp")
    with _renaming(beside, path), beside.open("wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def writing_path(path: Path) -> Iterator[Path]:
    """As `writing_file`, for writers that want a name: an empty file with the ending of `path`.

    Args:
        path: of the file; its folder is made where there is none.

    Raises:
        OSError: likewise.
    """
    beside = path.with_name(f".{path.stem}.{_own_number()}.tmp{path.suffix}")
    with _renaming(beside, path):
        beside.touch()
        yield beside
        with beside.open("rb+") as file:
            os.fsync(file.fileno())


def _own_number() -> int:
    """A number no other writer has: processes of several machines may write the same file."""
    return secrets.randbits(48)


@contextlib.contextmanager
def _renaming(beside: Path, path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield
        beside.replace(path)
    except OSError as error:
        if error.filename is None or Path(error.filename) == beside:
            error.filename = str(path)  # a full disk names no file by itself
        raise
    finally:
        with contextlib.suppress(OSError):  # a read-only disk refuses even what is not there
            beside.unlink()


def write_file(path: Path, *parts: Buffer) -> None:
    """Puts bytes at `path`, whole or not at all; see `writing_file`.

    Args:
        path: of the file.
        parts: of its content, in order.

    Raises:
        OSError: likewise.
    """
    with writing_file(path) as file:
        file.writelines(parts)


def write_array(path: Path, array: NDArray[Any]) -> None:
    """Puts an array at `path` as a .npy file, whole or not at all."""
    whole = np.ascontiguousarray(array)
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, np.lib.format.header_data_from_array_1_0(whole))
    write_file(path, header.getvalue(), whole.data)


def is_leftover(path: Path) -> bool:
    """Whether a killed writer left it: one of the hidden files that are renamed when whole."""
    return path.match(".*.tmp") or path.match(".*.tmp.*")


def remove_leftovers(folder: Path) -> None:
    """Removes what killed writers left in a folder."""
    for path in filter(is_leftover, folder.glob(".*")):
        path.unlink(missing_ok=True)

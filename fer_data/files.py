"""Files that are there whole or not at all."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from typing_extensions import Buffer


def write_file(path: Path, *parts: Buffer) -> None:
    """Puts bytes at `path`: written beside it, flushed to the disk, then renamed.

    Args:
        path: of the file; its folder is made where there is none.
        parts: of its content, in order.

    Raises:
        OSError: the disk is full or the folder cannot be written; nothing stands at `path` that
            did not stand there before.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with beside.open("wb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        error.filename = str(path)  # a full disk names no file by itself
        raise
    finally:
        with contextlib.suppress(OSError):  # a read-only disk refuses even what is not there
            beside.unlink()


def write_array(path: Path, array: NDArray[Any]) -> None:
    """Puts an array at `path` as a .npy file, whole or not at all."""
    whole = np.ascontiguousarray(array)
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, np.lib.format.header_data_from_array_1_0(whole))
    write_file(path, header.getvalue(), whole.data)


def is_leftover(path: Path) -> bool:
    """Whether a killed writer left it: one of the hidden files that `write_file` renames."""
    return path.match(".*.tmp")


def remove_leftovers(folder: Path) -> None:
    """Removes what killed writers left in a folder."""
    for path in filter(is_leftover, folder.glob(".*")):
        path.unlink(missing_ok=True)

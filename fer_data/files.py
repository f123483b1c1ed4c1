"""Files that are there whole or not at all."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def write_file(path: Path, data: bytes) -> None:
    """Puts `data` at `path`: written beside it, flushed to the disk, then renamed.

    Raises:
        OSError: the disk is full or the folder cannot be written; nothing stands at `path` that
            did not stand there before.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with beside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        error.filename = str(path)  # a full disk names no file by itself
        raise
    finally:
        beside.unlink(missing_ok=True)


def write_array(path: Path, array: NDArray[Any]) -> None:
    """Puts an array at `path` as a .npy file, whole or not at all."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    write_file(path, buffer.getvalue())


def remove_leftovers(folder: Path) -> None:
    """Removes what a killed writer left: the hidden files that `write_file` renames."""
    for path in folder.glob(".*.tmp"):
        path.unlink(missing_ok=True)

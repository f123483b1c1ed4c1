"""Files that are there whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray


def write_file(path: Path, data: bytes) -> None:
    """Puts `data` at `path`: written beside it, flushed to the disk, then renamed.

    Raises:
        OSError: the disk is full or the folder cannot be written; nothing stands at `path` that
            did not stand there before.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())  # noqa: PTH101  # mkstemp makes private files
        os.replace(temporary, path)  # noqa: PTH105
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)  # noqa: PTH108
        raise


def write_array(path: Path, array: NDArray[Any]) -> None:
    """Puts an array at `path` as a .npy file, whole or not at all."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    write_file(path, buffer.getvalue())


def write_table(path: Path, table: pa.Table) -> None:
    """Puts a table at `path` as Parquet, whole or not at all."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    write_file(path, sink.getvalue().to_pybytes())


def remove_leftovers(folder: Path) -> None:
    """Removes what a killed writer left: the hidden files that `write_file` renames."""
    for path in folder.glob(".*.*"):
        path.unlink(missing_ok=True)


def table_digest(table: pa.Table) -> str:
    """Hex SHA-256 of what a table says: its columns' names, types and values, in order."""
    sink = pa.BufferOutputStream()
    bare = table.combine_chunks().replace_schema_metadata(None)
    with pa.ipc.new_stream(sink, bare.schema) as writer:
        writer.write_table(bare)
    return hashlib.sha256(sink.getvalue()).hexdigest()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask

"""Tables on disk, and what identifies their content."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from fer_data.files import write_file


def write_table(path: Path, table: pa.Table) -> None:
    """Puts a table at `path` as Parquet, whole or not at all."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    write_file(path, sink.getvalue().to_pybytes())


def table_digest(table: pa.Table) -> str:
    """Hex SHA-256 of what a table says: its columns' names, types and values, in order."""
    sink = pa.BufferOutputStream()
    bare = table.combine_chunks().replace_schema_metadata(None)
    with pa.ipc.new_stream(sink, bare.schema) as writer:
        writer.write_table(bare)
    return hashlib.sha256(sink.getvalue()).hexdigest()

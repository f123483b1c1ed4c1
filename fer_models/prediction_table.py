"""Rows of predictions -> a table in a file, a part at a time: CSV, JSON lines or Parquet."""

from __future__ import annotations

import contextlib
import csv
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from fer_data.errors import SettingsError
from fer_data.files import writing_file
from fer_models.prediction_rows import (
    Prediction,
    TakeRows,
    column_names,
    column_values,
    csv_values,
)

_GROUP_ROWS = 8_192  # of a Parquet file: they are kept in memory until they are written
_TEXTS = ("path", "class", "reason", "detail")


def check_table_name(path: Path) -> None:
    """Refuses a name whose ending says no form.

    Raises:
        SettingsError: it does not end with one that is known.
    """
    if path.suffix.lower() not in _WRITERS:
        *others, last = _WRITERS
        raise SettingsError(f"{path}: expected a name that ends with {', '.join(others)} or {last}")


@contextlib.contextmanager
def writing_table(path: Path, class_names: Sequence[str]) -> Iterator[TakeRows]:
    """Takes rows into a table that is there when all are in it; after an error there is none.

    Args:
        path: of the file; its ending says the form.
        class_names: what the probabilities stand for.
    """
    check_table_name(path)
    with writing_file(path) as file, _WRITERS[path.suffix.lower()](file, class_names) as take:
        yield take


@contextlib.contextmanager
def _csv(file: IO[bytes], class_names: Sequence[str]) -> Iterator[TakeRows]:
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(column_names(class_names))

    def take(rows: Sequence[Prediction]) -> None:
        writer.writerows(csv_values(row, class_names) for row in rows)

    try:
        yield take
    finally:
        text.detach()  # the file is closed by who opened it


@contextlib.contextmanager
def _json_lines(file: IO[bytes], class_names: Sequence[str]) -> Iterator[TakeRows]:
    def take(rows: Sequence[Prediction]) -> None:
        for row in rows:
            file.write(json.dumps(row.to_json(class_names), ensure_ascii=False).encode() + b"\n")

    yield take


@contextlib.contextmanager
def _parquet(file: IO[bytes], class_names: Sequence[str]) -> Iterator[TakeRows]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = column_names(class_names)
    types = {**dict.fromkeys(("person", "face"), pa.int32()), **dict.fromkeys(_TEXTS, pa.string())}
    schema = pa.schema([(name, types.get(name, pa.float64())) for name in names])
    waiting: list[list[Any]] = []

    def write() -> None:
        columns = list(zip(*waiting, strict=True)) or [()] * len(names)
        arrays = [pa.array(c, t) for c, t in zip(columns, schema.types, strict=True)]
        writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
        waiting.clear()

    def take(rows: Sequence[Prediction]) -> None:
        waiting.extend(column_values(row, class_names) for row in rows)
        if len(waiting) >= _GROUP_ROWS:
            write()

    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        yield take
        write()


_WRITERS = {".csv": _csv, ".jsonl": _json_lines, ".parquet": _parquet}

"""Parquet: one file a split, as Hugging Face's `datasets` writes and reads pictures and classes.

Columns: image (a struct of the PNG's bytes and a path), label (row of the class names, which stand
in the schema's metadata), key, parent, and votes where there are any.
Source: https://github.com/huggingface/datasets, `features/image.py` and `features/features.py`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from fer_data.export.names import UniqueNames, picture_stem
from fer_data.export.png import encode_pngs
from fer_data.export.source import ExportSource
from fer_data.shards.index import ShardIndex

_ROWS_A_GROUP = 1024  # enough for the dictionaries, few enough to show a page without the rest
_BYTES_A_GROUP = 2**25  # what is held in memory, however large the pictures


def write_parquet(source: ExportSource, folder: Path) -> None:
    """Fills `folder` with one Parquet file a split.

    Raises:
        DamagedShardError: a shard is not what the index says.
        OSError: the disk is full or the folder cannot be written.
    """
    schema = huggingface_schema(source.index)
    for split in source.splits:
        names = UniqueNames()
        # the pictures are deflated already
        with pq.ParquetWriter(folder / f"{split}.parquet", schema, compression="none") as writer:
            group: list[pa.Table] = []
            num_rows = num_bytes = 0
            for batch in source.batches(split):
                keys = batch.keys.tolist()
                images = [
                    {"bytes": data, "path": f"{names.take(picture_stem(key), key)}.png"}
                    for data, key in zip(encode_pngs(batch.images), keys, strict=True)
                ]
                columns: dict[str, Any] = {
                    "image": images, "label": batch.labels, "key": keys,
                    "parent": batch.parents.tolist(),
                }  # fmt: skip
                if batch.votes is not None:
                    columns["votes"] = batch.votes.tolist()
                group.append(pa.table(columns, schema=schema))
                num_rows, num_bytes = num_rows + len(batch), num_bytes + group[-1].nbytes
                if num_rows >= _ROWS_A_GROUP or num_bytes >= _BYTES_A_GROUP:
                    writer.write_table(pa.concat_tables(group))
                    group, num_rows, num_bytes = [], 0, 0
            if group:
                writer.write_table(pa.concat_tables(group))


def huggingface_schema(index: ShardIndex) -> pa.Schema:
    """The columns, with what `datasets` needs to know of them in the metadata."""
    text = {"dtype": "string", "_type": "Value"}
    features: dict[str, Any] = {
        "image": {"_type": "Image"},
        "label": {"names": list(index.class_names), "_type": "ClassLabel"},
        "key": text,
        "parent": text,
    }
    fields = [
        pa.field("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
        pa.field("label", pa.int64()),
        pa.field("key", pa.string()),
        pa.field("parent", pa.string()),
    ]
    if any("votes" in shard.arrays for shard in index.shards):
        # "Sequence" is known to every version of datasets, "List" since 4.0 only
        value = {"dtype": "float32", "_type": "Value"}
        features["votes"] = {"feature": value, "_type": "Sequence"}
        fields.append(pa.field("votes", pa.list_(pa.float32())))
    metadata = {"info": {"features": features}}
    return pa.schema(fields, metadata={"huggingface": json.dumps(metadata, ensure_ascii=False)})

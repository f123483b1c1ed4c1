"""Parquet files hold every sample, in the columns that Hugging Face's datasets expects."""

from __future__ import annotations

import io
import json
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from PIL import Image

from fer_data.export.shards import ExportSettings, export_shards
from fer_data.shards.samples import Samples
from tests.made_shards import (
    assert_same,
    made_splits,
    make_samples,
    make_shards,
    numbered_samples,
)

SETTINGS = ExportSettings(format="parquet")


def read_back(path: Path, shape: tuple[int, int, int]) -> Samples:
    rows = pq.read_table(path).to_pylist()
    images = [np.asarray(Image.open(io.BytesIO(row["image"]["bytes"]))) for row in rows]
    columns = ([row[name] for row in rows] for name in ("label", "key", "parent"))
    votes = np.array([row["votes"] for row in rows], np.float32) if "votes" in rows[0] else None
    return make_samples(np.stack(images).reshape(-1, *shape), *columns, votes)


@given(made_splits())
@settings(max_examples=40, deadline=None)
def test_samples_come_back(made: tuple[dict[str, Samples], tuple[str, ...]]) -> None:
    splits, class_names = made
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        index = make_shards(folder / "shards", splits, class_names)
        export_shards(folder / "shards", folder / "out", SETTINGS)
        written = {split: samples for split, samples in splits.items() if len(samples)}
        files = {path.stem: path for path in (folder / "out").glob("*.parquet")}
        assert set(files) == set(written)
        for split, samples in written.items():
            assert_same(read_back(files[split], index.image_shape), samples)


def test_the_schema_says_what_the_columns_are(tmp_path: Path) -> None:
    samples = numbered_samples(5, num_classes=2)
    voted = make_samples(
        samples.images, samples.labels.tolist(), samples.keys.tolist(),
        votes=np.ones((5, 2), np.float32),
    )  # fmt: skip
    make_shards(tmp_path / "shards", {"train": voted}, ["anger", "müde"])
    export_shards(tmp_path / "shards", tmp_path / "out", SETTINGS)
    schema = pq.read_schema(tmp_path / "out" / "train.parquet")
    # as datasets 5.2.0 reads it, and every version since 2.0
    assert json.loads(schema.metadata[b"huggingface"])["info"]["features"] == {
        "image": {"_type": "Image"},
        "label": {"names": ["anger", "müde"], "_type": "ClassLabel"},
        "key": {"dtype": "string", "_type": "Value"},
        "parent": {"dtype": "string", "_type": "Value"},
        "votes": {"feature": {"dtype": "float32", "_type": "Value"}, "_type": "Sequence"},
    }
    assert schema.field("image").type == pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    assert schema.field("label").type == pa.int64()
    rows = pq.read_table(tmp_path / "out" / "train.parquet").to_pylist()
    assert rows[0]["image"]["path"] == "000é.png"


@pytest.mark.parametrize(
    ("count", "shape", "rows"),
    [(1500, (8, 8, 1), [1024, 476]), (9, (224, 224, 3), [9]), (12, (1024, 1024, 3), [11, 1])],
)
def test_pictures_are_gathered_into_row_groups(
    tmp_path: Path, count: int, shape: tuple[int, int, int], rows: list[int]
) -> None:
    make_shards(tmp_path / "shards", {"train": numbered_samples(count, shape)}, list("abcdefg"))
    export_shards(tmp_path / "shards", tmp_path / "out", SETTINGS)
    metadata = pq.read_metadata(tmp_path / "out" / "train.parquet")
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    assert [group.num_rows for group in groups] == rows

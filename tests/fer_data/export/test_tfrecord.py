"""TFRecord files are what TensorFlow itself reads and parses."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_data.export.shards import ExportSettings, export_shards
from fer_data.export.tfrecord import encode_example, encode_record
from fer_data.shards.samples import Samples
from tests.made_shards import (
    assert_same,
    made_splits,
    make_samples,
    make_shards,
    numbered_samples,
)

tf = pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
SETTINGS = ExportSettings(format="tfrecord")


def read_back(folder: Path, split: str, num_classes: int, class_names: tuple[str, ...]) -> Samples:
    """By TensorFlow's reader, which checks every CRC, and its parser."""
    text, number = tf.io.FixedLenFeature([], tf.string), tf.io.FixedLenFeature([], tf.int64)
    features = {
        "image/encoded": text, "image/format": text, "image/class/text": text, "key": text,
        "parent": text, "image/class/label": number, "image/height": number,
        "image/width": number, "image/channels": number,
        "votes": tf.io.VarLenFeature(tf.float32),
    }  # fmt: skip
    paths = sorted(str(path) for path in folder.glob(f"{split}-*.tfrecord"))
    records = list(tf.data.TFRecordDataset(paths).as_numpy_iterator())
    parsed = tf.io.parse_example(records, features)
    images = []
    for row, data in enumerate(parsed["image/encoded"]):
        image = tf.io.decode_png(data).numpy()
        sides = [int(parsed[f"image/{name}"][row]) for name in ("height", "width", "channels")]
        assert list(image.shape) == sides
        images.append(image)
    labels = parsed["image/class/label"].numpy().tolist()
    words = [word.decode() for word in parsed["image/class/text"].numpy()]
    assert words == [class_names[label] for label in labels]
    assert set(parsed["image/format"].numpy()) == {b"png"}
    votes = tf.sparse.to_dense(parsed["votes"]).numpy()
    keys, parents = ([t.decode() for t in parsed[name].numpy()] for name in ("key", "parent"))
    has_votes = parsed["votes"].values.shape[0] > 0
    return make_samples(np.stack(images), labels, keys, parents, votes if has_votes else None)


@given(made_splits(), st.integers(1, 5))
@settings(max_examples=20, deadline=None)
def test_tensorflow_reads_the_samples(
    made: tuple[dict[str, Samples], tuple[str, ...]], shard_samples: int
) -> None:
    splits, class_names = made
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        make_shards(folder / "shards", splits, class_names, shard_samples=shard_samples)
        export_shards(folder / "shards", folder / "out", SETTINGS)
        for split, samples in splits.items():
            if len(samples):
                found = read_back(folder / "out", split, len(class_names), class_names)
                assert_same(found, samples)


@given(st.dictionaries(st.text(max_size=200), st.binary(max_size=300) | st.integers(0, 2**63 - 1)))
@settings(max_examples=50, deadline=None)
def test_any_example_is_what_tensorflow_would_write(values: dict[str, bytes | int]) -> None:
    features = {
        name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
        if isinstance(value, bytes)
        else tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))
        for name, value in values.items()
    }
    theirs = tf.train.Example(features=tf.train.Features(feature=features))
    ours = tf.train.Example.FromString(encode_example(values))
    assert ours == theirs


@given(st.lists(st.binary(max_size=3000), max_size=5))
@settings(max_examples=25, deadline=None)
def test_any_records_are_what_tensorflow_would_write(texts: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.tfrecord"
        with tf.io.TFRecordWriter(str(path)) as writer:
            for text in texts:
                writer.write(text)
        assert path.read_bytes() == b"".join(map(encode_record, texts))


def test_files_are_sized_like_the_shards(tmp_path: Path) -> None:
    make_shards(tmp_path / "shards", {"test": numbered_samples(25, split="test")}, shard_samples=10)
    export_shards(tmp_path / "shards", tmp_path / "out", SETTINGS)
    sizes = {
        path.name: sum(1 for _ in tf.data.TFRecordDataset(str(path)))
        for path in sorted((tmp_path / "out").glob("*.tfrecord"))
    }
    assert sizes == {f"test-0000{n}-of-00003.tfrecord": size for n, size in enumerate([10, 10, 5])}

"""The stream gives the same batches, whatever the layout, dtype and codec of the shards."""

from __future__ import annotations

import itertools
from pathlib import Path

import h5py
import numpy as np
import pytest
import tensorflow as tf

from fer_data.errors import DamagedShardError, MissingPluginError
from fer_data.pack import FORMATS, PackSettings, pack
from fer_data.shards.codecs import CODECS
from fer_data.shards.index import ShardEntry, read_index
from fer_data.shards.npz import encode_npz
from fer_data.shards.pixels import DTYPES, LAYOUTS, stored_pixels
from fer_data.shards.reader import read_split
from fer_models.members import locate_shards
from fer_models.stream import ShardStream, StreamSettings
from tests.edited_index import resealed
from tests.fer_data.conftest import build_dataset
from tests.fer_data.shards.test_codecs import needs_plugin
from tests.fer_models.decoding import shard_decoder

WAYS = {"in memory": 2**30, "from disk": 0}
COUNTS = {"train": {"anger": 40, "disgust": 9}, "test": {"anger": 5}}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory):
    return build_dataset(tmp_path_factory.mktemp("forms") / "ds", COUNTS, color="rgb", size=9)


def packed(dataset, folder: Path, **options: object) -> Path:
    pack(dataset, folder, PackSettings(shard_samples=20, **options), workers=1)
    return folder


@pytest.fixture(scope="module")
def usual(dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return packed(dataset, tmp_path_factory.mktemp("usual") / "shards")


def draw(folder: Path, way: str):
    """All images and labels of the train split, shuffled and in order."""
    settings = StreamSettings(batch_size=16, cache_bytes=WAYS[way], seed=3)
    stream = ShardStream(folder, read_index(folder), "train", settings)
    for batches in (stream.shuffled(1), stream.in_order()):
        drawn = list(batches.as_numpy_iterator())
        yield np.concatenate([images for images, _ in drawn])
        yield np.concatenate([labels for _, labels in drawn])


def assert_same_batches(folder: Path, usual: Path, way: str) -> None:
    for found, expected in zip(draw(folder, way), draw(usual, way), strict=True):
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("format_", "layout", "dtype"), list(itertools.product(FORMATS, LAYOUTS, DTYPES))[1:]
)
def test_every_form_is_decoded_to_the_same(dataset, usual, tmp_path, format_, layout, dtype):
    form = packed(dataset, tmp_path / "form", format=format_, layout=layout, dtype=dtype)
    (shard,) = read_index(form).split_shards("test")
    images, labels = shard_decoder(form, shard, (9, 9, 3))()
    expected = read_split(usual, read_index(usual), "test")
    assert (images.dtype, labels.dtype) == (tf.uint8, tf.int64)
    np.testing.assert_array_equal(images, expected.images)
    np.testing.assert_array_equal(labels, expected.labels)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("format_", FORMATS)
def test_rows_of_floats_give_the_same_batches(dataset, usual, tmp_path, format_, way):
    form = packed(dataset, tmp_path / "form", format=format_, layout="flat", dtype="float32")
    assert_same_batches(form, usual, way)


def test_every_level_of_a_float_is_rounded_to_itself(tmp_path):
    levels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    arrays = {"images": stored_pixels(levels, "flat", "float32"), "labels": np.zeros(1, np.int64)}
    encoded = encode_npz(arrays)
    (tmp_path / "all.npz").write_bytes(encoded.data)
    shard = ShardEntry(
        file="all.npz", split="train", num_samples=1, bytes=len(encoded.data), sha256="",
        arrays=encoded.arrays,
    )  # fmt: skip
    images, _ = shard_decoder(tmp_path, shard, (16, 16, 1))()
    np.testing.assert_array_equal(images, levels)


@needs_plugin
@pytest.mark.parametrize("codec", CODECS)
def test_codecs_are_streamed_through_numpy_and_damage_is_told(dataset, usual, tmp_path, codec):
    options = {"format": "hdf5", "compression": codec, "layout": "flat", "dtype": "float32"}
    folder = packed(dataset, tmp_path / "codec", **options)
    assert_same_batches(folder, usual, "from disk")
    index = read_index(folder)
    shard = folder / index.shards[1].file
    data = bytearray(shard.read_bytes())
    data[index.shards[1].arrays["images"].offset + 20] ^= 0xFF
    shard.write_bytes(data)
    for cache_bytes in WAYS.values():
        settings = StreamSettings(cache_bytes=cache_bytes)
        with pytest.raises(DamagedShardError, match=shard.name):  # noqa: PT012
            stream = ShardStream(folder, index, "train", settings)
            with stream.explain_damage():
                list(stream.in_order().as_numpy_iterator())


def test_shards_of_several_dtypes_are_refused(dataset, usual, tmp_path):
    floats = packed(dataset, tmp_path / "floats", dtype="float32")
    shards = [read_index(usual).shards[0], read_index(floats).shards[1]]
    with pytest.raises(DamagedShardError, match=r"dtypes <f4, \|u1; expected one"):
        locate_shards(usual, shards)


def with_codec(folder: Path) -> Path:
    """The index says that a codec compressed the shards."""
    text = (folder / "index.json").read_text(encoding="utf-8").replace('"zlib"', '"zstd"')
    (folder / "index.json").write_text(resealed(text), encoding="utf-8")
    return folder


def test_only_codecs_need_python(dataset, tmp_path, monkeypatch):
    """Python in the hot path is slow, and its state cannot be saved."""

    def operations(folder: Path) -> str:
        shard = read_index(folder).split_shards("train")[0]
        decode = shard_decoder(folder, shard, (9, 9, 3))
        return str(decode.func.get_concrete_function(*decode.args).graph.as_graph_def())

    monkeypatch.setattr(h5py.h5z, "filter_avail", lambda _: True)
    folder = packed(dataset, tmp_path / "shards", format="hdf5", dtype="float32")
    assert "PyFunc" not in operations(folder)
    assert "PyFunc" in operations(with_codec(folder))


def test_a_codec_that_is_not_there_is_told_when_the_stream_is_opened(
    dataset, tmp_path, monkeypatch
):
    folder = with_codec(packed(dataset, tmp_path / "shards", format="hdf5"))
    monkeypatch.setattr(h5py.h5z, "filter_avail", lambda _: False)
    with pytest.raises(MissingPluginError, match='00003.h5: compression "zstd" needs hdf5plugin'):
        ShardStream(folder, read_index(folder), "train")

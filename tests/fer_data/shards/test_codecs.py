"""HDF5 shards with codecs of hdf5plugin: plain HDF5 to others, the same bytes always."""

from __future__ import annotations

import dataclasses
import importlib.util
import io
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from fer_data.errors import DamagedShardError, MissingPluginError, UnknownNameError
from fer_data.shards.arrays import decode_array, read_arrays
from fer_data.shards.codecs import CODECS
from fer_data.shards.hdf5 import encode_hdf5, read_hdf5
from fer_data.shards.index import ShardEntry
from fer_data.shards.npz import encode_npz

needs_plugin = pytest.mark.skipif(
    importlib.util.find_spec("hdf5plugin") is None, reason="hdf5plugin is not installed"
)
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=5)
SHAPES = array_shapes(min_dims=2, max_dims=4, max_side=9)
ARRAYS = st.fixed_dictionaries(
    {
        "images": st.one_of(
            arrays(np.uint8, SHAPES), arrays("<f4", SHAPES, elements=st.sampled_from([0, 0.2, 1]))
        ),
        "labels": arrays(np.int64, st.integers(1, 70)),
        "keys": st.lists(TEXT, min_size=1, max_size=40).map(lambda keys: np.array(keys, np.str_)),
    }
)


def smooth_images(count: int = 70) -> NDArray[np.uint8]:
    steps = np.random.default_rng(0).integers(-2, 3, (count, 24, 24, 1))
    return np.cumsum(steps, axis=2).astype(np.uint8)


@needs_plugin
@pytest.mark.parametrize("codec", CODECS)
@given(written=ARRAYS)
@settings(max_examples=20, deadline=None)
def test_arrays_come_back(codec: str, written: dict[str, NDArray[np.generic]]) -> None:
    shard = encode_hdf5(written, codec)
    assert encode_hdf5(written, codec).data == shard.data
    for name, array in written.items():
        entry = shard.arrays[name]
        assert entry.compression == codec
        np.testing.assert_array_equal(decode_array(shard.data, entry, name), array)
        np.testing.assert_array_equal(read_hdf5(shard.data, name), array)


@needs_plugin
@pytest.mark.parametrize("codec", CODECS)
def test_others_read_it_with_h5py_and_hdf5plugin(codec: str, tmp_path: Path) -> None:
    images, keys = smooth_images(), np.array([f"ä{n}" for n in range(70)])
    (tmp_path / "shard.h5").write_bytes(encode_hdf5({"images": images, "keys": keys}, codec).data)
    code = (
        "import h5py, hdf5plugin, sys\n"
        "file = h5py.File(sys.argv[1])\n"
        "print(file['images'][33:35].sum(), file['keys'].asstr()[69])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "shard.h5"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == [str(images[33:35].sum()), "ä69"]


@needs_plugin
@pytest.mark.parametrize("codec", CODECS)
def test_the_index_says_where_each_chunk_stands(codec: str) -> None:
    shard = encode_hdf5({"images": smooth_images()}, codec)
    entry = shard.arrays["images"]
    assert len(entry.chunks) == 3
    assert entry.offset == entry.chunks[0][0]
    assert entry.compressed_bytes == sum(size for _, size, _ in entry.chunks) < entry.raw_bytes
    with h5py.File(io.BytesIO(shard.data)) as file:
        stored = file["images"].id
        for number, (offset, size, _) in enumerate(entry.chunks):
            _, chunk = stored.read_direct_chunk((32 * number, 0, 0, 0))
            assert shard.data[offset : offset + size] == chunk
        number, _, options, _ = stored.get_create_plist().get_filter(0)
    assert number == CODECS[codec].number
    assert options[-len(CODECS[codec].options) :] == CODECS[codec].options


@needs_plugin
def test_an_index_that_does_not_fit_the_file_is_told() -> None:
    shard = encode_hdf5({"images": smooth_images()}, "zstd")
    entry = shard.arrays["images"]
    for fields, message in (
        ({"compression": "lz4"}, "images: the place or codec that the index gives"),
        ({"chunks": entry.chunks[::-1]}, "images: the place or codec that the index gives"),
        ({"shape": (70, 576)}, r"images: uint8 \(70, 24, 24, 1\); the index says"),
        ({"crc32": 1}, "images: checksum differs from the index"),
        ({"raw_bytes": 1}, "images: holds 40320 bytes; the index says 1"),
    ):
        wrong = dataclasses.replace(entry, **fields)  # type: ignore[arg-type]
        with pytest.raises(DamagedShardError, match=message):
            decode_array(shard.data, wrong, "images")
    for data in (b"no file", shard.data[:3000]):
        with pytest.raises(DamagedShardError, match="images: cannot be read"):
            decode_array(data, entry, "images")
    with pytest.raises(DamagedShardError, match="labels: cannot be read"):
        decode_array(shard.data, entry, "labels")


@needs_plugin
@pytest.mark.parametrize("codec", CODECS)
def test_no_decoder_sees_a_damaged_file(codec: str, tmp_path: Path) -> None:
    """Bitshuffle's crashes on some."""
    shard = encode_hdf5({"images": smooth_images()}, codec)
    entry = ShardEntry(
        file="a.h5", split="train", num_samples=70, bytes=len(shard.data), sha256=shard.sha256,
        arrays=shard.arrays,
    )  # fmt: skip
    (tmp_path / "a.h5").write_bytes(shard.data)
    images = read_arrays(tmp_path / "a.h5", entry, ("images",))["images"]
    np.testing.assert_array_equal(images, smooth_images())
    wrong = bytearray(shard.data)
    wrong[shard.arrays["images"].chunks[1][0] + 12] ^= 0xFF
    (tmp_path / "a.h5").write_bytes(wrong)
    with pytest.raises(DamagedShardError, match=r"a.h5: its sha256 is not that of the index; run"):
        read_arrays(tmp_path / "a.h5", entry, ("images",))


@pytest.mark.parametrize("codec", CODECS)
def test_a_codec_that_is_not_there_is_one_clear_error(
    codec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "hdf5plugin", None)
    monkeypatch.setattr(h5py.h5z, "filter_avail", lambda _: False)
    missing = rf"compression \"{codec}\" needs hdf5plugin.*run `pip install hdf5plugin`"
    with pytest.raises(MissingPluginError, match=f"^{missing}"):
        encode_hdf5({"images": smooth_images()}, codec)
    shard = encode_hdf5({"images": smooth_images()})
    images = dataclasses.replace(shard.arrays["images"], compression=codec)
    entry = ShardEntry(
        file="a.h5", split="train", num_samples=70, bytes=len(shard.data), sha256=shard.sha256,
        arrays={"images": images},
    )  # fmt: skip
    (tmp_path / "a.h5").write_bytes(shard.data)
    with pytest.raises(MissingPluginError, match=f"a.h5: {missing}"):
        read_arrays(tmp_path / "a.h5", entry, ("images",))


def test_npz_has_no_codecs_and_unknown_names_are_told() -> None:
    with pytest.raises(UnknownNameError, match="expected one of none, fast, small"):
        encode_npz({"images": smooth_images()}, "zstd")
    with pytest.raises(UnknownNameError, match='Did you mean "bitshuffle-lz4"?'):
        encode_hdf5({"images": smooth_images()}, "bitshufle-lz4")

"""HDF5 shards: plain HDF5 to others, the same bytes always, damage told."""

from __future__ import annotations

import dataclasses
import io
import zlib

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from fer_data.errors import DamagedShardError, SettingsError, UnknownNameError
from fer_data.shards.arrays import decode_array
from fer_data.shards.deflate import COMPRESSIONS
from fer_data.shards.hdf5 import CHUNK_IMAGES, encode_hdf5, read_hdf5

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=5)


def sample_arrays(num: int = 70) -> dict[str, NDArray[np.generic]]:
    rng = np.random.default_rng(0)
    return {
        "images": rng.integers(0, 256, (num, 6, 5, 3), dtype=np.uint8),
        "labels": rng.integers(0, 7, num),
        "keys": np.array([f"src/ä{n}.png" for n in range(num)]),
        "parents": np.array([""] * num),
        "votes": rng.random((num, 7), dtype=np.float32),
    }


@given(
    st.fixed_dictionaries(
        {
            "images": arrays(np.uint8, array_shapes(min_dims=4, max_dims=4, max_side=5)),
            "labels": arrays(np.int64, st.integers(1, 9)),
            "keys": st.lists(TEXT, min_size=1, max_size=9).map(lambda k: np.array(k, np.str_)),
            "big": arrays(np.dtype(">i4"), st.integers(1, 9)),
        }
    ),
    st.sampled_from(list(COMPRESSIONS)),
)
@settings(max_examples=60, deadline=None)
def test_arrays_come_back(written: dict[str, NDArray[np.generic]], compression: str) -> None:
    shard = encode_hdf5(written, compression)
    assert encode_hdf5(written, compression).data == shard.data
    for name, array in written.items():
        decoded = decode_array(shard.data, shard.arrays[name], name)
        np.testing.assert_array_equal(decoded, array)
        np.testing.assert_array_equal(read_hdf5(shard.data, name), array)


def test_others_read_it_with_h5py_alone() -> None:
    expected = sample_arrays()
    with h5py.File(io.BytesIO(encode_hdf5(expected).data)) as file:
        assert list(file) == sorted(expected)
        np.testing.assert_array_equal(file["images"][:], expected["images"])
        np.testing.assert_array_equal(file["images"][33:35], expected["images"][33:35])
        np.testing.assert_array_equal(file["labels"][:], expected["labels"])
        np.testing.assert_array_equal(file["keys"].asstr()[:], expected["keys"])
        assert set(file["parents"].asstr()[:]) == {""}
        assert file["images"].chunks == (CHUNK_IMAGES, 6, 5, 3)
        assert file["images"].compression == "gzip"


def test_every_chunk_is_a_zlib_stream_where_the_index_says() -> None:
    shard = encode_hdf5(sample_arrays())
    entry = shard.arrays["images"]
    assert len(entry.chunks) == -(-70 // CHUNK_IMAGES)
    assert entry.offset == entry.chunks[0][0]
    assert entry.compressed_bytes == sum(size for _, size, _ in entry.chunks)
    held = [zlib.decompress(shard.data[start : start + size]) for start, size, _ in entry.chunks]
    assert [zlib.crc32(raw) for raw in held] == [crc for _, _, crc in entry.chunks]
    assert {len(raw) for raw in held} == {entry.chunk_bytes}
    assert b"".join(held).rstrip(b"\0") == sample_arrays()["images"].tobytes().rstrip(b"\0")


def test_what_cannot_be_stored_is_refused() -> None:
    with pytest.raises(SettingsError, match="holds Python objects"):
        encode_hdf5({"keys": np.array(["a", None])})
    with pytest.raises(SettingsError, match="is empty"):
        encode_hdf5({"labels": np.array([], np.int64)})
    with pytest.raises(UnknownNameError, match="unknown compression"):
        encode_hdf5(sample_arrays(), "zip")


def test_damage_is_told_by_array() -> None:
    shard = encode_hdf5(sample_arrays())
    entry = shard.arrays["images"]
    start, size, _ = entry.chunks[1]
    wrong = bytearray(shard.data)
    wrong[start + size // 2] ^= 1
    with pytest.raises(DamagedShardError, match="images: "):
        decode_array(bytes(wrong), entry, "images")
    with pytest.raises(DamagedShardError, match="images: "):
        decode_array(shard.data[: start + size // 2], entry, "images")
    with pytest.raises(DamagedShardError, match="images: checksum differs from the index"):
        decode_array(shard.data, dataclasses.replace(entry, crc32=1), "images")

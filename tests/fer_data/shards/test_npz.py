"""What is written as NPZ comes back, to NumPy as to us, in bytes that never change."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from fer_data.errors import DamagedShardError, SettingsError, UnknownNameError
from fer_data.shards.arrays import decode_array, read_arrays
from fer_data.shards.deflate import COMPRESSIONS
from fer_data.shards.index import ShardEntry
from fer_data.shards.npz import encode_npz

# Of `sample_arrays`, by isal 1.9.1 at level 1, whose output is the same on CPUs with SSE4, AVX2 and
# AVX-512. Where it changes, every shard gets other bytes: say so in CHANGELOG.md.
GOLDEN = "160ace3f958cac0a7d4c67fa79c4ae095472d6eca0a92c6463594cc58f23606d"

# NumPy's text ends at its last character that is not NUL
TEXT = st.text(max_size=30).map(lambda text: text.rstrip("\0"))


def sample_arrays() -> dict[str, NDArray[np.generic]]:
    return {
        "images": (np.arange(2 * 8 * 8 * 3) % 251).astype(np.uint8).reshape(2, 8, 8, 3),
        "labels": np.array([1, 0], np.int64),
        "keys": np.array(["src/Ärger/ß.png", "src/喜び/1.png#3"]),
        "parents": np.array(["", "src/喜び/1.png"]),
    }


@given(
    st.fixed_dictionaries(
        {
            "images": arrays(np.uint8, array_shapes(min_dims=4, max_dims=4, max_side=5)),
            "labels": arrays(np.int64, st.integers(0, 9)),
            "keys": st.lists(TEXT, min_size=1, max_size=9).map(lambda k: np.array(k, np.str_)),
            "votes": arrays(
                np.float32, array_shapes(min_dims=2, max_dims=2), elements={"allow_nan": False}
            ),
            "big": arrays(np.dtype(">i4"), st.integers(0, 9)),
        }
    )
)
@settings(max_examples=60, deadline=None)
def test_arrays_come_back(written: dict[str, NDArray[np.generic]]) -> None:
    for compression in COMPRESSIONS:
        check_round_trip(written, compression)


def check_round_trip(written: dict[str, NDArray[np.generic]], compression: str) -> None:
    shard = encode_npz(written, compression)
    assert encode_npz(written, compression).data == shard.data
    with np.load(io.BytesIO(shard.data), allow_pickle=False) as npz:
        assert list(npz) == list(written)
        for name, array in written.items():
            np.testing.assert_array_equal(npz[name], array)
            decoded = decode_array(shard.data, shard.arrays[name], name)
            np.testing.assert_array_equal(decoded, array)
            assert decoded.dtype == npz[name].dtype
            assert decoded.dtype.str == shard.arrays[name].dtype


def test_bytes_are_those_of_format_version_1() -> None:
    shard = encode_npz(sample_arrays())
    assert shard.sha256 == hashlib.sha256(shard.data).hexdigest() == GOLDEN


def test_archive_is_as_the_format_says() -> None:
    shard = encode_npz(sample_arrays())
    with zipfile.ZipFile(io.BytesIO(shard.data)) as archive:
        assert archive.testzip() is None
        for info in archive.infolist():
            entry = shard.arrays[info.filename.removesuffix(".npy")]
            assert info.date_time == (1980, 1, 1, 0, 0, 0)
            assert (info.flag_bits, info.extra, info.comment) == (0, b"", b"")
            assert (info.CRC, info.file_size) == (entry.crc32, entry.raw_bytes)
            assert info.compress_size == entry.compressed_bytes


def test_a_member_is_a_gzip_stream_with_another_header() -> None:
    arrays = sample_arrays()
    shard = encode_npz(arrays)
    entry = shard.arrays["images"]
    member = shard.data[entry.offset : entry.offset + entry.compressed_bytes]
    sizes = entry.crc32.to_bytes(4, "little") + entry.raw_bytes.to_bytes(4, "little")
    raw = zlib.decompress(b"\x1f\x8b\x08" + bytes(6) + b"\xff" + member + sizes, wbits=31)
    assert raw[entry.header_bytes :] == arrays["images"].tobytes()


def test_arrays_in_any_memory_order_give_the_same_bytes() -> None:
    images = sample_arrays()["images"]
    expected = encode_npz({"images": images}).data
    assert encode_npz({"images": np.asfortranarray(images)}).data == expected
    strided = np.repeat(images, 2, axis=0)[::2]
    assert encode_npz({"images": strided}).data == expected


def test_compression_decides_the_size_and_nothing_else() -> None:
    rng = np.random.default_rng(0)
    smooth = np.cumsum(rng.integers(-2, 3, (40, 48, 48, 1)), axis=2).astype(np.uint8)
    raw = smooth.nbytes
    sizes = {name: len(encode_npz({"images": smooth}, name).data) for name in COMPRESSIONS}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, images=smooth)
    assert sizes["small"] <= len(buffer.getvalue())
    assert sizes["small"] < sizes["fast"] < raw < sizes["none"] < 1.01 * raw
    with pytest.raises(UnknownNameError, match='unknown compression "smal".*Did you mean "small"'):
        encode_npz({"images": smooth}, "smal")


def test_objects_are_refused() -> None:
    with pytest.raises(SettingsError, match='array "keys" holds Python objects'):
        encode_npz({"keys": np.array(["a", None])})


def test_damage_is_told_by_array() -> None:
    shard = encode_npz(sample_arrays())
    entry = shard.arrays["images"]
    cut = shard.data[: entry.offset + entry.compressed_bytes // 2]
    with pytest.raises(DamagedShardError, match=r"images: holds \d+ bytes; the index says 512"):
        decode_array(cut, entry, "images")
    wrong = bytearray(shard.data)
    wrong[entry.offset] ^= 0b110  # the kind of the first deflate block
    with pytest.raises(DamagedShardError, match="images: "):
        decode_array(bytes(wrong), entry, "images")
    with pytest.raises(DamagedShardError, match="images: checksum differs from the index"):
        decode_array(shard.data, dataclasses.replace(entry, crc32=1), "images")


def test_a_missing_shard_is_told_with_its_path(tmp_path: Path) -> None:
    entry = ShardEntry(file="a.npz", split="train", num_samples=0, bytes=0, sha256="", arrays={})
    with pytest.raises(DamagedShardError, match=r"a.npz: No such file .* run `ferdata pack` again"):
        read_arrays(tmp_path / "a.npz", entry, ("images",))

"""Arrays of a shard, read by what the index says of them, from an NPZ file as from an HDF5 one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

from fer_data.errors import DamagedShardError
from fer_data.shards.codecs import CODECS
from fer_data.shards.index import ArrayEntry, ShardEntry

_ZLIB_HEADER, _ZLIB_AROUND = 2, 6  # bytes before, and before and behind, the deflate of zlib


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedShard:
    """The bytes of one shard file and where each array stands in them."""

    data: bytes
    arrays: Mapping[str, ArrayEntry]

    @property
    def sha256(self) -> str:
        """Hex digest of the whole file."""
        return hashlib.sha256(self.data).hexdigest()


def decode_array(data: bytes, entry: ArrayEntry, name: str) -> NDArray[Any]:
    """One array of a shard, read from the bytes of its file and checked.

    Args:
        data: the whole shard file.
        entry: the array's place, from the index.
        name: of the array; errors begin with it.

    Raises:
        DamagedShardError: the bytes are not what the index says.
        MissingPluginError: a codec compressed the array that is not installed.
    """
    try:
        raw = _decompress(data, entry, name)
    except (isal_zlib.error, EOFError) as error:  # type: ignore[misc]  # its stub is wrong
        raise DamagedShardError(f"{name}: cannot be decompressed ({error})") from error
    except DamagedShardError as error:
        raise DamagedShardError(f"{name}: {error}") from error
    if len(raw) != entry.raw_bytes:
        raise DamagedShardError(f"{name}: holds {len(raw)} bytes; the index says {entry.raw_bytes}")
    if isal_zlib.crc32(raw) != entry.crc32:
        raise DamagedShardError(f"{name}: checksum differs from the index")
    try:
        dtype = np.dtype(entry.dtype)
    except SyntaxError:  # NumPy takes "," for a list of dtypes
        raise DamagedShardError(f'{name}: the index gives it the dtype "{entry.dtype}"') from None
    array = np.frombuffer(raw, dtype=dtype, offset=entry.header_bytes)
    array = array.reshape(entry.shape)
    return np.char.decode(array, "utf-8") if array.dtype.kind == "S" else array


class DeflateStream(NamedTuple):
    """A raw deflate stream of a shard file.

    Attributes:
        offset: of its first byte in the file.
        size: in bytes.
        raw_bytes: bytes that it holds.
        crc32: of what it holds.
    """

    offset: int
    size: int
    raw_bytes: int
    crc32: int


def deflate_streams(entry: ArrayEntry) -> list[DeflateStream]:
    """Where the streams of an array stand; none where no deflate compressed it."""
    if entry.compression == "deflate":
        return [DeflateStream(entry.offset, entry.compressed_bytes, entry.raw_bytes, entry.crc32)]
    if entry.compression == "zlib":  # deflate between a header and an Adler-32
        return [
            DeflateStream(start + _ZLIB_HEADER, size - _ZLIB_AROUND, entry.chunk_bytes, crc)
            for start, size, crc in entry.chunks
        ]
    return []


def _decompress(data: bytes, entry: ArrayEntry, name: str) -> bytes:
    if entry.compression in CODECS:
        from fer_data.shards.hdf5 import read_filtered  # here: it needs h5py, and this module

        return read_filtered(data, name, entry)
    raw = b"".join(_inflate(data, stream) for stream in deflate_streams(entry))
    return raw[: entry.raw_bytes] if entry.chunks else raw  # the last chunk is filled with zeros


def _inflate(data: bytes, stream: DeflateStream) -> bytes:
    """What a stream holds, or a byte more than it should: a damaged one can be a bomb.

    Raises:
        isal_zlib.error: it is damaged.
        EOFError: it has no end.
        DamagedShardError: it holds something else than the index says.
    """
    inflate = isal_zlib.decompressobj(-15)  # -15: raw
    deflated = memoryview(data)[stream.offset : stream.offset + max(stream.size, 0)]
    raw: bytes = inflate.decompress(deflated, stream.raw_bytes + 1)
    if len(raw) == stream.raw_bytes and not inflate.eof:
        raise EOFError("the stream does not end")
    if len(raw) == stream.raw_bytes and isal_zlib.crc32(raw) != stream.crc32:
        raise DamagedShardError("checksum differs from the index")
    return raw


def read_arrays(path: Path, shard: ShardEntry, names: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    """The named arrays of one shard file, as they are stored, checked against the index.

    Raises:
        DamagedShardError: the file is missing, or not what the index says.
        MissingPluginError: a codec compressed the shard that is not installed.
    """
    if shard.codecs:
        from fer_data.shards.hdf5 import check_codecs

        check_codecs(path.parent, [shard])
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DamagedShardError(
            f"{path}: {error.strerror}; run `ferdata pack` again to write it anew"
        ) from None
    try:
        # decoders in C that trust their input get nothing else than what was written
        if shard.codecs and hashlib.sha256(data).hexdigest() != shard.sha256:
            raise DamagedShardError("its sha256 is not that of the index")
        return {name: decode_array(data, shard.arrays[name], name) for name in names}
    except DamagedShardError as error:
        raise DamagedShardError(
            f"{path}: {error}; run `ferdata pack` again to write it anew"
        ) from None

"""HDF5 shards: files whose bytes depend on the arrays alone, with chunks that anybody can inflate.

Chunks are zlib streams (HDF5's own gzip filter), made by ISA-L and written as they are: h5py's
filter takes seven times as long. Files are made in memory, so no killed writer leaves half of one.
Format: HDF5 File Format Specification 2.0 (superblock 0), which every HDF5 since 1.8 reads.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

from fer_data.errors import SettingsError, UnknownNameError
from fer_data.shards.arrays import EncodedShard
from fer_data.shards.deflate import COMPRESSIONS, zlib_stream
from fer_data.shards.index import ArrayEntry

#: Images a chunk: batches read fastest so; one image alone needs a chunk to be inflated.
CHUNK_IMAGES = 32


def encode_hdf5(arrays: Mapping[str, NDArray[Any]], compression: str = "fast") -> EncodedShard:
    """The bytes of an HDF5 file of `arrays`, the same for the same arrays and HDF5 library.

    Args:
        arrays: name → array of at least one row; texts become fixed-length UTF-8.
        compression: one of `COMPRESSIONS`.

    Raises:
        SettingsError: an array holds Python objects, or nothing.
        UnknownNameError: there is no such compression.
    """
    if compression not in COMPRESSIONS:
        raise UnknownNameError("compression", compression, COMPRESSIONS)
    entries: dict[str, ArrayEntry] = {}
    memory = {"driver": "core", "backing_store": False, "libver": ("earliest", "v108")}
    with h5py.File("shard.h5", "w", **memory) as file:
        for name, array in arrays.items():
            entries[name] = _write_array(file, name, _storable(name, array), compression)
        file.flush()
        data: bytes = file.id.get_file_image()
    return EncodedShard(data=data, arrays=entries)


def read_hdf5(data: bytes, name: str) -> NDArray[Any]:
    """One array as the HDF5 library itself reads it; texts as `<U`.

    Raises:
        OSError: the bytes are no HDF5 file, or damaged.
        KeyError: there is no such array.
    """
    with h5py.File(io.BytesIO(data), "r") as file:
        array: NDArray[Any] = file[name][()]
    return np.char.decode(array, "utf-8") if array.dtype.kind == "S" else array


def _storable(name: str, array: NDArray[Any]) -> NDArray[Any]:
    """The array little-endian in C order, texts as UTF-8 bytes."""
    if array.dtype.hasobject:
        raise SettingsError(f'array "{name}" holds Python objects; shards hold plain numbers')
    if len(array) == 0:
        raise SettingsError(f'array "{name}" is empty; a shard holds at least one sample')
    if array.dtype.kind == "U":
        encoded = np.char.encode(array, "utf-8")
        return encoded.astype(f"S{max(encoded.dtype.itemsize, 1)}")
    return np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"), copy=False))


def _write_array(file: h5py.File, name: str, array: NDArray[Any], compression: str) -> ArrayEntry:
    rows = min(CHUNK_IMAGES if name == "images" else len(array), len(array))
    dtype: Any = array.dtype
    if dtype.kind == "S":
        dtype = h5py.string_dtype("utf-8", dtype.itemsize)
    dataset = file.create_dataset(
        name,
        shape=array.shape,
        dtype=dtype,
        chunks=(rows, *array.shape[1:]),
        compression="gzip",
        compression_opts=1,
        track_times=False,
    )
    starts = [(start, *[0] * (array.ndim - 1)) for start in range(0, len(array), rows)]
    for start in starts:
        part = array[start[0] : start[0] + rows]
        whole = np.zeros((rows, *array.shape[1:]), array.dtype)  # chunks are never cut short
        whole[: len(part)] = part
        dataset.id.write_direct_chunk(start, zlib_stream(whole.tobytes(), compression))
    found = [dataset.id.get_chunk_info_by_coord(start) for start in starts]
    raw = array.tobytes()
    return ArrayEntry(
        dtype=array.dtype.str,
        shape=array.shape,
        offset=found[0].byte_offset,
        compressed_bytes=sum(info.size for info in found),
        raw_bytes=len(raw),
        header_bytes=0,
        crc32=isal_zlib.crc32(raw),
        compression="zlib",
        chunks=tuple((info.byte_offset, info.size) for info in found),
    )

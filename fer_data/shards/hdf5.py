"""HDF5 shards: files whose bytes depend on the arrays alone, with chunks that anybody can inflate.

Chunks are zlib streams (HDF5's own gzip filter), made by ISA-L and written as they are: h5py's
filter takes seven times as long. With a codec of hdf5plugin they are what HDF5's own pipeline makes
of them. Files are made in memory, so no killed writer leaves half of one.
Format: HDF5 File Format Specification 2.0 (superblock 0), which every HDF5 since 1.8 reads.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

from fer_data.errors import (
    DamagedShardError,
    MissingPluginError,
    SettingsError,
    UnknownNameError,
)
from fer_data.shards.arrays import EncodedShard
from fer_data.shards.codecs import CODECS
from fer_data.shards.deflate import COMPRESSIONS, zlib_stream
from fer_data.shards.index import ArrayEntry, ShardEntry

#: Images a chunk: batches read fastest so; one image alone needs a chunk to be inflated.
CHUNK_IMAGES = 32


def encode_hdf5(arrays: Mapping[str, NDArray[Any]], compression: str = "fast") -> EncodedShard:
    """The bytes of an HDF5 file of `arrays`, the same for the same arrays and HDF5 library.

    Args:
        arrays: name → array of at least one row; texts become fixed-length UTF-8.
        compression: one of `COMPRESSIONS` or `CODECS`.

    Raises:
        SettingsError: an array holds Python objects, or nothing.
        UnknownNameError: there is no such compression.
        MissingPluginError: it is a codec that is not installed.
    """
    if compression in CODECS:
        check_codec(compression)
    elif compression not in COMPRESSIONS:
        raise UnknownNameError("compression", compression, (*COMPRESSIONS, *CODECS))
    entries: dict[str, ArrayEntry] = {}
    memory = {"driver": "core", "backing_store": False, "libver": ("earliest", "v108")}
    with h5py.File("shard.h5", "w", **memory) as file:
        for name, array in arrays.items():
            entries[name] = _write_array(file, name, _storable(name, array), compression)
        file.flush()
        data: bytes = file.id.get_file_image()
    return EncodedShard(data=data, arrays=entries)


def check_codec(name: str) -> None:
    """Makes sure that HDF5 has a codec.

    Args:
        name: one of `CODECS`.

    Raises:
        MissingPluginError: it has not.
    """
    with contextlib.suppress(ImportError):
        import hdf5plugin  # noqa: F401  # it puts its filters into HDF5's own list
    if not h5py.h5z.filter_avail(CODECS[name].number):
        raise MissingPluginError(
            f'compression "{name}" needs hdf5plugin, which is not installed; '
            "run `pip install hdf5plugin`"
        )


def check_codecs(shards_dir: Path, shards: Iterable[ShardEntry]) -> None:
    """Makes sure that HDF5 has the codecs of some shards.

    Raises:
        MissingPluginError: it has not.
    """
    for shard in shards:
        for name in sorted(shard.codecs):
            try:
                check_codec(name)
            except MissingPluginError as error:
                raise MissingPluginError(f"{shards_dir / shard.file}: {error}") from None


def read_filtered(data: bytes, name: str, entry: ArrayEntry) -> bytes:
    """The bytes of one array that a codec compressed, read by HDF5's own pipeline.

    The decoders trust what they are given: compare the file's checksum with the index before.

    Args:
        data: the whole file.
        name: of the array.
        entry: what the index says of it; its compression is one of `CODECS`.

    Raises:
        MissingPluginError: the codec is not installed.
        DamagedShardError: the file is damaged, or has the array otherwise than the index says.
    """
    check_codec(entry.compression)
    try:
        with h5py.File(io.BytesIO(data), "r") as file:
            dataset = file[name]
            if (
                dataset.shape != entry.shape
                or dataset.dtype.itemsize != np.dtype(entry.dtype).itemsize
            ):
                raise DamagedShardError(
                    f"{dataset.dtype} {dataset.shape}; the index says {entry.dtype} {entry.shape}"
                )
            places = tuple((start, size) for start, size, _ in entry.chunks)
            if not _has_codec(dataset, entry.compression) or _chunk_places(dataset) != places:
                raise DamagedShardError(
                    "the place or codec that the index gives is not that of the file"
                )
            raw: bytes = dataset[()].tobytes()
            return raw
    except (OSError, KeyError, RuntimeError, AttributeError, TypeError) as error:
        raise DamagedShardError(f"cannot be read ({error})") from error


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
    raw = array.reshape(-1).view(np.uint8).data  # no copies of megabytes
    codec, chunks = CODECS.get(compression), list(_chunks(raw, rows * array[:1].nbytes))
    dataset = file.create_dataset(
        name,
        shape=array.shape,
        dtype=dtype,
        chunks=(rows, *array.shape[1:]),
        compression=codec.number if codec is not None else "gzip",
        compression_opts=codec.options if codec is not None else 1,
        track_times=False,
    )
    if codec is not None:
        every = h5py.h5s.ALL
        dataset.id.write(every, every, array, dataset.id.get_type())  # as it is, text too
        file.flush()
    else:
        for start, chunk in zip(_chunk_starts(dataset), chunks, strict=True):
            dataset.id.write_direct_chunk(start, zlib_stream(chunk, compression))
    places = _chunk_places(dataset)
    return ArrayEntry(
        dtype=array.dtype.str,
        shape=array.shape,
        offset=places[0][0],
        compressed_bytes=sum(size for _, size in places),
        raw_bytes=len(raw),
        header_bytes=0,
        crc32=isal_zlib.crc32(raw),
        compression=compression if codec is not None else "zlib",
        chunks=tuple(
            (start, size, isal_zlib.crc32(chunk))
            for (start, size), chunk in zip(places, chunks, strict=True)
        ),
        chunk_bytes=len(chunks[0]),
    )


def _chunks(raw: memoryview, size: int) -> Iterator[memoryview | bytes]:
    """The bytes of an array, `size` at a time; the last chunk is filled up with zeros."""
    for start in range(0, len(raw), size):
        part = raw[start : start + size]
        yield part if len(part) == size else bytes(part).ljust(size, b"\0")


def _chunk_starts(dataset: h5py.Dataset) -> list[tuple[int, ...]]:
    """Where each chunk begins in the array, in order."""
    rest = (0,) * (len(dataset.shape) - 1)
    return [(start, *rest) for start in range(0, len(dataset), dataset.chunks[0])]


def _chunk_places(dataset: h5py.Dataset) -> tuple[tuple[int, int], ...]:
    """Offset and size of each chunk in the file, in order."""
    found = [dataset.id.get_chunk_info_by_coord(start) for start in _chunk_starts(dataset)]
    return tuple((info.byte_offset, info.size) for info in found)


def _has_codec(dataset: h5py.Dataset, name: str) -> bool:
    """Whether this codec, and no other, compressed a dataset."""
    filters, codec = dataset.id.get_create_plist(), CODECS[name]
    if filters.get_nfilters() != 1:
        return False
    number, _, options, _ = filters.get_filter(0)
    return bool(number == codec.number and options[-len(codec.options) :] == codec.options)

"""One shard file, decoded by TensorFlow's own operations; see `docs/shard-format.md`.

A member of an NPZ archive is raw deflate, which TensorFlow does not read; with a gzip header
before it and its CRC and size behind it, both known from the index, it is a gzip stream, which
TensorFlow reads and checks. A chunk of an HDF5 file is a zlib stream: deflate with another head and
tail, and read the same way. Shards that a codec of hdf5plugin compressed are the exception:
TensorFlow has no such decoders, so the NumPy reader reads these, in Python, under its lock.
"""

from __future__ import annotations

import dataclasses
import json
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from fer_data.errors import DamagedShardError
from fer_data.shards.arrays import deflate_streams, read_arrays
from fer_data.shards.hdf5 import check_codecs
from fer_data.shards.index import ShardEntry, shard_from_json
from fer_data.shards.pixels import DTYPES, restored_pixels

_ARRAYS = ("images", "labels")
_GZIP_HEADER = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
_WITNESS_TEXT = b"whole"
#: A second gzip stream. TensorFlow takes a stream that is cut short, or that a wrong bit lets run
#: past its end, for a whole one, and checks nothing then; but it reads a second stream only behind
#: one that ended as it should.
_WITNESS = (
    _GZIP_HEADER
    + struct.pack("<BHH", 1, len(_WITNESS_TEXT), len(_WITNESS_TEXT) ^ 0xFFFF)  # one stored block
    + _WITNESS_TEXT
    + struct.pack("<II", zlib.crc32(_WITNESS_TEXT), len(_WITNESS_TEXT))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardPlaces:
    """Where the images and labels of some shards stand, as arrays that become tensors.

    Attributes:
        paths: bytes array of shape (num_shards,).
        samples: int64 array of shape (num_shards,), samples of each shard.
        numbers: int64 array of shape (num_shards, 2, 4): for images and labels the number of
            streams, the bytes that each of them holds, where the data begins in all of them
            together, and where it ends.
        is_float: bool array of shape (num_shards,): whether the images are float32.
        streams: int64 array of shape (num_shards, most streams, 2): offset and size of each raw
            deflate stream, those of the images first.
        trailers: bytes array of shape (num_shards, most streams): CRC and size of what each of
            them holds, as gzip ends.
        entries: bytes array of shape (num_shards,): what the index says of each shard, in JSON,
            where only the NumPy reader decodes it; else empty.
    """

    paths: NDArray[np.object_]
    samples: NDArray[np.int64]
    numbers: NDArray[np.int64]
    is_float: NDArray[np.bool_]
    streams: NDArray[np.int64]
    trailers: NDArray[np.object_]
    entries: NDArray[np.object_]

    def tensors(self) -> dict[str, Any]:
        """The arrays by name, for `tf.data.Dataset.from_tensor_slices`."""
        if any(self.entries):
            return {"path": self.paths, "entry": self.entries}
        return {
            "path": self.paths,
            "samples": self.samples,
            "numbers": self.numbers,
            "is_float": self.is_float,
            "streams": self.streams,
            "trailers": self.trailers,
        }


def locate_shards(shards_dir: Path, shards: Sequence[ShardEntry]) -> ShardPlaces:
    """Where the images and labels of `shards` stand.

    Raises:
        MissingPluginError: a codec compressed one of them that is not installed.
        DamagedShardError: the index names a compression that is not known.
    """
    check_codecs(shards_dir, shards)
    by_numpy = any(shard.codecs for shard in shards)
    found = [[deflate_streams(shard.arrays[name]) for name in _ARRAYS] for shard in shards]
    most = max((sum(map(len, pair)) for pair in found), default=1)
    numbers = np.zeros((len(shards), len(_ARRAYS), 4), np.int64)
    streams = np.zeros((len(shards), most, 2), np.int64)
    trailers = np.full((len(shards), most), b"", object)
    for row, (shard, pair) in enumerate(zip(shards, found, strict=True)):
        for array, (name, parts) in enumerate(zip(_ARRAYS, pair, strict=True)):
            entry = shard.arrays[name]
            if not parts and not by_numpy:
                raise DamagedShardError(
                    f'{shards_dir / shard.file}: {name}: compression "{entry.compression}" is not '
                    "known; run `ferdata pack` again"
                )
            held = parts[0].raw_bytes if parts else 0
            numbers[row, array] = len(parts), held, entry.header_bytes, entry.raw_bytes
        for column, part in enumerate(pair[0] + pair[1]):
            streams[row, column] = part.offset, part.size
            trailers[row, column] = struct.pack("<II", part.crc32, part.raw_bytes)
    is_float = [shard.arrays["images"].dtype == DTYPES["float32"] for shard in shards]
    return ShardPlaces(
        paths=np.array([str(shards_dir / s.file).encode() for s in shards], object),
        samples=np.array([shard.num_samples for shard in shards], np.int64),
        numbers=numbers,
        is_float=np.array(is_float, np.bool_),
        streams=streams,
        trailers=trailers,
        entries=np.array([_entry_json(s) if by_numpy else b"" for s in shards], object),
    )


def decode_shard(place: dict[str, Any], image_shape: tuple[int, int, int]) -> tuple[Any, Any]:
    """The images, uint8 (n, H, W, C), and labels, int64 (n,), of one shard.

    They are decoded by TensorFlow's own operations, in whatever layout and dtype they are stored: a
    wrong length fails in a check, a wrong bit in the CRC; either is an error of TensorFlow, and
    nothing wrong comes out. Only where a codec of hdf5plugin compressed them does
    `tf.numpy_function` call the NumPy reader.

    Args:
        place: one element of `ShardPlaces.tensors`.
        image_shape: height, width, channels.
    """
    if "entry" in place:
        return _decode_by_numpy(place, image_shape)
    num_samples, numbers = place["samples"], place["numbers"]
    ends = tf.cumsum(numbers[:, 0])
    held = tf.repeat(numbers[:, 1], numbers[:, 0])  # bytes of each stream
    raws = _gunzip(
        tf.io.read_file(place["path"]),
        place["streams"][: ends[1]],
        place["trailers"][: ends[1]],
        held,
    )
    pixels = _data_bytes(raws[: ends[0]], numbers[0])
    pixels = tf.cond(
        place["is_float"],
        lambda: tf.cast(
            tf.round(tf.bitcast(tf.reshape(pixels, (-1, 4)), tf.float32) * 255), tf.uint8
        ),
        lambda: pixels,
    )
    # (bytes,) -> (n, H, W, C)
    images = tf.reshape(pixels, tf.stack([num_samples, *image_shape]))
    images.set_shape((None, *image_shape))
    # (bytes,) -> (n, 8) -> (n,)
    rows = tf.reshape(_data_bytes(raws[ends[0] :], numbers[1]), tf.stack([num_samples, 8]))
    return images, tf.bitcast(rows, tf.int64)


def _gunzip(data: Any, streams: Any, trailers: Any, held: Any) -> Any:
    """What each raw deflate stream of a file holds, checked by its CRC, and `_WITNESS_TEXT`."""
    deflated = _cut_out(data, streams[:, 0], streams[:, 1])
    raws = tf.io.decode_compressed(
        tf.strings.join([_GZIP_HEADER, deflated, trailers, _WITNESS]), "GZIP"
    )
    is_whole = (_cut_out(raws, held, len(_WITNESS_TEXT)) == _WITNESS_TEXT) & (
        _length(raws) == held + len(_WITNESS_TEXT)
    )
    check = tf.debugging.Assert(tf.reduce_all(is_whole), ["not what the index says"])
    with tf.control_dependencies([check]):
        return tf.identity(raws)


def _data_bytes(raws: Any, numbers: Any) -> Any:
    """The data of one array, uint8 of shape (bytes,), from what its streams hold."""
    num_streams, held, first, last = tf.unstack(numbers)
    rows = tf.io.decode_raw(raws, tf.uint8)  # (streams, held + witness)
    # a single stream needs no copy without its witness
    flat = tf.cond(num_streams == 1, lambda: rows[0], lambda: tf.reshape(rows[:, :held], (-1,)))
    # the last chunk of an HDF5 file is as long as the others: what is beyond `last` is no data
    return flat[first:last]


def _length(data: Any) -> Any:
    return tf.cast(tf.strings.length(data), tf.int64)


def _cut_out(data: Any, start: Any, size: Any) -> Any:
    """As `tf.strings.substr`; beyond the end of a truncated file there is nothing.

    TensorFlow's own complaint would quote the bytes, which Python cannot decode as text.
    """
    start = tf.minimum(tf.cast(start, tf.int64), _length(data))
    return tf.strings.substr(data, start, tf.broadcast_to(tf.cast(size, tf.int64), tf.shape(start)))


def _entry_json(shard: ShardEntry) -> bytes:
    return json.dumps(dataclasses.asdict(shard)).encode()


def _decode_by_numpy(place: dict[str, Any], image_shape: tuple[int, int, int]) -> tuple[Any, Any]:
    """The images and labels of one shard, through the NumPy reader."""

    @tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]
    def read(path: bytes, entry: bytes) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        arrays = read_arrays(Path(path.decode()), shard_from_json(json.loads(entry)), _ARRAYS)
        return restored_pixels(arrays["images"], image_shape), arrays["labels"]

    images, labels = tf.numpy_function(
        read, [place["path"], place["entry"]], (tf.uint8, tf.int64), stateful=False
    )
    images.set_shape((None, *image_shape))
    labels.set_shape((None,))
    return images, labels

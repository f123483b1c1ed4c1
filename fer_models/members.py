"""One shard file, decoded by TensorFlow's own operations; see `docs/shard-format.md`.

A member of an NPZ archive is raw deflate, which TensorFlow does not read; with a gzip header
before it and its CRC and size behind it, both known from the index, it is a gzip stream, which
TensorFlow reads and checks. A chunk of an HDF5 file is a zlib stream, which it reads as it stands.
Shards that a codec of hdf5plugin compressed are the exception: TensorFlow has no such decoders, so
the NumPy reader reads these, in Python, under its lock.
"""

from __future__ import annotations

import dataclasses
import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from fer_data.shards.arrays import read_arrays
from fer_data.shards.hdf5 import check_codecs
from fer_data.shards.index import ShardEntry, shard_from_json
from fer_data.shards.pixels import DTYPES, restored_pixels

_GZIP_HEADER = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
_ARRAYS = ("images", "labels")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardPlaces:
    """Where the images and labels of some shards stand, as arrays that become tensors.

    Attributes:
        paths: bytes array of shape (num_shards,).
        samples: int64 array of shape (num_shards,), samples of each shard.
        numbers: int64 array of shape (num_shards, 2, 4): for images and labels the size of the
            .npy header, that of header and data, 1 where they are not compressed, and 1 where they
            are float32.
        streams: int64 array of shape (num_shards, 2, most streams, 2): for images and labels
            offset and size of each compressed stream; a size of 0 where there are fewer.
        trailers: bytes array of shape (num_shards, 2): CRC and raw size, as gzip ends; empty
            where streams are whole without.
        entries: bytes array of shape (num_shards,): what the index says of each shard, in JSON,
            where only the NumPy reader decodes it; else empty.
    """

    paths: NDArray[np.object_]
    samples: NDArray[np.int64]
    numbers: NDArray[np.int64]
    streams: NDArray[np.int64]
    trailers: NDArray[np.object_]
    entries: NDArray[np.object_]

    def take(self, order: NDArray[np.int64]) -> ShardPlaces:
        """The same shards in another order."""
        return ShardPlaces(
            paths=self.paths[order],
            samples=self.samples[order],
            numbers=self.numbers[order],
            streams=self.streams[order],
            trailers=self.trailers[order],
            entries=self.entries[order],
        )

    def tensors(self) -> dict[str, Any]:
        """The arrays by name, for `tf.data.Dataset.from_tensor_slices`."""
        if any(self.entries):
            return {"path": self.paths, "entry": self.entries}
        return {
            "path": self.paths,
            "samples": self.samples,
            "numbers": self.numbers,
            "streams": self.streams,
            "trailers": self.trailers,
        }


def locate_shards(shards_dir: Path, shards: Sequence[ShardEntry]) -> ShardPlaces:
    """Where the images and labels of `shards` stand.

    Raises:
        MissingPluginError: a codec compressed one of them that is not installed.
    """
    check_codecs(shards_dir, shards)
    entries = [[shard.arrays[name] for name in _ARRAYS] for shard in shards]
    numbers = [
        [
            (e.header_bytes, e.raw_bytes, e.compression == "none", e.dtype == DTYPES["float32"])
            for e in pair
        ]
        for pair in entries
    ]
    by_numpy = any(shard.codecs for shard in shards)
    trailers = [
        [b"" if e.chunks else struct.pack("<II", e.crc32, e.raw_bytes) for e in pair]
        for pair in entries
    ]
    most = max((len(e.chunks) for pair in entries for e in pair), default=0) or 1
    streams = np.zeros((len(shards), len(_ARRAYS), most, 2), np.int64)
    for shard_streams, pair in zip(streams, entries, strict=True):
        for places, e in zip(shard_streams, pair, strict=True):
            found = e.chunks or ((e.offset, e.compressed_bytes),)
            places[: len(found)] = found
    return ShardPlaces(
        paths=np.array([str(shards_dir / s.file).encode() for s in shards], object),
        samples=np.array([shard.num_samples for shard in shards], np.int64),
        numbers=np.array(numbers, np.int64).reshape(-1, 2, 4),
        streams=streams,
        trailers=np.array(trailers, object).reshape(-1, 2),
        entries=np.array([_entry_json(s) if by_numpy else b"" for s in shards], object),
    )


def decode_shard(place: dict[str, Any], image_shape: tuple[int, int, int]) -> tuple[Any, Any]:
    """The images, uint8 (n, H, W, C), and labels, int64 (n,), of one shard.

    They are decoded by TensorFlow's own operations, in whatever layout and dtype they are stored: a
    wrong length fails in the reshape, a wrong bit in the CRC. Only where a codec of hdf5plugin
    compressed them does `tf.numpy_function` call the NumPy reader.

    Args:
        place: one element of `ShardPlaces.tensors`.
        image_shape: height, width, channels.
    """
    if "entry" in place:
        return _decode_by_numpy(place, image_shape)
    data = tf.io.read_file(place["path"])
    raw = _read_member(data, place, 0)
    # (bytes,) -> (n, H, W, C)
    pixels = tf.cond(
        place["numbers"][0, 3] == 1,
        lambda: tf.cast(tf.round(tf.io.decode_raw(raw, tf.float32) * 255), tf.uint8),
        lambda: tf.io.decode_raw(raw, tf.uint8),
    )
    images = tf.reshape(pixels, tf.stack([place["samples"], *image_shape]))
    images.set_shape((None, *image_shape))
    labels = tf.io.decode_raw(_read_member(data, place, 1), tf.int64)
    return images, tf.reshape(labels, place["samples"][tf.newaxis])


def _read_member(data: Any, place: dict[str, Any], array: int) -> Any:
    """The bytes of one array of a shard, without its .npy header."""
    header, size, stored, _ = tf.unstack(place["numbers"][array])
    streams, trailer = place["streams"][array], place["trailers"][array]
    streams = tf.boolean_mask(streams, streams[:, 1] > 0)  # (num_streams, 2)
    parts = tf.strings.substr(data, streams[:, 0], streams[:, 1])
    raw = tf.case(
        [
            (stored == 1, lambda: parts),
            (tf.strings.length(trailer) == 0, lambda: tf.io.decode_compressed(parts, "ZLIB")),
        ],
        lambda: tf.io.decode_compressed(tf.strings.join([_GZIP_HEADER, parts, trailer]), "GZIP"),
    )
    # the last chunk of an HDF5 file is as long as the others: what is beyond the size is no data
    return tf.strings.substr(tf.strings.reduce_join(raw), header, size - header)


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

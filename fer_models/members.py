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
_ALL = 2**62  # bytes: as many as there are
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

    Streams are raw deflate; those of a shard's images stand before those of its labels.

    Attributes:
        paths: bytes array of shape (num_shards,).
        samples: int64 array of shape (num_shards,), samples of each shard.
        counts: int64 array of shape (num_shards, 2): streams of the images and of the labels.
        spans: int64 array of shape (num_shards, 2, 2): where the data of the images and of the
            labels begins in what their streams hold together, and how long it is, in bytes.
        offsets: int64 array of shape (num_shards, most streams): of each stream in the file.
        sizes: the same of their sizes, in bytes.
        held: the same of the bytes that each holds.
        trailers: bytes array of shape (num_shards, most streams): CRC and size of what each of
            them holds, as gzip ends.
        entries: bytes array of shape (num_shards,): what the index says of each shard, in JSON,
            where only the NumPy reader decodes it; else empty.
        is_float: whether the images are float32.
        is_single: whether every array is one stream, as in an NPZ archive.
    """

    paths: NDArray[np.object_]
    samples: NDArray[np.int64]
    counts: NDArray[np.int64]
    spans: NDArray[np.int64]
    offsets: NDArray[np.int64]
    sizes: NDArray[np.int64]
    held: NDArray[np.int64]
    trailers: NDArray[np.object_]
    entries: NDArray[np.object_]
    is_float: bool
    is_single: bool

    def tensors(self) -> dict[str, Any]:
        """The arrays by name, for `tf.data.Dataset.from_tensor_slices`."""
        if any(self.entries):
            return {"path": self.paths, "entry": self.entries}
        return {
            "path": self.paths,
            "samples": self.samples,
            "counts": self.counts,
            "spans": self.spans,
            "offsets": self.offsets,
            "sizes": self.sizes,
            "held": self.held,
            "trailers": self.trailers,
        }


def locate_shards(shards_dir: Path, shards: Sequence[ShardEntry]) -> ShardPlaces:
    """Where the images and labels of `shards` stand.

    Raises:
        MissingPluginError: a codec compressed one of them that is not installed.
        DamagedShardError: the index names a compression that is not known, or shards of several
            dtypes.
    """
    check_codecs(shards_dir, shards)
    by_numpy = any(shard.codecs for shard in shards)
    found = [[deflate_streams(shard.arrays[name]) for name in _ARRAYS] for shard in shards]
    most = max((sum(map(len, pair)) for pair in found), default=1)
    counts = np.array([[len(parts) for parts in pair] for pair in found], np.int64)
    spans = np.zeros((len(shards), len(_ARRAYS), 2), np.int64)
    offsets, sizes, held = (np.zeros((len(shards), most), np.int64) for _ in range(3))
    trailers = np.full((len(shards), most), b"", object)
    for row, (shard, pair) in enumerate(zip(shards, found, strict=True)):
        for array, (name, parts) in enumerate(zip(_ARRAYS, pair, strict=True)):
            entry = shard.arrays[name]
            if not parts and not by_numpy:
                raise DamagedShardError(
                    f'{shards_dir / shard.file}: {name}: compression "{entry.compression}" is not '
                    "known; run `ferdata pack` again"
                )
            spans[row, array] = entry.header_bytes, entry.raw_bytes - entry.header_bytes
        for column, part in enumerate(pair[0] + pair[1]):
            offsets[row, column], sizes[row, column] = part.offset, part.size
            held[row, column] = part.raw_bytes
            trailers[row, column] = struct.pack("<II", part.crc32, part.raw_bytes)
    dtypes = {shard.arrays["images"].dtype for shard in shards}
    if len(dtypes) > 1:
        raise DamagedShardError(
            f"{shards_dir}: the index gives images the dtypes {', '.join(sorted(dtypes))}; "
            "expected one; run `ferdata pack` again"
        )
    return ShardPlaces(
        paths=np.array([str(shards_dir / s.file).encode() for s in shards], object),
        samples=np.array([shard.num_samples for shard in shards], np.int64),
        counts=counts,
        spans=spans,
        offsets=offsets,
        sizes=sizes,
        held=held,
        trailers=trailers,
        entries=np.array([_entry_json(s) if by_numpy else b"" for s in shards], object),
        is_float=dtypes == {DTYPES["float32"]},
        is_single=bool((counts == 1).all()),
    )


def decode_shard(
    place: dict[str, Any], places: ShardPlaces, image_shape: tuple[int, int, int]
) -> tuple[Any, Any]:
    """The images, uint8 (n, H, W, C), and labels, int64 (n,), of one shard.

    They are decoded by TensorFlow's own operations, in whatever layout and dtype they are stored: a
    wrong length fails in a check, a wrong bit in the CRC; either is an error of TensorFlow, and
    nothing wrong comes out. Only where a codec of hdf5plugin compressed them does
    `tf.numpy_function` call the NumPy reader.

    Args:
        place: one element of `places.tensors()`.
        places: where the shards stand.
        image_shape: height, width, channels.
    """
    if "entry" in place:
        return _decode_by_numpy(place, image_shape)
    streams = tuple(place[name] for name in ("offsets", "sizes", "held", "trailers"))
    spans = tf.unstack(place["spans"])
    if places.is_single:
        raws = tf.unstack(_gunzip(place["path"], *streams))
        pixels, labels = (
            tf.slice(tf.io.decode_raw(raw, tf.uint8), *tf.unstack(span[:, tf.newaxis]))
            for raw, span in zip(raws, spans, strict=True)
        )
    else:
        num_images, num_labels = tf.unstack(place["counts"])
        num_streams = num_images + num_labels
        raws = _gunzip(place["path"], *(values[:num_streams] for values in streams))
        pixels = _chunk_bytes(raws[:num_images], place["held"][0], spans[0])
        labels = _chunk_bytes(raws[num_images:], place["held"][num_images], spans[1])
    if places.is_float:
        floats = tf.bitcast(tf.reshape(pixels, (-1, 4)), tf.float32)
        pixels = tf.cast(tf.round(floats * 255), tf.uint8)
    # (bytes,) -> (n, H, W, C)
    images = tf.reshape(pixels, tf.stack([place["samples"], *image_shape]))
    images.set_shape((None, *image_shape))
    # (bytes,) -> (n, 8) -> (n,)
    return images, tf.bitcast(tf.reshape(labels, tf.stack([place["samples"], 8])), tf.int64)


def _gunzip(path: Any, offsets: Any, sizes: Any, held: Any, trailers: Any) -> Any:
    """What each raw deflate stream of a file holds, checked by its CRC, and `_WITNESS_TEXT`.

    Each operation here and around it takes time to prepare anew in every epoch: hence few of them,
    and no `tf.debugging.Assert` or `tf.cond`, whose branches take longest.
    """
    deflated = _cut_out(tf.io.read_file(path), offsets, sizes)
    raws = tf.io.decode_compressed(
        tf.strings.join([_GZIP_HEADER, deflated, trailers, _WITNESS]), "GZIP"
    )
    # all that is behind what it should hold: so its length is checked as well
    rests = _cut_out(raws, held, tf.fill(tf.shape(held), _ALL))
    check = tf.raw_ops.Assert(
        condition=tf.reduce_all(rests == _WITNESS_TEXT), data=["not what the index says"]
    )
    with tf.control_dependencies([check]):
        return tf.identity(raws)


def _chunk_bytes(raws: Any, held: Any, span: Any) -> Any:
    """The data of one array, uint8 of shape (bytes,), from what its chunks hold."""
    # (chunks,) of held + witness -> (chunks, held)
    rows = tf.io.decode_raw(raws, tf.uint8, fixed_length=tf.cast(held, tf.int32))
    # the last chunk of an HDF5 file is as long as the others: not all of it is data
    return tf.slice(tf.reshape(rows, (-1,)), *tf.unstack(span[:, tf.newaxis]))


def _cut_out(data: Any, starts: Any, sizes: Any) -> Any:
    """As `tf.strings.substr`; beyond the end of a truncated file there is nothing.

    TensorFlow's own complaint would quote the bytes, which Python cannot decode as text.
    """
    starts = tf.minimum(starts, tf.cast(tf.strings.length(data), tf.int64))
    return tf.strings.substr(data, starts, sizes)


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

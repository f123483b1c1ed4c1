"""TFRecord files of `tf.train.Example`, written without TensorFlow.

A file is records, one behind the other: the length (8 bytes), its masked CRC-32C, the data, and the
data's masked CRC-32C, all little-endian. The data is a protocol buffer of few parts:

    Example   { 1: Features }
    Features  { 1: map entry { 1: name, 2: Feature }, … }
    Feature   { 1: BytesList | 2: FloatList | 3: Int64List }      each { 1: values }

Features by the names that TF-Slim's data sets use: image/encoded, image/format, image/height,
image/width, image/channels, image/class/label, image/class/text; and key, parent, and votes
where there are any.
Sources: TensorFlow, `tensorflow/core/lib/io/record_writer.h`, `tensorflow/core/example/*.proto`;
https://protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from fer_data.export.crc32c import masked_crc32c
from fer_data.export.files import numbered_files
from fer_data.export.png import encode_pngs
from fer_data.export.source import ExportSource
from fer_data.shards.samples import Samples

Value = bytes | int | Sequence[float]


def write_tfrecord(source: ExportSource, folder: Path) -> None:
    """Fills `folder` with TFRecord files of as many samples as the shards have.

    Raises:
        DamagedShardError: a shard is not what the index says.
        OSError: the disk is full or the folder cannot be written.
    """
    for split in source.splits:
        for path, batches in numbered_files(source, split, folder, ".tfrecord"):
            with path.open("wb") as file:
                for batch in batches:
                    for example in _examples(batch, source.index.class_names):
                        file.write(encode_record(encode_example(example)))


def _examples(batch: Samples, class_names: Sequence[str]) -> Iterator[Mapping[str, Value]]:
    height, width, channels = batch.images.shape[1:]
    votes = batch.votes.tolist() if batch.votes is not None else None
    keys, parents = batch.keys.tolist(), batch.parents.tolist()
    for row, data in enumerate(encode_pngs(batch.images)):
        label = int(batch.labels[row])
        example: dict[str, Value] = {
            "image/channels": channels,
            "image/class/label": label,
            "image/class/text": class_names[label].encode(),
            "image/encoded": data,
            "image/format": b"png",
            "image/height": height,
            "image/width": width,
            "key": keys[row].encode(),
            "parent": parents[row].encode(),
        }
        if votes is not None:
            example["votes"] = votes[row]
        yield example


def encode_record(data: bytes) -> bytes:
    """A record of a TFRecord file."""
    length = struct.pack("<Q", len(data))
    crcs = (struct.pack("<L", masked_crc32c(part)) for part in (length, data))
    return b"".join((length, next(crcs), data, next(crcs)))


def encode_example(features: Mapping[str, Value]) -> bytes:
    """A `tf.train.Example`: texts, whole numbers, or lists of floats; by name, in this order.

    Example:
        >>> encode_example({"a": 1}).hex()
        '0a0c0a0a0a016112051a030a0101'
    """
    entries = (
        _field(1, _field(1, name.encode()) + _field(2, _feature(value)))
        for name, value in features.items()
    )
    return _field(1, b"".join(entries))


def _feature(value: Value) -> bytes:
    if isinstance(value, bytes):
        return _field(1, _field(1, value))
    if isinstance(value, int):
        return _field(3, _field(1, _varint(value)))
    return _field(2, _field(1, struct.pack(f"<{len(value)}f", *value)))


def _field(number: int, data: bytes) -> bytes:
    """A field of a message with its length: a text, a message, or packed numbers."""
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    """A number of 0 or more, seven bits a byte, lowest first; all but the last have the top bit."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*out, value))

"""What `bench_stream.py` measures of TensorFlow's own ways to read.

`from_generator` has processes of its own: it makes the whole process give memory back to the system
at once (mallopt of M_TRIM_THRESHOLD), and everything that needs much of it is slower from then on.
"""

from __future__ import annotations

import contextlib
import multiprocessing
from collections.abc import Callable, Iterator
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import tensorflow as tf

from fer_data.export.shards import ExportSettings, export_shards
from fer_data.export.tfrecord import encode_example, encode_record
from fer_data.shards.samples import Samples

BATCH, BUFFER = 128, 10_000  # samples of a batch, and of a shuffle buffer
SHAPE, PIXEL = (48, 48, 1), (24, 24, 0)
FEW = 2_000  # samples of a way that is too slow for all of them
CEILING, RECORDS = "tensors in memory", "TFRecord, raw pixels"
GENERATOR, ONE_BY_ONE = "NPZ, from_generator, whole shards", "HDF5, h5py, one image at a time"
SAMPLES = "NPZ, from_generator, sample by sample"

Sums = tuple[int, int, int]  # samples, labels, one pixel of each
Way = Callable[[int], Sums]


def tf_ways(samples: Samples, shards_dir: Path, work_dir: Path) -> dict[str, Way]:
    """Ways to read an epoch of `samples`, by name.

    Args:
        samples: what all ways give.
        shards_dir: of the same in NPZ shards.
        work_dir: where other files go.
    """
    with tf.device("CPU:0"):
        tensors = tf.convert_to_tensor(samples.images), tf.convert_to_tensor(samples.labels)
    (work_dir / "records").mkdir()
    for number, start in enumerate(range(0, len(samples), 2048)):
        rows = zip(samples.images[start:][:2048], samples.labels[start:][:2048], strict=True)
        examples = (encode_example({"image": x.tobytes(), "label": int(y)}) for x, y in rows)
        path = work_dir / "records" / f"{number:05d}.tfrecord"
        path.write_bytes(b"".join(encode_record(each) for each in examples))
    export_shards(shards_dir, work_dir / "exported", ExportSettings(format="tfrecord"))
    with h5py.File(work_dir / "plain.h5", "w") as file:
        # chunks that h5py chooses itself cut every picture into pieces: 100 times as slow
        chunks = (64, *SHAPE)
        file.create_dataset("images", data=samples.images, chunks=chunks, compression="gzip")
        file["labels"] = samples.labels
    return {
        CEILING: _shuffled(tf.data.Dataset.from_tensor_slices(tensors)),
        RECORDS: _records(work_dir / "records", _raw_pixels),
        "TFRecord, as ferdata exports it (PNG)": _records(work_dir / "exported", _png_pixels),
        GENERATOR: _apart(GENERATOR, shards_dir),
        SAMPLES: _apart(SAMPLES, shards_dir),
        ONE_BY_ONE: _apart(ONE_BY_ONE, work_dir / "plain.h5"),
    }


def consume(batches: Any) -> Sums:
    """Draws all batches inside TensorFlow: no Python a batch."""
    samples, labels, pixels = _reduce(batches)
    return int(samples), int(labels), int(pixels)


@tf.function
def _reduce(batches: Any) -> Any:
    def add(sums: Any, batch: Any) -> Any:
        images, labels = batch
        pixels = tf.reduce_sum(tf.cast(images[:, *PIXEL], tf.int64))
        return (
            sums[0] + tf.size(labels, tf.int64),
            sums[1] + tf.reduce_sum(labels),
            (sums[2] + pixels),
        )

    zero = tf.constant(0, tf.int64)
    return batches.reduce((zero, zero, zero), add)


def _shuffled(elements: Any) -> Way:
    batches = elements.shuffle(BUFFER).batch(BATCH).prefetch(tf.data.AUTOTUNE)
    return lambda _: consume(batches)


def _records(folder: Path, decode: Callable[[Any], tuple[Any, Any]]) -> Way:
    paths = sorted(str(path) for path in folder.glob("*.tfrecord"))
    auto = tf.data.AUTOTUNE
    files = tf.data.Dataset.from_tensor_slices(paths).shuffle(len(paths))
    records = files.interleave(tf.data.TFRecordDataset, num_parallel_calls=auto)
    batches = records.shuffle(BUFFER).batch(BATCH).map(decode, num_parallel_calls=auto)
    return lambda _: consume(batches.prefetch(auto))


def _raw_pixels(data: Any) -> tuple[Any, Any]:
    found = _parse(data, "image", "label")
    images = tf.io.decode_raw(found["image"], tf.uint8)
    return tf.reshape(images, (-1, *SHAPE)), found["label"]


def _png_pixels(data: Any) -> tuple[Any, Any]:
    found = _parse(data, "image/encoded", "image/class/label")
    decode = partial(tf.io.decode_png, channels=1)
    images = tf.map_fn(decode, found["image/encoded"], fn_output_signature=tf.uint8)
    return tf.ensure_shape(images, (None, *SHAPE)), found["image/class/label"]


def _parse(data: Any, image: str, label: str) -> dict[str, Any]:
    kinds = {image: tf.io.FixedLenFeature([], tf.string), label: tf.io.FixedLenFeature([], "int64")}
    found: dict[str, Any] = tf.io.parse_example(data, kinds)
    return found


def _apart(name: str, path: Path) -> Way:
    """A way of `from_generator`, in a process of its own that lives as long as this one."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    spawn.Process(target=_answer, args=(theirs, name, path), daemon=True).start()

    def run(epoch: int) -> Sums:
        ours.send(epoch)
        sums: Sums = ours.recv()
        return sums

    return run


def _answer(asked: Connection, name: str, path: Path) -> None:
    """Sends the sums of an epoch for each that is asked for."""
    if name == GENERATOR:
        way = _shuffled(_generated(partial(_npz_shards, path), (None,)).unbatch())
    else:
        generate = _npz_samples if name == SAMPLES else _hdf5_samples
        way = _shuffled(_generated(partial(generate, path)))
    with contextlib.suppress(EOFError):  # when nobody is left to ask
        while True:
            asked.send(way(asked.recv()))


def _generated(generate: Callable[[], Iterator[Any]], rows: tuple[None, ...] = ()) -> Any:
    signature = tf.TensorSpec((*rows, *SHAPE), tf.uint8), tf.TensorSpec(rows, tf.int64)
    return tf.data.Dataset.from_generator(generate, output_signature=signature)


def _npz_shards(folder: Path) -> Iterator[tuple[Any, Any]]:
    for path in np.random.default_rng().permutation(sorted(folder.glob("*.npz"))):
        with np.load(path, allow_pickle=False) as shard:
            yield shard["images"], shard["labels"]


def _npz_samples(folder: Path) -> Iterator[tuple[Any, Any]]:
    for images, labels in _npz_shards(folder):
        yield from zip(images, labels, strict=True)


def _hdf5_samples(path: Path) -> Iterator[tuple[Any, Any]]:
    with h5py.File(path) as file:
        images, labels = file["images"], file["labels"]
        for row in np.random.default_rng().permutation(FEW):
            yield images[row], labels[row]

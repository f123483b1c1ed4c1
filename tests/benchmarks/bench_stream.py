"""Speed of one epoch of shuffled batches: ferkit's stream against what others read the same from.

    python tests/benchmarks/bench_stream.py [FER2013.zip]

28,709 pictures of 48x48 in shards of 2,048, batches of 128, into a consumer that only adds up
labels and one pixel a picture, and so shows that every way gave every sample. CPU seconds are those
of all threads and worker processes. A peer with a shuffle buffer has one of 10,000. All ways take
turns, after one round that counts for nothing: so a slow minute hits all alike, and what is kept in
memory is. Rates are medians of the rounds, ratios medians of the ratios within a round.

WebDataset and MosaicML Streaming are measured where they and PyTorch are installed; ferkit needs
none of them. Their loaders run without worker processes and with two.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

if __name__ == "__main__":  # not in the worker processes of the peers
    import tensorflow as tf

    from fer_data.export.shards import ExportSettings, export_shards
    from fer_data.export.tfrecord import encode_example, encode_record
    from fer_data.shards.samples import Samples
    from fer_models.stream import ShardStream, StreamSettings
    from tests.benchmarks.made_data import machine, pack_samples, repack, training_samples
    from tests.benchmarks.torch_ways import torch_ways

ROUNDS = 7
BATCH, BUFFER = 128, 10_000
SHAPE = (48, 48, 1)
PIXEL = (24, 24, 0)
FEW = 2_000  # samples of a way that is too slow for all of them
CEILING, RECORDS = "tensors in memory", "TFRecord, raw pixels"
GENERATOR, ONE_BY_ONE = "NPZ, from_generator, whole shards", "HDF5, h5py, one image at a time"
CACHED = "ferkit, in memory"
UNCACHED, HDF5 = "ferkit, NPZ", "ferkit, HDF5"

Sums = tuple[int, int, int]  # samples, labels, one pixel of each
Way = Callable[[int], Sums]


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        samples = training_samples(Path(sys.argv[1]) if sys.argv[1:] else None, folder)
        ways = {**memory_ways(samples), **our_ways(samples, folder), **file_ways(samples, folder)}
        ways |= torch_ways(folder / "npz-fast", folder, BATCH, BUFFER, PIXEL)
        print(f"{len(samples):,} samples of 48x48x1, batches of {BATCH}; {machine()}")
        report(*measure(ways, samples))


def measure(
    ways: dict[str, Way], samples: Samples
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Images a second and CPU seconds a million images of each way in each round."""
    rates: dict[str, list[float]] = {way: [] for way in ways}
    costs: dict[str, list[float]] = {way: [] for way in ways}
    for epoch in range(1 + ROUNDS):
        for way, run in ways.items():
            gc.collect()
            cpu, start = cpu_seconds(), time.perf_counter()
            sums = run(epoch)
            seconds, cpu = time.perf_counter() - start, cpu_seconds() - cpu
            num_samples = FEW if way == ONE_BY_ONE else len(samples)
            expected = sums_of(samples.images[:num_samples], samples.labels[:num_samples])
            if sums != expected:
                raise SystemExit(f"{way}: gave {sums}, expected {expected}")
            if epoch:
                rates[way].append(num_samples / seconds)
                costs[way].append(cpu / num_samples * 1e6)
    return rates, costs


def report(rates: dict[str, list[float]], costs: dict[str, list[float]]) -> None:
    def ratio(way: str, peer: str) -> float:
        pairs = zip(rates[way], rates[peer], strict=True)
        return statistics.median(ours / theirs for ours, theirs in pairs)

    print(f"{'way':44}{'images/s':>10}{'CPU s/M':>9}{'of ceiling':>12}   medians of {ROUNDS}")
    for way, found in rates.items():
        rate, cost = statistics.median(found), statistics.median(costs[way])
        print(f"  {way:42}{rate:10,.0f}{cost:9.1f}{ratio(way, CEILING):11.2f}x")
    print(f"  targets: {CACHED} >= 0.95x {CEILING} ({ratio(CACHED, CEILING):.2f}x)")
    for peer, target in ((RECORDS, 1.3), (GENERATOR, 1.8)):
        print(f"  {UNCACHED} >= {target}x {peer} ({ratio(UNCACHED, peer):.2f}x)")
    others = [way for way in rates if not way.startswith((CEILING, CACHED, UNCACHED, HDF5))]
    print(f"  {UNCACHED} is " + ", ".join(f"{ratio(UNCACHED, way):.1f}x {way}" for way in others))


def memory_ways(samples: Samples) -> dict[str, Way]:
    with tf.device("CPU:0"):
        tensors = tf.convert_to_tensor(samples.images), tf.convert_to_tensor(samples.labels)
    return {CEILING: shuffled_way(tf.data.Dataset.from_tensor_slices(tensors))}


def our_ways(samples: Samples, folder: Path) -> dict[str, Way]:
    indexes = {"npz-fast": pack_samples(samples, folder / "npz-fast")}
    for container, compression in (("npz", "none"), ("hdf5", "fast"), ("hdf5", "none")):
        name = f"{container}-{compression}"
        indexes[name] = repack(folder / "npz-fast", folder / name, container, compression)

    def way(name: str, cache_bytes: int) -> Way:
        settings = StreamSettings(batch_size=BATCH, cache_bytes=cache_bytes)
        stream = ShardStream(folder / name, indexes[name], "train", settings)
        return lambda epoch: consume(stream.shuffled(epoch))

    return {
        CACHED: way("npz-fast", 2**31),
        UNCACHED: way("npz-fast", 0),
        f"{UNCACHED}, --compression none": way("npz-none", 0),
        HDF5: way("hdf5-fast", 0),
        f"{HDF5}, --compression none": way("hdf5-none", 0),
    }


def file_ways(samples: Samples, folder: Path) -> dict[str, Way]:
    """The ways of TensorFlow and h5py users."""
    npz = folder / "npz-fast"
    (folder / "records").mkdir()
    for number, start in enumerate(range(0, len(samples), 2048)):
        rows = zip(samples.images[start:][:2048], samples.labels[start:][:2048], strict=True)
        examples = (encode_example({"image": x.tobytes(), "label": int(y)}) for x, y in rows)
        path = folder / "records" / f"{number:05d}.tfrecord"
        path.write_bytes(b"".join(encode_record(each) for each in examples))
    export_shards(npz, folder / "exported", ExportSettings(format="tfrecord"))
    with h5py.File(folder / "plain.h5", "w") as file:
        # chunks that h5py chooses itself cut every picture into pieces: 100 times as slow
        chunks = (64, *SHAPE)
        file.create_dataset("images", data=samples.images, chunks=chunks, compression="gzip")
        file["labels"] = samples.labels

    def raw_pixels(data: Any) -> tuple[Any, Any]:
        found = parse(data, "image", "label")
        images = tf.io.decode_raw(found["image"], tf.uint8)
        return tf.reshape(images, (-1, *SHAPE)), found["label"]

    def png_pixels(data: Any) -> tuple[Any, Any]:
        found = parse(data, "image/encoded", "image/class/label")
        decode = partial(tf.io.decode_png, channels=1)
        images = tf.map_fn(decode, found["image/encoded"], fn_output_signature=tf.uint8)
        return tf.ensure_shape(images, (None, *SHAPE)), found["image/class/label"]

    return {
        RECORDS: records_way(folder / "records", raw_pixels),
        "TFRecord, as ferdata exports it (PNG)": records_way(folder / "exported", png_pixels),
        GENERATOR: shuffled_way(generated(partial(npz_shards, npz), (None,)).unbatch()),
        "NPZ, from_generator, sample by sample": shuffled_way(generated(partial(npz_samples, npz))),
        ONE_BY_ONE: shuffled_way(generated(partial(hdf5_samples, folder / "plain.h5"))),
    }


def parse(data: Any, image: str, label: str) -> dict[str, Any]:
    kinds = {image: tf.io.FixedLenFeature([], tf.string), label: tf.io.FixedLenFeature([], "int64")}
    found: dict[str, Any] = tf.io.parse_example(data, kinds)
    return found


def records_way(folder: Path, decode: Callable[[Any], tuple[Any, Any]]) -> Way:
    paths = sorted(str(path) for path in folder.glob("*.tfrecord"))
    auto = tf.data.AUTOTUNE
    files = tf.data.Dataset.from_tensor_slices(paths).shuffle(len(paths))
    records = files.interleave(tf.data.TFRecordDataset, num_parallel_calls=auto)
    batches = records.shuffle(BUFFER).batch(BATCH).map(decode, num_parallel_calls=auto)
    return lambda _: consume(batches.prefetch(auto))


def generated(generate: Callable[[], Iterator[Any]], rows: tuple[None, ...] = ()) -> Any:
    signature = tf.TensorSpec((*rows, *SHAPE), tf.uint8), tf.TensorSpec(rows, tf.int64)
    return tf.data.Dataset.from_generator(generate, output_signature=signature)


def shuffled_way(elements: Any) -> Way:
    batches = elements.shuffle(BUFFER).batch(BATCH).prefetch(tf.data.AUTOTUNE)
    return lambda _: consume(batches)


def npz_shards(folder: Path) -> Iterator[tuple[Any, Any]]:
    for path in np.random.default_rng().permutation(sorted(folder.glob("*.npz"))):
        with np.load(path, allow_pickle=False) as shard:
            yield shard["images"], shard["labels"]


def npz_samples(folder: Path) -> Iterator[tuple[Any, Any]]:
    for images, labels in npz_shards(folder):
        yield from zip(images, labels, strict=True)


def hdf5_samples(path: Path) -> Iterator[tuple[Any, Any]]:
    with h5py.File(path) as file:
        images, labels = file["images"], file["labels"]
        for row in np.random.default_rng().permutation(FEW):
            yield images[row], labels[row]


def consume(batches: Any) -> Sums:
    """Draws all batches inside TensorFlow: no Python a batch."""
    samples, labels, pixels = _reduce(batches)
    return int(samples), int(labels), int(pixels)


def sums_of(images: Any, labels: Any) -> Sums:
    return len(labels), int(labels.sum()), int(images[:, *PIXEL].astype(np.int64).sum())


def cpu_seconds() -> float:
    """Of this process and its workers, those that live and those that have ended."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    seconds = sum(usage.ru_utime + usage.ru_stime for usage in usages)
    for child in multiprocessing.active_children():
        stat = Path(f"/proc/{child.pid}/stat")
        if stat.exists():
            user, system = stat.read_text(encoding="utf-8").rpartition(")")[2].split()[11:13]
            seconds += (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
    return seconds


if __name__ == "__main__":

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

    main()

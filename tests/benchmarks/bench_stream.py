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
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

if __name__ == "__main__":  # not in the worker processes of the peers
    from fer_data.shards.samples import Samples
    from fer_models.stream import ShardStream, StreamSettings
    from tests.benchmarks.made_data import machine, pack_samples, repack, training_samples
    from tests.benchmarks.tf_ways import (
        BATCH,
        BUFFER,
        CEILING,
        FEW,
        GENERATOR,
        ONE_BY_ONE,
        PIXEL,
        RECORDS,
        Sums,
        Way,
        consume,
        tf_ways,
    )  # fmt: skip
    from tests.benchmarks.torch_ways import torch_ways

ROUNDS, FEW_ROUNDS = 15, 5
SLOW = 1.0  # seconds: ways that take longer have few rounds
CACHED = "ferkit, in memory"
UNCACHED, HDF5 = "ferkit, NPZ", "ferkit, HDF5"


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        samples = training_samples(Path(sys.argv[1]) if sys.argv[1:] else None, folder)
        ours, npz = our_ways(samples, folder), folder / "npz-fast"
        peers = tf_ways(samples, npz, folder) | torch_ways(npz, folder, BATCH, BUFFER, PIXEL)
        ways = {CEILING: peers.pop(CEILING), **ours, **peers}
        print(f"{len(samples):,} samples of 48x48x1, batches of {BATCH}; {machine()}")
        report(*measure(ways, samples))


def measure(
    ways: dict[str, Way], samples: Samples
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Images a second and CPU seconds a million images of each way in each round."""
    rates: dict[str, list[float]] = {way: [] for way in ways}
    costs: dict[str, list[float]] = {way: [] for way in ways}
    slow = set()
    for epoch in range(1 + ROUNDS):
        for way, run in ways.items():
            if way in slow and epoch > FEW_ROUNDS:
                continue
            gc.collect()
            cpu, start = cpu_seconds(), time.perf_counter()
            sums = run(epoch)
            seconds, cpu = time.perf_counter() - start, cpu_seconds() - cpu
            num_samples = FEW if way == ONE_BY_ONE else len(samples)
            expected = sums_of(samples.images[:num_samples], samples.labels[:num_samples])
            if sums != expected:
                raise SystemExit(f"{way}: gave {sums}, expected {expected}")
            if seconds > SLOW:
                slow.add(way)
            if epoch:
                rates[way].append(num_samples / seconds)
                costs[way].append(cpu / num_samples * 1e6)
    return rates, costs


def report(rates: dict[str, list[float]], costs: dict[str, list[float]]) -> None:
    def ratio(way: str, peer: str) -> float:
        pairs = zip(rates[way], rates[peer], strict=False)  # slow ways have fewer rounds
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
    main()

"""The data that the benchmarks of reading share: FER2013's training samples, or noise of its size.

Noise of this spread deflates about as FER2013's photos do (to 0.96 of their size, theirs to 0.98),
and takes as long to inflate: both are nearly all literals.
"""

from __future__ import annotations

import dataclasses
import os
import platform
from pathlib import Path

import numpy as np

from fer_data.ingest import IngestSettings, ingest
from fer_data.pack_shard import CONTAINERS
from fer_data.shards.index import INDEX_NAME, ShardEntry, ShardIndex, read_index
from fer_data.shards.reader import read_shard
from fer_data.shards.samples import Samples
from tests.made_shards import NAMES, make_samples, make_shards

NUM_SAMPLES = 28_709
SHARD_SAMPLES = 2_048


def training_samples(source: Path | None, work_dir: Path) -> Samples:
    """FER2013's training samples where its archive is given, else noise; in a random order."""
    rng = np.random.default_rng(0)
    if source is None:
        images = rng.normal(128, 50, (NUM_SAMPLES, 48, 48, 1)).clip(0, 255).astype(np.uint8)
        labels = rng.integers(0, len(NAMES), NUM_SAMPLES)
        names = [f"noise/train/{number:05d}.png" for number in range(NUM_SAMPLES)]
        return make_samples(images, labels.tolist(), names)
    dataset, _ = ingest(source, work_dir / "dataset", IngestSettings())
    table = dataset.samples()
    images = np.concatenate([dataset.pixels(block) for block in range(dataset.num_blocks)])
    rows = np.flatnonzero(np.array(table["split"].to_pylist()) == "train")
    rng.shuffle(rows)
    labels = np.array([dataset.class_names.index(name) for name in table["label"].to_pylist()])
    keys = np.array(table["key"].to_pylist())
    return make_samples(images[rows], labels[rows].tolist(), keys[rows].tolist())


def pack_samples(samples: Samples, shards_dir: Path) -> ShardIndex:
    """NPZ shards of the samples as `ferdata pack` writes them."""
    return make_shards(shards_dir, {"train": samples}, shard_samples=SHARD_SAMPLES, name="bench")


def repack(shards_dir: Path, out_dir: Path, container: str, compression: str) -> ShardIndex:
    """The same shards in another container, or compressed in another way."""
    out_dir.mkdir()
    index = read_index(shards_dir)
    shards = []
    for shard in index.shards:
        samples = read_shard(shards_dir, index, shard)
        fields = {name: getattr(samples, name) for name in shard.arrays}
        encoded = CONTAINERS[container].encode(fields, compression)
        file = f"{Path(shard.file).stem}.{CONTAINERS[container].suffix}"
        (out_dir / file).write_bytes(encoded.data)
        shards.append(
            ShardEntry(
                file=file,
                split=shard.split,
                num_samples=shard.num_samples,
                bytes=len(encoded.data),
                sha256=encoded.sha256,
                arrays=encoded.arrays,
            )
        )
    index = dataclasses.replace(index, container=container, shards=tuple(shards))
    (out_dir / INDEX_NAME).write_text(index.to_json(), encoding="utf-8")
    return index


def machine() -> str:
    """What the benchmark runs on: the processor and how many cores may be used."""
    model = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        model = next((x.split(":", 1)[1].strip() for x in lines if x[:10] == "model name"), model)
    return f"{model}, {len(os.sched_getaffinity(0))} cores, load {os.getloadavg()[0]:.1f}"

"""Duplicates: speed against the kernels and against brute force, and growth.

    python tests/benchmarks/bench_duplicates.py [FER2013.zip] [--largest 1000000]

Two tables. The stage on FER2013, or without its path on as many generated pictures. Growth on
generated pictures from 10,000 to the largest: drawn faces' principal components with enough else
mixed in that chance look-alikes are as many as in FER2013 (about 160 in 30,000), a tenth of them
copies or near-copies. What is found: bench_dirt.py.
"""

from __future__ import annotations

import argparse
import hashlib
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa

sys.path.insert(0, str(Path(__file__).parents[2]))

from fer_data.dataset import SAMPLES_SCHEMA, Dataset, DatasetInfo, SourceRecord
from fer_data.duplicates import DuplicateSettings, find_duplicates
from fer_data.executors import default_workers
from fer_data.image import ImageSettings
from fer_data.ingest import IngestSettings, ingest
from fer_data.luma import gray_levels
from fer_data.near_pairs import find_near_pairs
from fer_data.perceptual_hash import NUM_WINDOWS, PictureHashes, hash_pictures
from fer_data.synth import SynthSettings, draw_face
from fer_data.tables import write_table

BLOCK = 2_048
FER2013_SAMPLES = 32_298


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("fer2013", nargs="?", type=Path)
    parser.add_argument("--largest", type=int, default=100_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if asked.fer2013 is not None:
            dataset, _ = ingest(asked.fer2013, folder / "fer2013", IngestSettings())
        else:
            dataset = next(generated_sets(folder / "like-fer2013", [FER2013_SAMPLES]))
        compare_with_kernels(dataset)
        measure_growth(folder / "growth", asked.largest)


def compare_with_kernels(dataset: Dataset) -> None:
    workers = default_workers()
    counts = find_duplicates(dataset, workers=1).stage("duplicates").counts
    stage = best_of(3, lambda: find_duplicates(dataset, workers=1))
    side_by_side = best_of(2, lambda: find_duplicates(dataset, workers=workers))
    gray = [gray_levels(np.asarray(dataset.pixels(n))) for n in range(dataset.num_blocks)]
    hashing = best_of(3, lambda: [hash_pictures(block) for block in gray])
    parts = [hash_pictures(block) for block in gray]
    hashed = PictureHashes(
        hashes=np.concatenate([part.hashes for part in parts]),
        contrast=np.concatenate([part.contrast for part in parts]),
    )
    search = best_of(2, lambda: search_alone(hashed))
    brute = best_of(1, lambda: brute_force(hashed.hashes[:, 0]))
    each = 2 * NUM_WINDOWS**2 * brute
    print(f"{counts['samples']:,} samples: {dict(counts)}")
    print(f"  hash kernel alone          {hashing:8.2f} s")
    print(f"  search alone               {search:8.2f} s")
    print(f"  each with each, one window {brute:8.2f} s; all of them {each:,.0f} s")
    print(f"  whole stage, 1 thread      {stage:8.2f} s, {stage / (hashing + search):.1f}x of both")
    print(f"  whole stage, {workers} threads     {side_by_side:8.2f} s; target < 2 s")


def search_alone(hashed: PictureHashes) -> None:
    def nothing(one: np.ndarray, other: np.ndarray, mirrored: np.ndarray) -> np.ndarray:
        return np.full(len(one), np.nan, np.float32)

    find_near_pairs(hashed, nothing, DuplicateSettings(crowd=10**6), workers=1)


def brute_force(hashes: np.ndarray) -> int:
    """Pairs within the distance, each compared with each."""
    return sum(
        int((np.bitwise_count(hashes[n : n + 256, None] ^ hashes[None, n:]) <= 3).sum())
        for n in range(0, len(hashes), 256)
    )


def measure_growth(folder: Path, largest: int) -> None:
    sizes = [n for n in (10_000, 31_623, 100_000, 316_228, 1_000_000) if n <= largest]
    print("\ngrowth, generated pictures, default number of threads")
    seconds, work = [], []
    for dataset in generated_sets(folder, sizes):
        start, used = time.perf_counter(), time.process_time()
        counts = find_duplicates(dataset).stage("duplicates").counts
        seconds.append(time.perf_counter() - start)
        work.append(time.process_time() - used)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"  {counts['samples']:9,} samples {seconds[-1]:7.2f} s, {work[-1]:7.2f} s of work, "
              f"peak {peak:4.0f} MiB  {counts['compared']:,} compared, "
              f"{counts['redundant']:,} redundant, {counts['near']:,} near, "
              f"{counts['mirrored']:,} mirrored, {counts['crowded']:,} crowded")  # fmt: skip
    if len(sizes) > 1:
        slopes = [np.polyfit(np.log(sizes), np.log(times), 1)[0] for times in (seconds, work)]
        print(f"  growth exponent {slopes[0]:.2f} (of work {slopes[1]:.2f}); target <= 1.1")


def generated_sets(folder: Path, sizes: list[int]) -> Iterator[Dataset]:
    """Data sets of these sizes, each the beginning of the next; blocks are written as needed."""
    (folder / "pixels").mkdir(parents=True)
    (folder / "samples").mkdir()
    make = picture_maker()
    written = 0
    for size in sizes:
        num_blocks = -(-size // BLOCK)
        image = ImageSettings()
        source = SourceRecord(
            name="made", kind="folder", manifest="folders",
            num_files=size, first_block=0, num_blocks=num_blocks,
        )  # fmt: skip
        dataset = Dataset(folder, DatasetInfo(image=image, sources=(source,)))
        for block in range(written, num_blocks):
            write_block(dataset, block, make(block))
        written = num_blocks
        yield dataset.publish("ingest", None, settings={}, counts={}, inputs=[], digest=str(size))


def picture_maker() -> Callable[[int], np.ndarray]:
    faces = np.stack([draw_face(SynthSettings(seed=3), n).image[..., 0] for n in range(1_000)])
    flat = faces.reshape(len(faces), -1).astype(np.float32)
    mean = flat.mean(axis=0)
    values, vectors = np.linalg.eigh((flat - mean).T @ (flat - mean) / len(flat))
    components = (vectors[:, -100:] * np.sqrt(values[-100:])).T.astype(np.float32)
    waves = [cv2.resize(row[None], (48, 1), interpolation=cv2.INTER_CUBIC)[0]
             for row in np.eye(8, dtype=np.float32)]  # fmt: skip
    clouds = 18 * np.kron(np.array(waves), np.array(waves)).astype(np.float32)

    def make(block: int) -> np.ndarray:
        rng = np.random.default_rng((7, block))
        made = mean + rng.standard_normal((BLOCK, 100), dtype=np.float32) @ components
        made += rng.standard_normal((BLOCK, 64), dtype=np.float32) @ clouds
        made += 5 * rng.standard_normal(made.shape, dtype=np.float32)
        made = made.reshape(BLOCK, 48, 48)
        # the last tenth repeats the first: exact, brighter, shifted, in a mirror
        part = BLOCK // 40
        copies, kinds = made[: 4 * part].copy(), [slice(n * part, (n + 1) * part) for n in range(4)]
        copies[kinds[1]] = 0.9 * copies[kinds[1]] + 18
        copies[kinds[2], 1:] = copies[kinds[2], :-1]
        copies[kinds[3]] = copies[kinds[3], :, ::-1]
        made[-len(copies) :] = copies
        return np.asarray(np.clip(np.rint(made), 0, 255)[..., None], dtype=np.uint8)

    return make


def write_block(dataset: Dataset, block: int, pixels: np.ndarray) -> None:
    np.save(dataset.block_path("pixels", block), pixels)
    keys = [f"made/{block:05d}-{row:04d}.png" for row in range(len(pixels))]
    digests = [hashlib.sha256(picture.tobytes()).digest() for picture in pixels]
    columns = {name: pa.nulls(len(pixels), kind) for name, kind in
               zip(SAMPLES_SCHEMA.names, SAMPLES_SCHEMA.types, strict=True)}  # fmt: skip
    columns |= {"key": pa.array(keys), "pixel_sha256": pa.array(digests, pa.binary(32))}
    write_table(dataset.block_path("samples", block), pa.table(columns, schema=SAMPLES_SCHEMA))


def best_of(rounds: int, way: Callable[[], object]) -> float:
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        way()
        times.append(time.perf_counter() - start)
    return min(times)


if __name__ == "__main__":
    main()

"""Duplicates: speed against the kernels and against brute force, growth, and what is found.

    python tests/benchmarks/bench_duplicates.py [FER2013.zip] [--largest 1000000]

Three tables. The stage on FER2013, or without its path on as many generated pictures. Growth on
generated pictures from 10,000 to the largest: drawn faces' principal components with enough else
mixed in that chance look-alikes are as many as in FER2013 (about 160 in 30,000), a tenth of them
copies or near-copies. And precision and recall on a drawn set with 10 % dirt of every kind.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

sys.path.insert(0, str(Path(__file__).parents[2]))

from fer_data.dataset import SAMPLES_SCHEMA, Dataset, DatasetInfo, SourceRecord
from fer_data.duplicate_report import label_conflicts, leakage
from fer_data.duplicates import DuplicateSettings, find_duplicates
from fer_data.executors import default_workers
from fer_data.image import ImageSettings
from fer_data.ingest import IngestSettings, ingest
from fer_data.near_pairs import find_near_pairs
from fer_data.perceptual_hash import NUM_WINDOWS, PictureHashes, gray_levels, hash_pictures
from fer_data.synth import SynthSettings, draw_face, write_faces
from fer_data.synth.files import plan_files
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
        measure_what_is_found(folder)


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


def measure_what_is_found(folder: Path) -> None:
    settings = SynthSettings(num_samples=4_000, dirt=0.10, even_dirt=True, splits=True, seed=11)
    write_faces(folder / "drawn", settings)
    dataset, _ = ingest(folder / "drawn", folder / "drawn-set", IngestSettings(max_rejected=0.5))
    dataset = find_duplicates(dataset)
    with (folder / "drawn" / "ledger.csv").open(newline="", encoding="utf-8") as file:
        ledger = {f"drawn/{row['path']}": row for row in csv.DictReader(file)}
    kind = {key: row["kind"] for key, row in ledger.items()}
    source = {key: f"drawn/{row['source_path'] or row['path']}" for key, row in ledger.items()}
    print(f"\n{settings.num_samples:,} drawn faces, 10 % dirt of every kind")

    table = dataset.table("duplicates")
    near = {(r["key"], r["twin"]) for r in table.to_pylist() if r["kind"] in ("near", "mirrored")}
    right = {pair for pair in near if source[pair[0]] == source[pair[1]]}
    family = dict(zip(table["key"].to_pylist(), table["group"].to_pylist(), strict=True))
    planted = [key for key in ledger if kind[key] == "near-duplicate"]
    found = [key for key in planted if family.get(key, -1) == family.get(source[key], -2)]
    show("near-duplicates", len(right), len(near), len(found), len(planted), ">= 0.9")
    sorts = {f"drawn/{file.path}": file.variant for file in plan_files(settings)}
    tally, hits = Counter(sorts[key] for key in planted), Counter(sorts[key] for key in found)
    print("    recall by sort:", ", ".join(f"{s} {hits[s] / tally[s]:.2f}" for s in sorted(tally)))

    samples = dataset.samples(["key", "label", "split"])
    split = dict(zip(samples["key"].to_pylist(), samples["split"].to_pylist(), strict=True))
    groups = exact_groups(table)
    numbers = label_conflicts(table, samples)["number"]
    conflicting = exact_groups(table.filter(pc.is_in(table["exact"], value_set=numbers)))
    leaking = {group for group in groups if len({split[key] for key in group}) > 1}
    copies = ("duplicate", "leaking", "conflicting-label")
    for what, groups_found, kinds in (
        ("exact duplicates", groups, copies),
        ("conflicts", conflicting, copies[2:]),
        ("leaks", leaking, copies[1:2]),
    ):
        # blank pictures are twins too, and tell nothing of copies
        sources = {source[min(g)] for g in groups_found if kind[min(g)] not in ("blank", "black")}
        wanted = {source[key] for key in ledger if kind[key] in kinds}
        both = len(sources & wanted)
        show(what, both, len(sources), both, len(wanted), "1")
    black = {key for key in ledger if kind[key] == "black"}
    print(f"  all {len(black)} black pictures in one group: {frozenset(black) in groups}")
    for row in leakage(table, samples).to_pylist():
        print(f"  leakage, exact: {row}")
    for row in leakage(table, samples, same="group").to_pylist():
        print(f"  leakage, near:  {row}")


def exact_groups(table: pa.Table) -> set[frozenset[str]]:
    groups: dict[int, set[str]] = {}
    for row in table.filter(pc.is_valid(table["exact"])).to_pylist():
        groups.setdefault(row["exact"], set()).add(row["key"])
    return {frozenset(group) for group in groups.values()}


def show(what: str, right: int, found: int, hit: int, planted: int, target: str) -> None:
    print(f"  {what:16} precision {right / found:.3f} ({right} of {found})  "
          f"recall {hit / planted:.3f} ({hit} of {planted}); target both {target}")  # fmt: skip


def best_of(rounds: int, way: Callable[[], object]) -> float:
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        way()
        times.append(time.perf_counter() - start)
    return min(times)


if __name__ == "__main__":
    main()

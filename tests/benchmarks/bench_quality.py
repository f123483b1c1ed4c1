"""Speed and memory of the quality scores, and of their PCA against scikit-learn's.

    python tests/benchmarks/bench_quality.py [FER2013.zip] [WEIGHTS.onnx]

Pictures of 48x48 are those of FER2013.zip where its path is given, else generated; those of 96x96
are generated: 100,000, in blocks on the disk as in a data set. Every way of the PCA fits on all
pictures and rebuilds each of them, from pixels on the disk to errors, in a process of its own, so
that its peak memory is its own. scikit-learn's ways take turns with ours; where the whole set would
not fit into memory or minutes they get a part, and say so. Without scikit-learn only ours is shown.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fer_data.detail_pca import fit_pca, reconstruction_errors
from fer_data.executors import default_workers
from fer_data.face_score import face_scores
from fer_data.ingest import IngestSettings, ingest
from fer_data.luma import gray_levels
from fer_data.pixel_scores import edge_share, histogram_scores, sharpness
from fer_data.quality import measure_quality
from fer_data.relfcs import component_shares
from fer_data.synth import SynthSettings, draw_face, write_faces

BLOCK = 512
ROUNDS = 3
NUM_SMALL = 28_709
NUM_LARGE = 100_000
NUM_PART = 2_000
OURS = "ferkit"
PEERS = ("covariance_eigh", "randomized", "full", "IncrementalPCA")


def main() -> None:
    archive = next((Path(p) for p in sys.argv[1:] if p.endswith(".zip")), None)
    weights = next((Path(p) for p in sys.argv[1:] if p.endswith(".onnx")), None)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        images = bench_scores(folder, archive, weights)
        small = images[:NUM_SMALL]
        write_blocks(folder / "small", (small[i : i + BLOCK] for i in range(0, len(small), BLOCK)))
        bench_small(folder / "small")
        write_blocks(folder / "large", generated_pictures(NUM_LARGE, 96))
        bench_large(folder / "large")


def bench_scores(folder: Path, archive: Path | None, weights: Path | None) -> NDArray[np.uint8]:
    """Times every score and all together; gives back the pictures."""
    raw = archive if archive is not None else folder / "faces"
    if archive is None:
        write_faces(raw, SynthSettings(num_samples=10_000))
    dataset, _ = ingest(raw, folder / "ds", IngestSettings())
    images = np.concatenate([dataset.pixels(block) for block in range(dataset.num_blocks)])
    print(f"{len(images):,} pictures of 48x48, images/s of one process, best of {ROUNDS}")
    kernels: dict[str, Callable[[NDArray[np.uint8]], object]] = {
        "histogram (5 scores)": lambda part: histogram_scores(gray_levels(part)),
        "sharpness": lambda part: sharpness(gray_levels(part)),
        "edge share": lambda part: edge_share(gray_levels(part)),
        "relfcs, effective rank (3)": lambda part: component_shares(part, gray_levels(part)),
    }
    if weights is not None:
        kernels["face score"] = lambda part: face_scores(part[::16], weights)
    for way, kernel in kernels.items():
        parts = [images[start : start + BLOCK] for start in range(0, 8192, BLOCK)]
        took = best(lambda kernel=kernel, parts=parts: [kernel(part) for part in parts])
        number = sum(len(part) for part in parts) / (16 if way == "face score" else 1)
        print(f"  {way:28} {number / took:10,.0f}")
    took = best(lambda: measure_quality(dataset))
    print(
        f"all scores but the face's, {default_workers()} processes, PCA and start of processes "
        f"included: {len(images) / took:,.0f} images/s (target: 10,000)"
    )
    return images


def generated_pictures(number: int, side: int) -> Iterator[NDArray[np.uint8]]:
    """Drawn faces mixed in pairs, in changing light, with the noise of a camera, block by block."""
    settings = SynthSettings(num_samples=400, image_size=side)
    faces = np.stack([draw_face(settings, index).image for index in range(400)])
    faces = faces.reshape(400, side, side).astype(np.float32)
    rng = np.random.default_rng(0)
    for start in range(0, number, BLOCK):
        count = min(BLOCK, number - start)
        first, second = rng.integers(0, 400, (2, count))
        share, light = rng.random((2, count, 1, 1), dtype=np.float32)
        mixed = faces[first] * share + faces[second] * (1 - share)
        mixed = mixed * (0.6 + 0.4 * light) + 40 * (light - 0.5)
        mixed += rng.integers(-6, 7, mixed.shape, dtype=np.int8)
        yield np.clip(mixed, 0, 255).astype(np.uint8)


def write_blocks(folder: Path, blocks: Iterator[NDArray[np.uint8]]) -> None:
    folder.mkdir()
    for number, block in enumerate(blocks):
        np.save(folder / f"{number:05d}.npy", block.reshape(len(block), -1))


def bench_small(folder: Path) -> None:
    ways = [OURS, *(PEERS if has_sklearn() else ())]
    for components in (100, 10):
        if components == 10:
            ways = ways[:2]
        results: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
        for number in range(ROUNDS):
            for way in ways:
                if number == 0 or way in (OURS, "covariance_eigh"):  # the slow ones once
                    results[way].append(run_way(folder, way, NUM_SMALL, components))
        print(f"\nPCA, {NUM_SMALL:,} pictures of 48x48, k = {components}")
        best_of = {way: min(r["seconds"] for r in rows) for way, rows in results.items()}
        for way, rows in results.items():
            line = f"  {way:16} {best_of[way]:7.2f} s  {rows[0]['megabytes']:6,.0f} MB"
            if "full" in ways:
                line += f"  furthest from the full PCA: {distance(folder, way, 'full'):.1e}"
            print(line)
        for way in ways[1:]:
            print(f"  {best_of[way] / best_of[OURS]:5.1f}x as fast as {way}")


def bench_large(folder: Path) -> None:
    print("\nPCA, pictures of 96x96")
    rows = [(OURS, NUM_LARGE, 100), (OURS, NUM_LARGE // 5, 100), (OURS, NUM_LARGE, 10)]
    rows += [(way, NUM_PART, 100) for way in (OURS, *(PEERS[1:] if has_sklearn() else ()))]
    for way, number, components in rows:
        result = run_way(folder, way, number, components)
        line = f"  {way:16} {number:8,} pictures, k = {components:3} {result['seconds']:7.1f} s"
        line += f"  {result['megabytes']:6,.0f} MB"
        print(line + (f"  proved within {result['max_error']:.0e}" if way == OURS else ""))
    if has_sklearn():
        print(
            f"  of {NUM_PART:,}, furthest from the full PCA: {distance(folder, OURS, 'full'):.1e}"
        )


def distance(folder: Path, way: str, other: str) -> float:
    """Of the errors that two ways gave to the same pictures: the largest difference."""
    first, second = np.load(folder / f"{way}.errors"), np.load(folder / f"{other}.errors")
    return float(np.abs(first - second).max())


def run_way(folder: Path, way: str, number: int, components: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--way", str(folder), way, str(number), str(components)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def one_way(folder: Path, way: str, number: int, components: int) -> None:
    """In a process of its own: pixels on the disk → reconstruction errors; tells time and peak."""
    paths = sorted(folder.glob("*.npy"))[: -(-number // BLOCK)]
    if way != OURS:
        import sklearn.decomposition  # noqa: F401  what takes seconds to load is not timed
    start = time.perf_counter()
    errors, max_error = ours(paths, components) if way == OURS else peer(paths, way, components)
    seconds = time.perf_counter() - start
    with (folder / f"{way}.errors").open("wb") as file:
        np.save(file, errors)
    with Path("/proc/self/status").open() as lines:
        status = dict(line.split(":", 1) for line in lines)
    megabytes = int(status["VmHWM"].split()[0]) / 1024
    print(json.dumps({"seconds": seconds, "megabytes": megabytes, "max_error": max_error}))


def ours(paths: Sequence[Path], components: int) -> tuple[NDArray[np.float64], float]:
    def blocks() -> Iterator[NDArray[np.uint8]]:
        for path in paths:
            yield np.load(path, mmap_mode="r")

    pca = fit_pca(blocks, next(blocks()).shape[1], components=components)
    errors = [reconstruction_errors(pca, block).error for block in blocks()]
    return np.concatenate(errors), pca.max_error


def peer(paths: Sequence[Path], way: str, components: int) -> tuple[NDArray[np.float64], float]:
    from sklearn.decomposition import PCA, IncrementalPCA

    x = np.concatenate([np.load(path) for path in paths]).astype(np.float32) / 255
    if way == "IncrementalPCA":
        pca = IncrementalPCA(components, batch_size=1000).fit(x)  # its own choice: 5 D rows
    else:
        pca = PCA(components, svd_solver=way, random_state=0).fit(x)
    errors = []
    for start in range(0, len(x), BLOCK):  # the whole set at once would take three times the memory
        part = x[start : start + BLOCK]
        errors.append(((part - pca.inverse_transform(pca.transform(part))) ** 2).mean(axis=1))
    return np.concatenate(errors), 0.0


def has_sklearn() -> bool:
    return importlib.util.find_spec("sklearn") is not None


def best(call: Callable[[], object]) -> float:
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--way"]:
        one_way(Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
    else:
        main()

"""Speed of ingest: ferkit against a notebook's loop, and against bare decoding.

    python tests/benchmarks/bench_ingest.py [FER2013.zip]

The notebook's loop is the one course projects use: listdir, imread, cvtColor, resize, / 255, array.
The limit decodes the same bytes with OpenCV on as many processes and does nothing else. Without the
path of fer2013.zip the pictures are generated faces. The quality scores are timed as well.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
import zipfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np

from fer_data.executors import default_workers
from fer_data.ingest import IngestSettings, ingest
from fer_data.quality import measure_quality
from fer_data.synth import SynthSettings, write_faces

ROUNDS = 3


def main() -> None:
    workers = default_workers()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        raw = folder / "raw"
        if sys.argv[1:]:
            zipfile.ZipFile(sys.argv[1]).extractall(raw)
        else:
            write_faces(raw, SynthSettings(num_samples=8000))
        paths = sorted(raw.rglob("*.png"))
        seconds: dict[str, list[float]] = {}
        for _ in range(ROUNDS):  # in turn, so that a slow minute hits all alike
            for way, took in measure(raw, folder / "ds", paths, workers).items():
                seconds.setdefault(way, []).append(took)
        best = {way: min(times) for way, times in seconds.items()}
        print(f"{len(paths):,} pictures, {workers} processes, best of {ROUNDS}")
        for way, took in best.items():
            rate = len(paths) / took
            print(
                f"  {way:32} {rate:9,.0f} images/s  {best['notebook loop'] / took:5.1f}x the loop"
            )
        limit, ours = best["decode only, all processes"], best["ferdata ingest, all processes"]
        loop = best["notebook loop"]
        print(f"  targets: >= 85% of bare decoding ({limit / ours:.0%}), "
              f">= 3.5x the loop ({loop / ours:.1f}x)")  # fmt: skip


def measure(raw: Path, dataset_dir: Path, paths: list[Path], workers: int) -> dict[str, float]:
    times = {"notebook loop": timed(lambda: notebook_loop(paths))}
    times["decode only, all processes"] = timed(lambda: decode_all(paths, workers))
    for ways, number in (("one process", 1), ("all processes", workers)):
        shutil.rmtree(dataset_dir, ignore_errors=True)
        label = f"ferdata ingest, {ways}"
        start = time.perf_counter()
        dataset, _ = ingest(raw, dataset_dir, IngestSettings(), workers=number)
        times[label] = time.perf_counter() - start
    times["quality scores, all processes"] = timed(lambda: measure_quality(dataset))
    return times


def notebook_loop(paths: list[Path]) -> np.ndarray:
    images = []
    for path in paths:
        image = cv2.imread(str(path))
        gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        images.append(cv2.resize(gray, (48, 48)) / 255.0)
    return np.array(images)


def decode_all(paths: list[Path], workers: int) -> None:
    parts = [paths[start : start + 512] for start in range(0, len(paths), 512)]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        list(pool.map(decode, parts))


def decode(paths: list[Path]) -> None:
    for path in paths:
        cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_GRAYSCALE)


def timed(call: object) -> float:
    start = time.perf_counter()
    call()  # type: ignore[operator]
    return time.perf_counter() - start


if __name__ == "__main__":
    main()

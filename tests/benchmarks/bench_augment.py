"""Copies a second: ferkit against Augmentor's operations called bare, and against its pipeline.

    python tests/benchmarks/bench_augment.py

The first table is of one process on the same made-up faces, in CPU seconds, so that a busy machine
disturbs little; each figure is the best of five rounds, taken in turn. The bare operations are the
limit: no probabilities, no rim against black lines, no check that the copy differs, but seeded for
every image, as any reproducible use must be. The second is wall time with one process a core, and
`Pipeline.sample` as people call it, with its threads: medians of five rounds taken in turn, and of
the ratios within a round. Through pack is by how much packing takes longer with the copies than
without them, their checksums, compression and writing included.
"""

from __future__ import annotations

import contextlib
import io
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from Augmentor import Operations, Pipeline
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[2]))

from fer_data.augment import augment_images
from fer_data.balance import BalanceSettings, balance
from fer_data.dataset import Dataset
from fer_data.executors import default_workers, run_tasks
from fer_data.operations import OPERATIONS
from fer_data.pack import PackSettings, pack
from tests.conftest import face_pixels
from tests.fer_data.conftest import build_dataset

NUM_IMAGES, ROUNDS = 1000, 5
NUM_ORIGINALS, NUM_COPIES, TASK = 3000, 24_000, 1000
PART = 10  # the pipeline makes one in ten, for it is slow
RECIPE = tuple(OPERATIONS[name] for name in ("rotate", "flip", "zoom", "brightness"))


def main() -> None:
    faces = np.stack([face_pixels(seed % 50)[..., np.newaxis] for seed in range(NUM_IMAGES)])
    with tempfile.TemporaryDirectory() as folder:
        for number, face in enumerate(faces[:50]):
            Image.fromarray(face[:, :, 0]).save(Path(folder) / f"{number:03d}.png")
        pipeline = Pipeline(folder)
        pipeline.rotate(1, 10, 10)
        pipeline.flip_left_right(1)
        pipeline.zoom(1, 1.05, 1.2)
        pipeline.random_brightness(1, 0.7, 1.3)
        compare_cpu(faces, pipeline)
        compare_wall(pipeline)


def compare_cpu(faces: np.ndarray, pipeline: Pipeline) -> None:
    """Prints copies a CPU second of one process."""
    ways: dict[str, Callable[[], object]] = {
        "bare operations": lambda: call_bare(faces),
        "augment_images": lambda: augment_images(faces, RECIPE, range(NUM_IMAGES)),
        "Pipeline.sample": lambda: sample(pipeline, NUM_IMAGES),
    }
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(ROUNDS):
        for name, way in ways.items():
            start = time.process_time()
            way()
            best[name] = min(best[name], time.process_time() - start)
    print(f"rotate + flip + zoom + brightness, {NUM_IMAGES} grey faces of 48x48, one process")
    for name, seconds in best.items():
        speed, ratio = NUM_IMAGES / seconds, best["bare operations"] / seconds
        print(f"  {name:16}  {speed:8,.0f} copies/CPU-s  {ratio:5.2f} of bare")
    print(f"  target: >= 0.85 of bare ({best['bare operations'] / best['augment_images']:.2f})")


def compare_wall(pipeline: Pipeline) -> None:
    """Prints copies a second of wall time, with one process a core; the pipeline uses threads."""
    workers = default_workers()
    faces = np.stack([face_pixels(seed % 50)[..., np.newaxis] for seed in range(TASK)])
    tasks = [faces] * (NUM_COPIES // TASK)
    seconds: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        dataset = build_dataset(Path(folder) / "ds", {"train": {"anger": NUM_ORIGINALS}}, size=48)
        target = {"anger": NUM_ORIGINALS + NUM_COPIES}
        balanced, _ = balance(
            build_dataset(Path(folder) / "more", {"train": {"anger": NUM_ORIGINALS}}, size=48),
            BalanceSettings(targets=target, operations=RECIPE),
        )
        ways: dict[str, Callable[[], object]] = {
            "bare operations": lambda: list(run_tasks(call_bare, tasks, workers=workers)),
            "augment_images": lambda: list(run_tasks(augment_task, tasks, workers=workers)),
            "pack with copies": lambda: pack_anew(balanced, workers),
            "pack without": lambda: pack_anew(dataset, workers),
            "Pipeline.sample": lambda: sample(pipeline, NUM_COPIES // PART),
        }
        for _ in range(ROUNDS):
            for name, way in ways.items():
                start = time.perf_counter()
                way()
                seconds.setdefault(name, []).append(time.perf_counter() - start)
    took = {name: np.array(times) for name, times in seconds.items()}
    took["Pipeline.sample"] *= PART
    took["through pack"] = took.pop("pack with copies") - took.pop("pack without")
    print(f"{NUM_COPIES:,} copies, {workers} processes, their start included; medians of {ROUNDS}")
    for name, times in took.items():
        print(
            f"  {name:16}  {NUM_COPIES / np.median(times):8,.0f} copies/s  "
            f"{np.median(took['bare operations'] / times):5.2f} of bare  "
            f"{np.median(took['Pipeline.sample'] / times):5.1f}x Pipeline"
        )
    ratio = np.median(took["Pipeline.sample"] / took["through pack"])
    print(f"  target: through pack >= 10x Pipeline.sample ({ratio:.1f}x)")


def augment_task(faces: np.ndarray) -> None:
    augment_images(faces, RECIPE, range(len(faces)))


def pack_anew(dataset: Dataset, workers: int) -> None:
    shards_dir = dataset.dir / "shards"
    shutil.rmtree(shards_dir, ignore_errors=True)
    pack(dataset, shards_dir, PackSettings(), workers=workers)


def call_bare(faces: np.ndarray) -> None:
    operations = [
        Operations.RotateRange(1, 10, 10),
        Operations.Flip(1, "LEFT_RIGHT"),
        Operations.Zoom(1, 1.05, 1.2),
        Operations.RandomBrightness(1, 0.7, 1.3),
    ]
    for seed, face in enumerate(faces):
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        images = [Image.fromarray(face[:, :, 0])]
        for operation in operations:
            images = operation.perform_operation(images)
        np.asarray(images[0])


def sample(pipeline: Pipeline, number: int) -> None:
    with contextlib.redirect_stderr(io.StringIO()):  # tqdm's bar would be in the way
        pipeline.sample(number)


if __name__ == "__main__":
    main()

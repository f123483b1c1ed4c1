"""Copies a second: ferkit against Augmentor's operations called bare, and against its pipeline.

    python tests/benchmarks/bench_augment.py

All in one process on the same made-up faces, in CPU seconds, so that a busy machine disturbs
little; each figure is the best of five rounds, taken in turn. The bare operations are the limit:
no probabilities, no rim against black lines, no check that the copy differs, but seeded for every
image, as any reproducible use must be.
"""

from __future__ import annotations

import contextlib
import io
import random
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
from fer_data.operations import OPERATIONS
from tests.conftest import face_pixels

NUM_IMAGES, ROUNDS = 1000, 5
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
        ways: dict[str, Callable[[], object]] = {
            "bare operations": lambda: call_bare(faces),
            "augment_images": lambda: augment_images(faces, RECIPE, range(NUM_IMAGES)),
            "Pipeline.sample": lambda: sample(pipeline),
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
    bare, pipe = best["bare operations"], best["Pipeline.sample"]
    ours = best["augment_images"]
    print(f"  targets: >= 0.85 of bare ({bare / ours:.2f}), >= 10x Pipeline ({pipe / ours:.1f}x)")


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


def sample(pipeline: Pipeline) -> None:
    with contextlib.redirect_stderr(io.StringIO()):  # tqdm's bar would be in the way
        pipeline.sample(NUM_IMAGES)


if __name__ == "__main__":
    main()

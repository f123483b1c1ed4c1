"""Seeds of planned copies, such that no two copies of one original are the same picture.

Two seeds can give one picture: rotations are whole degrees, and a small picture is zoomed by whole
pixels. So the copies are made once while they are planned. A copy that equals its original or a
copy with a smaller number is drawn anew, with a seed derived from the settings' seed, its parent,
its number and the number of the try; it depends on no other sample.
"""

from __future__ import annotations

import hashlib
import itertools
import math
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fer_data.augment import augment_images
from fer_data.dataset import Dataset
from fer_data.executors import Workers, run_tasks
from fer_data.operations import Operation

_MOST_TRIES = 16
_TASK_BYTES = 4_000_000  # of pixels: about a second of work
_PROCESSES_PAY = 10  # tasks; below it, starting processes takes longer than the work


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedTask:
    """Originals of one block, and how many copies each shall have.

    Attributes:
        dataset: whose pixels to take.
        block: number of the block.
        rows: of the block, one an original.
        keys: of the originals.
        num_copies: of each original.
        operations: what makes a copy differ.
        seed: of the settings.
    """

    dataset: Dataset
    block: int
    rows: tuple[int, ...]
    keys: tuple[str, ...]
    num_copies: tuple[int, ...]
    operations: tuple[Operation, ...]
    seed: int


def copy_seed(seed: int, parent: str, copy: int, attempt: int = 0) -> int:
    """The seed of a copy, 0 to 2**64 - 1, as a hash of the settings' seed, parent and number."""
    text = f"{parent}#{copy}" + (f"#{attempt}" if attempt else "")
    return int.from_bytes(hashlib.sha256(f"copy\0{seed}\0{text}".encode()).digest()[:8])


def draw_seeds(
    dataset: Dataset,
    num_copies: dict[str, int],
    operations: tuple[Operation, ...],
    seed: int,
    *,
    workers: Workers = None,
) -> tuple[dict[str, list[int]], list[str]]:
    """Seeds of all copies, and the copies that cannot be told from another.

    Args:
        dataset: whose pixels to take.
        num_copies: key of an original → copies it shall have, in the order of the data set.
        operations: what makes a copy differ.
        seed: of the settings.
        workers: processes; default: one a core, or none but this one for few copies.

    Returns:
        Key of an original → seeds of its copies, the first copy's first; and the keys, as pack
        writes them, of the copies that equal an earlier copy or their original after all.
    """
    tasks = _tasks(dataset, num_copies, operations, seed)
    if workers is None and len(tasks) < _PROCESSES_PAY:
        workers = 1
    results = dict(run_tasks(draw_task, tasks, workers=workers))
    seeds: dict[str, list[int]] = {}
    same: list[str] = []
    for number, task in enumerate(tasks):
        drawn, equal = results[number]
        seeds |= dict(zip(task.keys, drawn, strict=True))
        same += equal
    return seeds, same


def draw_task(task: SeedTask) -> tuple[list[list[int]], list[str]]:
    """The seeds of the copies of each original of a task, and the keys of copies that are equal."""
    pixels = task.dataset.pixels(task.block)[list(task.rows)]
    seeds = [
        [copy_seed(task.seed, key, copy) for copy in range(1, number + 1)]
        for key, number in zip(task.keys, task.num_copies, strict=True)
    ]
    originals = np.repeat(pixels, task.num_copies, axis=0)
    copies = augment_images(originals, task.operations, list(itertools.chain(*seeds)))
    same: list[str] = []
    start = 0
    for number, (original, key) in enumerate(zip(pixels, task.keys, strict=True)):
        mine = copies[start : start + len(seeds[number])]
        start += len(mine)
        if len({original.tobytes(), *(copy.tobytes() for copy in mine)}) <= len(mine):
            seeds[number], equal = _redraw(original, mine, key, task)
            same += equal
    return seeds, same


def _redraw(
    original: NDArray[np.uint8], copies: NDArray[np.uint8], key: str, task: SeedTask
) -> tuple[list[int], list[str]]:
    """Seeds of the copies of one original, of which some were the same at the first draw."""
    seen = {original.tobytes()}
    seeds: list[int] = []
    same: list[str] = []
    for copy, pixels in enumerate(copies, start=1):
        attempt, made = 0, pixels.tobytes()
        while made in seen and not same and attempt < _MOST_TRIES:
            attempt += 1
            drawn = copy_seed(task.seed, key, copy, attempt)
            made = augment_images(original[np.newaxis], task.operations, [drawn]).tobytes()
        if made in seen:
            same.append(f"{key}#{copy}")
        seen.add(made)
        seeds.append(copy_seed(task.seed, key, copy, attempt))
    return seeds, same


def _tasks(
    dataset: Dataset, num_copies: dict[str, int], operations: tuple[Operation, ...], seed: int
) -> list[SeedTask]:
    """The work in parts of about as many copies, each of one block."""
    most = max(1, _TASK_BYTES // math.prod(dataset.image_shape))
    samples = dataset.samples(["key"])
    wanted = pa.array([key for key, number in num_copies.items() if number], pa.string())
    samples = samples.filter(pc.is_in(samples["key"], value_set=wanted))
    tasks: list[SeedTask] = []
    part: list[tuple[str, int]] = []
    columns = (samples[name].to_pylist() for name in ("key", "block", "row"))
    last, size = -1, 0

    def close() -> None:
        if part:
            keys, rows = zip(*part, strict=True)
            numbers = tuple(num_copies[key] for key in keys)
            tasks.append(
                SeedTask(
                    dataset=dataset, block=last, rows=rows, keys=keys, num_copies=numbers,
                    operations=operations, seed=seed,
                )
            )  # fmt: skip
            part.clear()

    for key, block, row in zip(*columns, strict=True):
        if block != last or size >= most:
            close()
            last, size = block, 0
        part.append((key, row))
        size += num_copies[key]
    close()
    return tasks

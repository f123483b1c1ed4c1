"""How time and memory grow with the number of pictures, a command at a time.

    python tests/benchmarks/bench_scale.py [--sizes 10000,100000,1000000] [--folder FOLDER]

Made pictures of 48x48, no two alike but one in a hundred that stands twice and one in a hundred
that stands again a little brighter, as PNG files in seven class folders, uneven as those of
FER2013. From raw files to shards by the commands as people type them. The growth exponent is the
slope of the logarithms of the time, from one size to the next: 1 is as the number of pictures
grows, 2 as its square. Memory is the most that a command and its workers held at once, each page
counted once.
"""

from __future__ import annotations

import argparse
import itertools
import math
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import psutil

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.benchmarks.made_data import machine

STAGES = {
    "ingest": ["ingest", "raw"],
    "inspect": ["inspect"],
    "filter": ["filter", "--duplicates", "keep-one", "--near"],
    "split": ["split"],
    "balance": ["balance", "--to", "median"],
    "pack": ["pack"],
    "verify": ["verify", "shards"],
}
#: Share of each class, as in FER2013.
SHARES = {
    "angry": 0.139, "disgust": 0.015, "fear": 0.143, "happy": 0.251,
    "neutral": 0.173, "sad": 0.169, "surprise": 0.11,
}  # fmt: skip
_CHUNK = 10_000
_TARGET = 1.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a command took: seconds, and bytes at its peak."""

    seconds: float
    memory: int


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", default="10000,100000,1000000")
    parser.add_argument("--folder", type=Path, help="where the pictures are made, and stay")
    asked = parser.parse_args()
    sizes = [int(size) for size in asked.sizes.split(",")]
    print(machine(), flush=True)
    found: dict[int, dict[str, Measured]] = {}
    with tempfile.TemporaryDirectory() as name:
        for size in sizes:
            folder = (asked.folder or Path(name)) / str(size)
            write_pictures(folder / "raw", size)
            found[size] = {}
            for stage, command in STAGES.items():
                found[size][stage] = measure(folder, command)
                say = found[size][stage]
                print(
                    f"{size:,} {stage}: {say.seconds:.1f} s, {say.memory >> 20:,} MiB", flush=True
                )
            if asked.folder is None:
                shutil.rmtree(folder)
    say_growth(found)


def write_pictures(raw: Path, count: int) -> None:
    """The raw files, unless they are there."""
    if raw.exists():
        return
    beside = raw.with_name("raw.unfinished")
    shutil.rmtree(beside, ignore_errors=True)
    for name in SHARES:
        (beside / name).mkdir(parents=True)
    for start in range(0, count, _CHUNK):
        rng = np.random.default_rng(start)
        labels = rng.choice(len(SHARES), _CHUNK, p=np.array([*SHARES.values()]))
        rough = rng.normal(128, 60, (_CHUNK, 9, 9)).astype(np.float32)
        last = rough[0]
        for number in range(min(_CHUNK, count - start)):
            kind = rng.random()
            base = last if kind < 0.02 else rough[number]
            picture = cv2.resize(base, (48, 48), interpolation=cv2.INTER_CUBIC)
            picture += 6 if 0.01 < kind < 0.02 else 0
            data = cv2.imencode(".png", picture.clip(0, 255).astype(np.uint8))[1]
            name = [*SHARES][labels[number]]
            (beside / name / f"{start + number:07d}.png").write_bytes(data.tobytes())
            last = base
    beside.rename(raw)


def measure(folder: Path, command: list[str]) -> Measured:
    """Types a command, and watches it.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    program = [str(Path(sys.executable).with_name("ferdata")), *command]
    start, peak, is_over = time.perf_counter(), 0, threading.Event()
    running = subprocess.Popen(program, cwd=folder, stdout=subprocess.DEVNULL)

    def watch() -> None:
        nonlocal peak
        while not is_over.wait(0.2):
            peak = max(peak, held_by(running.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    code = running.wait()
    seconds = time.perf_counter() - start
    is_over.set()
    watcher.join()
    if code:
        raise subprocess.CalledProcessError(code, program)
    return Measured(seconds=seconds, memory=peak)


def held_by(number: int) -> int:
    """Bytes of memory that a process and those it started hold, shared ones once."""
    try:
        process = psutil.Process(number)
        return sum(each.memory_full_info().pss for each in [process, *process.children(True)])
    except psutil.Error:  # it has ended meanwhile
        return 0


def say_growth(found: dict[int, dict[str, Measured]]) -> None:
    sizes = [*found]
    heads = [f"{size:,}: s | MiB" for size in sizes]
    steps = [*itertools.pairwise(sizes)]
    print(
        "\n| stage | "
        + " | ".join([*heads, *(f"growth to {after:,}" for _, after in steps)])
        + " |"
    )
    print("|---" * (1 + 2 * len(sizes) + len(steps)) + "|")
    for stage in [*STAGES, "all"]:
        row, times = [stage], {}
        for size in sizes:
            each = [*found[size].values()] if stage == "all" else [found[size][stage]]
            times[size] = sum(one.seconds for one in each)
            row += [f"{times[size]:,.1f}", f"{max(one.memory for one in each) >> 20:,}"]
        for before, after in steps:
            slope = math.log(times[after] / times[before]) / math.log(after / before)
            row.append(f"{slope:.2f}" + (" !" if slope > _TARGET else ""))
        print("| " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()

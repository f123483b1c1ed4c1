"""What benchmarks of curation share: shards and runs by commands as people type them, and tables.

All are judged on the same PublicTest: on all of it, and on its pictures that do not stand in the
train split of the first step; where FER+'s fer2013new.csv is there, by its labels too: what most of
ten people chose, instead of one. Intervals are 95%, over pictures and seeds; differences are
paired.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fer_data.shards.index import read_index
from fer_data.shards.reader import read_split
from fer_models.intervals import Resamples, resample
from fer_models.judgement import find_twins
from fer_models.predict import Predictor
from tests.benchmarks.ferplus import majority_labels


def pack(folder: Path, shards: str, commands: Sequence[Sequence[str]]) -> None:
    """The shards that these commands, from ingest on, lead to, unless they are there."""
    if (folder / shards / "index.json").exists():
        return
    shutil.rmtree(folder / "dataset", ignore_errors=True)
    for command in commands:
        run(folder, command)
    run(folder, ["ferdata", "split"])
    run(folder, ["ferdata", "pack", "--out", shards])


def train(folder: Path, shards: str, place: str, options: Sequence[str]) -> None:
    """The run at this place, unless it is finished."""
    if (folder / place / "bundle" / "bundle.json").exists():
        return
    begun = ["--resume"] if (folder / place / "settings.toml").exists() else []
    run(folder, ["fermodel", "train", *(begun or [shards, *options]), "--run", place])


def run(folder: Path, command: Sequence[str]) -> None:
    """Types a command."""
    print("$", *command, flush=True)
    program = str(Path(sys.executable).with_name(command[0]))
    subprocess.run([program, *command[1:]], cwd=folder, check=True, stdout=subprocess.DEVNULL)


def run_place(step: str, seed: int) -> str:
    """Where the run of a step with a seed stands."""
    return f"runs/{step}-{seed}"


def judge(folder: Path, steps: Mapping[str, str], num_seeds: int, votes_path: Path) -> None:
    """Prints the tables.

    Args:
        folder: of shards and runs.
        steps: name → folder of its shards; the others are compared with the first.
        num_seeds: runs a step.
        votes_path: fer2013new.csv, which need not be there.
    """
    first, *_ = steps
    shards = folder / steps[first]
    index = read_index(shards)
    names = index.class_names
    samples = read_split(shards, index, "validation")
    has_twin = find_twins(index, "validation", samples)
    predicted = [
        [
            Predictor.load(folder / run_place(step, seed)).predict(samples.images).argmax(axis=1)
            for seed in range(num_seeds)
        ]
        for step in steps
    ]
    judged = {"all": (samples.labels, ~np.zeros_like(has_twin))}
    judged["without twins"] = (samples.labels, ~has_twin)
    if votes_path.exists():
        chosen = majority_labels(votes_path)
        people = [chosen.get(Path(key).name, "NF") for key in samples.keys.tolist()]
        labels = np.array([names.index(name) if name in names else -1 for name in people])
        judged["without twins, by FER+'s labels"] = (labels, ~has_twin & (labels >= 0))
    for title, (labels, rows) in judged.items():
        runs_on_rows = [[run[rows] for run in runs] for runs in predicted]
        drawn = resample(labels[rows], runs_on_rows, len(names))
        print(f"\nPublicTest, {title}: {rows.sum():,} pictures")
        print(f"| step | train samples | accuracy | to {first} | macro-F1 | to {first} |")
        print("|---|---|---|---|---|---|")
        for number, step in enumerate(steps):
            count = read_index(folder / steps[step]).num_samples("train")
            cells = [
                cell for name in ("accuracy", "macro_f1") for cell in _shown(drawn, name, number)
            ]
            print(f"| {step} | {count:,} | {' | '.join(cells)} |")
    _print_recall(samples.labels, dict(zip(steps, predicted, strict=True)), names)


def _shown(drawn: Resamples, name: str, number: int) -> tuple[str, str]:
    found, gap = drawn.interval(name, number), drawn.difference(name, number)
    value = f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f})"
    return value, f"{gap.value:+.3f} ({gap.low:+.3f} to {gap.high:+.3f})" if number else ""


def _print_recall(
    labels: NDArray[np.int64],
    predicted: Mapping[str, Sequence[NDArray[np.int64]]],
    names: tuple[str, ...],
) -> None:
    print("\n| recall, mean of the seeds |", " | ".join(names), "|")
    print("|---|" + "---|" * len(names))
    for step, runs in predicted.items():
        means = [
            np.mean([(run[labels == label] == label).mean() for run in runs])
            for label in range(len(names))
        ]
        print(f"| {step} |", " | ".join(f"{mean:.2f}" for mean in means), "|")

"""What each step of curation gains: raw, filtered, balanced, audited, and more of that.

    python tests/benchmarks/bench_loop.py FER2013.zip [FOLDER] [SEEDS]

The commands that people type; one network (small_network.py) with the same settings for all, three
seeds a step; judged on the same PublicTest: on all of it, and on its pictures that do not stand in
the raw train split. Intervals are 95%, over pictures and seeds; differences are paired. What is
finished in FOLDER is taken up. Where FER+'s fer2013new.csv stands beside the archive, by its labels
too: what most of ten people chose, instead of one.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[2]))

from fer_data.shards.index import read_index
from fer_data.shards.reader import read_split
from fer_models.intervals import Resamples, resample
from fer_models.judgement import find_twins
from fer_models.predict import Predictor
from tests.benchmarks.ferplus import majority_labels
from tests.benchmarks.made_data import machine

NETWORK = Path(__file__).parent / "small_network.py"
EPOCHS = "6"
FILTER = ["ferdata", "filter", "--preset", "fer2013"]
BALANCE = ["ferdata", "balance", "--target", "disgust"]
AUDITED = "filtered-0"  # the run that audits
STEPS = {
    "raw": [["ferdata", "filter", "--none"]],
    "filtered": [FILTER],
    "balanced": [FILTER, BALANCE],
    "audited": [
        ["fermodel", "audit", f"runs/{AUDITED}"],
        [*FILTER, "--decisions", f"runs/{AUDITED}/audit/train/decisions.csv"],
        BALANCE,
    ],
    "3,000 relabelled": [
        ["fermodel", "audit", f"runs/{AUDITED}", "--top", "3000", "--action", "relabel"],
        [*FILTER, "--decisions", f"runs/{AUDITED}/audit/train/decisions.csv", "--max-loss", "100%"],
        BALANCE,
    ],
}


def main() -> None:
    archive = Path(sys.argv[1]).resolve()
    num_seeds = int(sys.argv[3]) if sys.argv[3:] else 3
    with tempfile.TemporaryDirectory() as name:
        folder = Path(sys.argv[2] if sys.argv[2:] else name).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        for step, commands in STEPS.items():
            if not (folder / step / "index.json").exists():
                if not (folder / "dataset").exists():
                    run(folder, ["ferdata", "ingest", str(archive)])
                for command in commands:
                    run(folder, command)
                run(folder, ["ferdata", "split"])
                run(folder, ["ferdata", "pack", "--out", step])
            for seed in range(num_seeds):
                train(folder, step, seed)
        print(f"{machine()}; {num_seeds} seeds a step")
        judge(folder, num_seeds, archive.with_name("fer2013new.csv"))


def train(folder: Path, step: str, seed: int) -> None:
    place = Path("runs", f"{step}-{seed}")
    if (folder / place / "bundle" / "bundle.json").exists():
        return
    begun = ["--resume"] if (folder / place / "settings.toml").exists() else []
    asked = [step, "--model", str(NETWORK), "--epochs", EPOCHS, "--seed", str(seed)]
    run(folder, ["fermodel", "train", *(begun or asked), "--run", str(place)])


def run(folder: Path, command: list[str]) -> None:
    print("$", *command, flush=True)
    program = str(Path(sys.executable).with_name(command[0]))
    subprocess.run(
        [program, *command[1:]],
        cwd=folder,
        check=True,
        stdout=subprocess.DEVNULL,
    )


def judge(folder: Path, num_seeds: int, votes_path: Path) -> None:
    index = read_index(folder / "raw")
    names = index.class_names
    samples = read_split(folder / "raw", index, "validation")
    has_twin = find_twins(folder / "raw", index, "validation", samples)
    predicted = [
        [
            Predictor.load(folder / "runs" / f"{step}-{seed}")
            .predict(samples.images)
            .argmax(axis=1)
            for seed in range(num_seeds)
        ]
        for step in STEPS
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
        print("| step | train samples | accuracy | to raw | macro-F1 | to raw |")
        print("|---|---|---|---|---|---|")
        for number, step in enumerate(STEPS):
            count = read_index(folder / step).num_samples("train")
            cells = [
                cell for name in ("accuracy", "macro_f1") for cell in shown(drawn, name, number)
            ]
            print(f"| {step} | {count:,} | {' | '.join(cells)} |")
    recall(samples.labels, predicted, names)


def shown(drawn: Resamples, name: str, number: int) -> tuple[str, str]:
    found, gap = drawn.interval(name, number), drawn.difference(name, number)
    value = f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f})"
    return value, f"{gap.value:+.3f} ({gap.low:+.3f} to {gap.high:+.3f})" if number else ""


def recall(
    labels: NDArray[np.int64], predicted: list[list[NDArray[np.int64]]], names: tuple[str, ...]
) -> None:
    print("\n| recall, mean of the seeds |", " | ".join(names), "|")
    print("|---|" + "---|" * len(names))
    for step, runs in zip(STEPS, predicted, strict=True):
        means = [
            np.mean([(run[labels == label] == label).mean() for run in runs])
            for label in range(len(names))
        ]
        print(f"| {step} |", " | ".join(f"{mean:.2f}" for mean in means), "|")


if __name__ == "__main__":
    main()

"""What each lever on the data does by itself to the same network.

    python tests/benchmarks/bench_levers.py FER2013.zip [FOLDER] [SEEDS]

One network with one budget for all, three seeds a lever; judged as steps.py says. FER+'s
fer2013new.csv stands beside the archive. What is finished in FOLDER is taken up. More data is
measured the other way round, since PublicTest judges: a ninth of the training pictures is left out,
and what that loses is what an eighth more brings, as many as PublicTest has.
"""

from __future__ import annotations

import csv
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from fer_data.shards.index import read_index
from fer_data.shards.reader import read_split
from tests.benchmarks.made_data import machine
from tests.benchmarks.steps import judge, pack, run_place, train

EPOCHS = ["--epochs", "6"]
NETWORK = ["--model", "fer-lite", *EPOCHS, "--warmup", "2", "--first-side", "24"]
NETWORK += ["--grow-epochs", "5"]
AS_IS = "as it is"
AUDITED = run_place(AS_IS, 0)  # the run that audits
SUSPECTS = "3000"  # of the audit, dropped or relabelled
LEFT_OUT, LEFT_OUT_SEED = 1 / 9, 0
LABELS = ["--loss", "sparse"]  # the votes are in all shards
FILTER = ["ferdata", "filter"]
AUDIT = ["fermodel", "audit", AUDITED, *EPOCHS, "--top", SUSPECTS]
DECISIONS = f"{AUDITED}/audit/train/decisions.csv"
DECIDE = [*FILTER, "--decisions", DECISIONS, "--max-loss", "100%"]
#: Folder of shards → how they are made, from the ingested data set on.
SHARDS = {
    AS_IS: [[*FILTER, "--none"]],
    "no duplicates, no conflicts": [[*FILTER, "--duplicates", "keep-one", "--conflicts", "drop"]],
    "no leaks": [[*FILTER, "--leaks", "drop-train"]],
    "no blanks": [[*FILTER, "--blank"]],
    "preset fer2013": [[*FILTER, "--preset", "fer2013"]],
    "balanced": [["ferdata", "balance", "--target", "disgust"]],
    "suspects dropped": [AUDIT, DECIDE],
    "suspects relabelled": [[*AUDIT, "--action", "relabel"], DECIDE],
    "a ninth left out": [[*FILTER, "--decisions", "left-out.csv", "--max-loss", "100%"]],
}
#: Lever → folder of shards, and what it tells the training.
LEVERS = {
    **{name: (name, LABELS) for name in SHARDS},
    "class weights": (AS_IS, [*LABELS, "--class-weights", "original"]),
    "half votes": (AS_IS, ["--loss", "votes", "--vote-share", "0.5"]),
}


def main() -> None:
    archive = Path(sys.argv[1]).resolve()
    votes = archive.with_name("fer2013new.csv")
    num_seeds = int(sys.argv[3]) if sys.argv[3:] else 3
    ingest = ["ferdata", "ingest", str(archive), "--votes", str(votes), "--keep-labels"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(sys.argv[2] if sys.argv[2:] else name).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        for lever, (shards, options) in LEVERS.items():
            pack(folder, shards, [ingest, *SHARDS[shards]])
            if lever == AS_IS:
                leave_out(folder)
            for seed in range(num_seeds):
                asked = [*NETWORK, *options, "--seed", str(seed)]
                train(folder, shards, run_place(lever, seed), asked)
        print(f"{machine()}; {num_seeds} seeds a lever")
        judge(folder, {lever: shards for lever, (shards, _) in LEVERS.items()}, num_seeds, votes)


def leave_out(folder: Path) -> None:
    """Writes which training pictures are left out, a seeded share of those there are."""
    shards = folder / AS_IS
    keys = np.sort(read_split(shards, read_index(shards), "train").keys)
    rng = np.random.default_rng(LEFT_OUT_SEED)
    chosen = rng.choice(keys, round(LEFT_OUT * len(keys)), replace=False)
    with (folder / "left-out.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("key", "action"), *((key, "drop") for key in chosen)])


if __name__ == "__main__":
    main()

"""What each step of curation gains: raw, filtered, balanced, audited, and more of that.

    python tests/benchmarks/bench_loop.py FER2013.zip [FOLDER] [SEEDS]

One network (small_network.py) with the same settings for all, three seeds a step; judged as
steps.py says. What is finished in FOLDER is taken up.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.benchmarks.made_data import machine
from tests.benchmarks.steps import judge, pack, run_place, train

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
            pack(folder, step, [["ferdata", "ingest", str(archive)], *commands])
            for seed in range(num_seeds):
                options = ["--model", str(NETWORK), "--epochs", EPOCHS, "--seed", str(seed)]
                train(folder, step, run_place(step, seed), options)
        print(f"{machine()}; {num_seeds} seeds a step")
        steps = {step: step for step in STEPS}
        judge(folder, steps, num_seeds, archive.with_name("fer2013new.csv"))


if __name__ == "__main__":
    main()

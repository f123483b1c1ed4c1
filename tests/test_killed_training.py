"""Training that is killed at any moment, and gone on with, comes to the same weights."""

from __future__ import annotations

import dataclasses
import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from fer_models.augmentation import AugmentSettings
from fer_models.settings import TrainSettings
from tests.fer_models.conftest import write_shards
from tests.fer_models.same_run import assert_same_run

SCRIPT = Path(__file__).parent / "fer_models" / "train_tiny.py"
KILLS = 10


def start(shards_dir: Path, run_dir: Path, settings: TrainSettings) -> subprocess.Popen[bytes]:
    text = json.dumps(settings.to_json())
    command = [sys.executable, str(SCRIPT), str(shards_dir), str(run_dir), text]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def checkpoint_time(run_dir: Path) -> int:
    """When the last checkpoint was written; 0 before the first."""
    try:
        return (run_dir / "checkpoints" / "last.npz").stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def test_a_run_killed_at_random_moments_ends_as_one_never_killed(tmp_path: Path) -> None:
    write_shards(tmp_path / "shards", {"train": [97], "validation": [30]}, image_shape=(8, 8, 1))
    settings = TrainSettings(
        epochs=16, batch_size=16, learning_rate=1e-2, schedule="step", drop_every=8, seed=3,
        optimizer="sgd", augment=AugmentSettings(mixup=0.2), patience=0, save_minutes=0.0,
    )  # fmt: skip
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    unsaved = dataclasses.replace(settings, save_minutes=5.0)  # in the middle of an epoch
    unbroken = start(tmp_path / "shards", whole, unsaved)
    rng = random.Random(0)
    ends = []
    for _ in range(KILLS):
        run, before = start(tmp_path / "shards", killed, settings), checkpoint_time(killed)
        while checkpoint_time(killed) == before and run.poll() is None:
            time.sleep(0.01)  # until it has gone on, so that the kills come to an end
        time.sleep(rng.uniform(0.0, 0.1))
        run.kill()
        ends.append(run.wait())
    # a fast run may come to its end before the last of them
    assert ends.count(-signal.SIGKILL) >= KILLS // 2, ends
    for run in (unbroken, start(tmp_path / "shards", killed, settings)):
        assert run.wait() == 0
    assert_same_run(whole, killed)

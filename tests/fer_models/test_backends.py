"""The same training under the other backends, and on several devices."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fer_models.augmentation import AugmentSettings
from fer_models.run import read_record
from fer_models.settings import TrainSettings
from tests.fer_models.conftest import write_shards
from tests.fer_models.same_run import assert_same_run

SCRIPT = Path(__file__).with_name("train_tiny.py")
MIXED = AugmentSettings(
    rotation=5, brightness=0.1, contrast=0.1, erasing=0.2, mixup=0.2, cutmix=1.0
)
USUAL = {"epochs": 2, "batch_size": 16, "learning_rate": 1e-2, "seed": 3}
PREDICT = """
import sys, warnings; warnings.simplefilter("ignore")
from pathlib import Path
import numpy as np
from fer_models.predict import Predictor
images = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 1), dtype=np.uint8)
print(Predictor.load(Path(sys.argv[1])).predict(images).tolist())
"""


@pytest.fixture(scope="module")
def shards_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("backends") / "shards"
    write_shards(folder, {"train": [40, 40, 41], "validation": [33]}, image_shape=(8, 8, 1))
    return folder


def run_python(*arguments, backend):
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        env=os.environ | {"KERAS_BACKEND": backend, "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def train_under(backend, shards_dir, run_dir, settings, devices=1):
    text = json.dumps(settings.to_json())
    return run_python(SCRIPT, shards_dir, run_dir, text, devices, backend=backend)


def skip_without(backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_another_backend_saves_goes_on_and_predicts_the_same(backend, shards_dir, tmp_path):
    skip_without(backend)
    settings = {
        minutes: TrainSettings(**USUAL, ema=0.9, augment=MIXED, save_minutes=minutes)
        for minutes in (5.0, 0.0)
    }
    whole = train_under(backend, shards_dir, tmp_path / "whole", settings[5.0])
    train_under(backend, shards_dir, tmp_path / "parts", settings[0.0])
    assert_same_run(tmp_path / "whole", tmp_path / "parts")
    assert read_record(tmp_path / "whole").precision == "float32"
    assert whole["history"][1]["loss"] < whole["history"][0]["loss"]
    there, here = (
        run_python("-c", PREDICT, tmp_path / "whole", backend=b) for b in (backend, "tensorflow")
    )
    assert there == [pytest.approx(row, abs=1e-5) for row in here]


@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_two_devices_share_batches_and_learn_what_one_learns(backend, tmp_path):
    skip_without(backend)
    sizes = {"train": [40, 56], "validation": [33]}  # batches alike, but for the last validated
    write_shards(tmp_path / "shards", sizes, image_shape=(8, 8, 1))
    one, two = (
        train_under(
            backend, tmp_path / "shards", tmp_path / str(devices),
            TrainSettings(**USUAL, devices=devices, augment=AugmentSettings()), 2,
        )["history"]
        for devices in (1, 2)
    )  # fmt: skip
    assert len(one) == len(two) == 2
    for row, other in zip(one, two, strict=True):
        for name in ("loss", "validation_loss", "validation_macro_f1"):
            assert row[name] == pytest.approx(other[name], rel=1e-3)


def test_three_devices_judge_what_one_judges(tmp_path):
    sizes = {"train": [66], "validation": [601]}  # more than a batch of 256, which 3 do not divide
    write_shards(tmp_path / "shards", sizes, image_shape=(8, 8, 1))
    settings = USUAL | {"batch_size": 66}
    one, three = (
        train_under(
            "tensorflow", tmp_path / "shards", tmp_path / str(devices),
            TrainSettings(**settings, devices=devices), 3,
        )["history"][-1]
        for devices in (1, 3)
    )  # fmt: skip
    for name in ("validation_loss", "validation_accuracy", "validation_macro_f1"):
        assert three[name] == pytest.approx(one[name], rel=1e-3)

"""The scripts of docs/train-elsewhere.md and docs/streaming.md, as a reader would run them."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fer_data.shards.samples import Samples
from tests.made_shards import make_samples, make_shards

DOCS = Path(__file__).parents[1] / "docs"
NAMES = ("anger", "disgust", "happiness")


def scripts(doc: str = "train-elsewhere.md") -> list[str]:
    text = (DOCS / doc).read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.M)


def bright_samples(count: int, split: str, seed: int) -> Samples:
    """Pictures that tell their class: noise, and a bright stripe at another height for each."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % len(NAMES)
    images = rng.integers(0, 120, (count, 24, 24, 1), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[8 * label : 8 * label + 5] += 90
    return make_samples(images, labels.tolist(), [f"src/{split}/{n}.png" for n in range(count)])


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    splits = {
        split: bright_samples(count, split, seed)
        for seed, (split, count) in enumerate([("train", 240), ("validation", 60), ("test", 45)])
    }
    make_shards(tmp_path / "shards", splits, NAMES, shard_samples=100)
    return tmp_path / "shards"


def run_script(script: str, folder: Path, *arguments: str) -> str:
    (folder / "train.py").write_text(script, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "train.py", *arguments],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_numpy_and_scikit_learn_train_without_ferkit(shards: Path) -> None:
    assert not re.search(r"\bfer_data|\bfer_models|\bferkit\b", scripts()[0])
    out = run_script(scripts()[0], shards.parent, "shards")
    assert "test: 45 samples" in out
    accuracy = re.search(r"accuracy +([\d.]+) +45", out)
    assert accuracy is not None
    assert float(accuracy[1]) > 0.9
    assert all(name in out for name in NAMES)


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed")
def test_pytorch_trains(shards: Path) -> None:
    out = run_script(scripts()[1], shards.parent, "shards", "3")
    accuracies = [float(word) for word in re.findall(r"accuracy ([\d.]+)", out)]
    assert len(accuracies) == 3
    assert max(accuracies) > 0.9


def test_keras_trains_and_goes_on_after_a_kill(shards: Path) -> None:
    (script,) = scripts("streaming.md")
    whole = run_script(script, shards.parent, "shards").splitlines()
    assert [line.split(":")[0] for line in whole] == [f"epoch {n}" for n in range(1, 5)]
    assert float(whole[-1].rpartition(" ")[2]) > 0.9
    for name in ("state.json", "model.keras"):
        (shards.parent / name).unlink()
    saved = "train.state(epoch, batch))))\n"
    killed = script.replace("% 50 == 0", "% 2 == 0").replace(saved, f"{saved}            exit()\n")
    assert killed.count("exit()") == 1
    assert not run_script(killed, shards.parent, "shards")
    assert '"batch": 2' in (shards.parent / "state.json").read_text()
    rest = run_script(script, shards.parent, "shards").splitlines()
    assert rest == whole


def test_the_scripts_can_be_parsed() -> None:
    first, second = scripts()
    for script in (first, second):
        compile(script, "train.py", "exec")
    code = [line for line in first.splitlines() if line.strip()]
    assert len(code) <= 36

"""The scripts of docs/train-elsewhere.md and docs/streaming.md, as a reader would run them."""

from __future__ import annotations

import dataclasses
import importlib.util
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fer_data.shards.index import INDEX_NAME, read_index
from fer_data.shards.npz import encode_npz
from fer_data.shards.pixels import stored_pixels
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


@pytest.fixture
def rows(shards: Path) -> Path:
    """The same shards as `ferdata pack --layout flat --dtype float32` stores them."""
    index = read_index(shards)
    entries = []
    for shard in index.shards:
        with np.load(shards / shard.file, allow_pickle=False) as npz:
            arrays = dict(npz)
        images = stored_pixels(arrays["images"], "flat", "float32")
        encoded = encode_npz(arrays | {"images": images})
        (shards / shard.file).write_bytes(encoded.data)
        entries.append(
            dataclasses.replace(
                shard, arrays=encoded.arrays, bytes=len(encoded.data), sha256=encoded.sha256
            )
        )
    text = dataclasses.replace(index, shards=tuple(entries)).to_json()
    (shards / INDEX_NAME).write_text(text, encoding="utf-8")
    return shards


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


def test_scikit_learn_takes_rows_of_floats_as_they_are(rows: Path) -> None:
    out = run_script(scripts()[1], rows.parent)
    assert float(out) > 0.9


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed")
def test_pytorch_trains(shards: Path) -> None:
    out = run_script(scripts()[2], shards.parent, "shards", "3")
    accuracies = [float(word) for word in re.findall(r"accuracy ([\d.]+)", out)]
    assert len(accuracies) == 3
    assert max(accuracies) > 0.9


def test_keras_trains_and_goes_on_after_a_kill(shards: Path) -> None:
    script, _ = scripts("streaming.md")
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


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="JAX is not installed")
def test_two_processes_train_one_network(shards: Path) -> None:
    _, script = scripts("streaming.md")
    (shards.parent / "train.py").write_text(script, encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    together = {
        "KERAS_DISTRIBUTION_JOB_ADDRESSES": address,
        "KERAS_DISTRIBUTION_NUM_PROCESSES": "2",
        "JAX_PLATFORMS": "cpu",
    }
    started = [
        subprocess.Popen(
            [sys.executable, "train.py", "shards"],
            cwd=shards.parent, env={**os.environ, **together, "KERAS_DISTRIBUTION_PROCESS_ID": me},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for me in "01"
    ]  # fmt: skip
    (first, told), (second, _) = (process.communicate(timeout=300) for process in started)
    assert [process.returncode for process in started] == [0, 0], told
    lines = [line for line in first.splitlines() if "loss" in line]
    assert [line.split(":")[0] for line in lines[:-1]] == [f"epoch {n}" for n in range(1, 5)]
    assert float(lines[-1].rpartition(" ")[2]) > 0.9
    assert "loss" not in second  # one of them tells, and saves


def test_the_scripts_can_be_parsed() -> None:
    first, second, third = scripts()
    for script in (first, second, third, *scripts("streaming.md")):
        compile(script, "train.py", "exec")
    code = [line for line in first.splitlines() if line.strip()]
    assert len(code) <= 36

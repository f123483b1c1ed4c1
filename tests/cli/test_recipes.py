"""`ferdata run` and `ferdata status --recipe` as people type them."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from fer_data.synth import SynthSettings, write_faces

FERDATA = Path(sys.executable).parent / "ferdata"
COMMANDS = (
    ("ingest", "raw", "--map", "surprise=drop"),
    ("filter", "--blank", "--leaks", "drop-train"),
    ("split", "--ratios", "70/10/20", "--seed", "4"),
    ("balance", "--target", "disgust", "--target", "fear=50", "--seed", "2"),
    ("pack", "--shard-samples", "64"),
)


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [FERDATA, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def typed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the commands were typed one by one."""
    folder = tmp_path_factory.mktemp("typed")
    write_faces(folder / "raw", SynthSettings(num_samples=240, dirt=0.05, seed=3))
    for command in COMMANDS:
        done = run(folder, *command)
        assert done.returncode == 0, done.stderr
    return folder


def digests(shards: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in shards.iterdir()}


def test_the_written_recipe_makes_what_the_commands_made(typed: Path, tmp_path: Path) -> None:
    written = run(typed, "status", "--recipe")
    assert written.returncode == 0, written.stderr
    (tmp_path / "recipe.toml").write_text(written.stdout, encoding="utf-8")
    done = run(tmp_path, "run", "recipe.toml", str(typed / "raw"), "--json")
    assert done.returncode == 0, done.stderr
    assert digests(tmp_path / "shards") == digests(typed / "shards")
    samples = json.loads(done.stdout)["samples"]
    assert (
        samples
        == json.loads(run(typed, "pack", "--shard-samples", "64", "--json").stdout)["samples"]
    )


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(typed: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('[[source]]\npath = "raw"\n[filter]\n[pack]\n', encoding="utf-8")
    done = run(tmp_path, "run", "recipe.toml", str(typed / "raw"), "--dry-run")
    assert done.returncode == 0, done.stderr
    assert 'manifest "folders"' in done.stdout
    assert "Into dataset: ingest, filter, pack." in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["recipe.toml"]


def test_a_mistake_is_told_in_one_line_before_anything_is_done(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text('[[source]]\npath = "raw"\n[spilt]\n', encoding="utf-8")
    done = run(tmp_path, "run", "recipe.toml")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert 'recipe.toml, line 3: unknown key "spilt"' in done.stderr
    assert 'Did you mean "split"?' in done.stderr
    assert not (tmp_path / "dataset").exists()

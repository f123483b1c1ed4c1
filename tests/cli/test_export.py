"""`ferdata export` as people type it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from fer_data.export.shards import FORMATS
from tests.made_shards import make_shards, numbered_samples

FERDATA = Path(sys.executable).parent / "ferdata"


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [FERDATA, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A working folder with ./shards: 30 samples of train, 7 of them copies, and 14 of test."""
    splits = {
        "train": numbered_samples(30, (48, 48, 1), copies=7),
        "test": numbered_samples(14, (48, 48, 1), split="test"),
    }
    make_shards(tmp_path / "shards", splits, shard_samples=16)
    return tmp_path


@pytest.mark.parametrize("format_", FORMATS)
def test_every_format_is_written_beside_the_shards_with_its_counts(
    work: Path, format_: str
) -> None:
    done = run(work, "export", "--format", format_)
    assert done.returncode == 0, done.stderr
    assert f"Samples in shards-{format_}" in done.stdout
    assert done.stdout.split("all")[-1].split()[:3] == ["30", "14", "44"]
    assert (work / f"shards-{format_}" / "export.json").is_file()


@pytest.mark.parametrize("format_", ["imagefolder", "csv"])
def test_what_was_exported_can_be_ingested(work: Path, format_: str) -> None:
    done = run(work, "export", "shards", "--format", format_, "--out", "out", "--originals-only",
               "--json")  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert {split: sum(each.values()) for split, each in result["counts"].items()} == {
        "train": 23, "test": 14,
    }  # fmt: skip
    done = run(work, "ingest", "out", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["samples"] == 37


def test_mistakes_are_told_in_one_line(work: Path) -> None:
    (work / "mine").mkdir()
    (work / "mine" / "notes.txt").write_text("mine")
    for arguments, code, message in (
        (["--format", "csv", "--out", "mine"], 2, "mine: is not empty, and no export; remove it"),
        (["--format", "csv", "--split", "validation"], 2, 'unknown split "validation"'),
        (["nowhere", "--format", "csv"], 1, "nowhere: no such folder"),
        (["--format", "zip"], 2, "'zip' is not one of 'imagefolder'"),
        ([], 2, "Missing option '--format'"),
    ):
        done = run(work, "export", *arguments)
        assert done.returncode == code
        assert message in done.stderr
        assert "Traceback" not in done.stderr
    assert sorted(path.name for path in work.iterdir()) == ["mine", "shards"]

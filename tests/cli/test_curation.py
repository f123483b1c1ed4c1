"""`ferdata inspect` and `ferdata filter` as people type them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import face_pixels, png_bytes

FERDATA = Path(sys.executable).parent / "ferdata"


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [FERDATA, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with a small, dirty data set."""
    folder = tmp_path_factory.mktemp("work")
    pictures = {f"train/happy/{n}.png": face_pixels(n) for n in range(24)}
    pictures |= {f"train/sad/{n}.png": face_pixels(n) for n in range(40, 60)}
    pictures |= {f"test/{c}/{n}.png": face_pixels(n) for c, n in (("happy", 70), ("sad", 80))}
    pictures |= {
        "test/happy/leak.png": face_pixels(3),
        "train/sad/conflict.png": face_pixels(4),
        "train/happy/black.png": np.zeros((48, 48), np.uint8),
    }
    for path, pixels in pictures.items():
        file = folder / "raw" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(png_bytes(pixels))
    assert run(folder, "ingest").returncode == 0
    return folder


@pytest.fixture
def work(prepared: Path, tmp_path: Path) -> Path:
    shutil.copytree(prepared, tmp_path / "work")
    return tmp_path / "work"


def test_inspect_says_what_is_wrong_and_writes_one_page(work: Path) -> None:
    done = run(work, "inspect")
    assert done.returncode == 0, done.stderr
    for command in ("--leaks drop-train", "--conflicts drop", "--blank"):
        assert f"ferdata filter {command}" in " ".join(done.stdout.split())
    page = work / "dataset" / "reports" / "inspection.html"
    assert done.stdout.rstrip().endswith("dataset/reports/inspection.html")
    assert page.read_text("utf-8").startswith("<!doctype html>")
    values = json.loads(run(work, "inspect", "--json", "--report", "own.html").stdout)
    assert values["num_black"] == 1
    assert values["report"] == "own.html"
    assert (work / "own.html").exists()


def test_a_filter_is_shown_decided_and_undone(work: Path) -> None:
    dry = run(work, "filter", "--blank", "--leaks", "drop-train", "--dry-run")
    assert "thresholds around the one asked for" in dry.stdout
    assert (work / "dataset" / "reports" / "filter-blank.png").exists()
    assert not (work / "dataset" / "filter.parquet").exists()
    done = json.loads(run(work, "filter", "--blank", "--leaks", "drop-train", "--json").stdout)
    assert done["dropped"] == {"blank": 1, "leak": 1}
    assert (work / "dataset" / "filter.parquet").exists()
    assert "would be undone" in run(work, "filter", "--none", "--dry-run").stdout
    assert (work / "dataset" / "filter.parquet").exists()
    undone = json.loads(run(work, "filter", "--none", "--json").stdout)
    assert undone == {"samples": 49, "dropped": {}}
    assert "undone" in run(work, "filter", "--none").stdout
    assert not (work / "dataset" / "filter.parquet").exists()


def test_options_add_to_a_preset(work: Path) -> None:
    (work / "mine.csv").write_text("path,action,label\ntrain/sad/41.png,relabel,happy\n")
    arguments = ["--preset", "fer2013", "--drop", "train/sad/40.png", "--decisions", "mine.csv"]
    done = run(work, "filter", *arguments, "--below", "sharpness=5%", "--json")
    assert done.returncode == 0, done.stderr
    value = json.loads(done.stdout)
    assert value["relabelled"] == 1
    assert value["dropped"]["decision"] == 1
    assert value["dropped"]["low-sharpness"] == 1  # the black picture is blank already
    assert {"leak", "conflict"} <= set(value["dropped"])


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--above", "entropi=4"], 2, 'unknown score "entropi"'),
        (["--above", "entropy"], 2, "expected a score and a number"),
        (["--below", "entropy=99"], 2, "the threshold of entropy must be 0 to 8"),
        (["--preset", "fer2014"], 2, "fer2014"),
        (["--near"], 2, "these options alone drop nothing"),
        (["--official", "drop", "--keep", "train/sad/40.png"], 2, "undo the filter with --none"),
        (["--drop", "nothing.png"], 2, 'no sample has the key or path "nothing.png"'),
        (["--below", "entropy=8", "--max-loss", "100%"], 1, "left without any sample to train on"),
        (["--above", "face_score=0.5"], 2, "ferdata inspect --download-detector"),
    ],
)
def test_a_mistake_gets_one_clear_line(
    work: Path, arguments: list[str], code: int, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(work / "cache"))
    done = run(work, "filter", *arguments)
    assert done.returncode == code, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    if "Usage" not in done.stderr:
        assert len(done.stderr.strip().splitlines()) == 1


def test_balance_after_a_refused_ingest_asks_for_ingest(work: Path) -> None:
    shutil.rmtree(work / "dataset")
    (work / "raw" / "train" / "sad" / "words.png").write_bytes(b"words")
    assert run(work, "ingest", "--max-rejected", "0").returncode == 1
    done = run(work, "balance", "--target", "sad")
    assert done.returncode == 1
    assert done.stderr.strip() == "Error: dataset: ingest has not been done; run `ferdata ingest`"

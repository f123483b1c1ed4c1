"""`fermodel export`: what it says when all goes well, and when not."""

from __future__ import annotations

import json
import os

import pytest

from tests.cli.test_fermodel import assert_one_clear_line, fermodel, write_shards


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with shards and two runs: of a network that has learned nothing, of a baseline."""
    folder = tmp_path_factory.mktemp("home")
    write_shards(folder / "shards")
    for options in (
        ("--model", "logreg", "--components", "5", "--run", "runs/lr"),
        ("--model", "cnn4", "--epochs", "0", "--run", "runs/net"),
    ):
        done = fermodel("train", "shards", *options, cwd=folder)
        assert done.returncode == 0, done.stderr
    return folder


def test_it_says_what_was_written_and_how_near_it_is(home):
    done = fermodel("export", "--format", "onnx", "--format", "tflite", cwd=home)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "runs/net/export/cnn4.onnx" in done.stdout
    assert "Probabilities compared with the network's own on 38 images" in done.stdout
    assert "Next:  runs/net/export/cnn4.onnx.json says how to prepare a picture" in done.stdout


def test_every_process_writes_the_same_bytes(home, monkeypatch):
    formats = [word for name in ("tflite", "saved-model") for word in ("--format", name)]
    found = []
    for seed in ("1", "2"):
        monkeypatch.setitem(os.environ, "PYTHONHASHSEED", seed)
        out = ("--out", f"app-{seed}", "--json")
        done = fermodel("export", "runs/net", *formats, *out, cwd=home)
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        assert [file["format"] for file in told["files"]] == ["tflite", "saved-model"]
        assert all(file["difference"] <= told["tolerance"] == 1e-4 for file in told["files"])
        folder = home / f"app-{seed}"
        files = [path for path in folder.rglob("*") if path.is_file()]
        found.append({path.relative_to(folder): path.read_bytes() for path in files})
    one, other = found
    assert {str(path) for path in one if one[path] != other[path]} <= {
        "cnn4-saved-model/fingerprint.pb",
        "cnn4-saved-model.json",  # the length of the fingerprint
    }


def test_mistakes_end_with_one_clear_line(home):
    done = fermodel("export", "runs/lr", "--format", "onnx", cwd=home)
    assert_one_clear_line(done, "logreg is a baseline", "expected a network of Keras")
    done = fermodel("export", "nowhere", "--format", "onnx", cwd=home)
    assert_one_clear_line(done, "nowhere: no such folder")
    app = home / "taken"
    app.mkdir()
    (app / "cnn4.tflite").write_text("mine")
    done = fermodel("export", "runs/net", "--format", "tflite", "--out", "taken", cwd=home)
    assert_one_clear_line(
        done, "taken/cnn4.tflite: was not written by an export; remove it", code=2
    )
    assert (app / "cnn4.tflite").read_text() == "mine"
    done = fermodel("export", "runs/net", "--format", "onxn", cwd=home)
    assert done.returncode == 2
    assert "'onxn' is not one of 'onnx', 'tflite', 'saved-model', 'keras'" in done.stderr

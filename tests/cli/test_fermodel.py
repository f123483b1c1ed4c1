"""The `fermodel` program: what it says when all goes well, and when not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_data.shards.index import INDEX_NAME, ClassCount, ShardEntry, ShardIndex, class_weights
from fer_data.shards.npz import encode_npz

CLASS_NAMES = ("anger", "happiness", "neutral")


def fermodel(*arguments, cwd=None, first=None):
    """Runs the program as a user does; modules are looked for in `first` first."""
    paths = os.pathsep.join(filter(None, [str(first or ""), os.environ.get("PYTHONPATH", "")]))
    return subprocess.run(
        [sys.executable, "-m", "fermodel", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"COLUMNS": "120", "PYTHONPATH": paths},
    )


def write_shards(folder: Path) -> None:
    """Shards of 48x48 pictures whose class shows in their brightness."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    entries = []
    counts = {}
    for split, size in (("train", 96), ("validation", 24), ("test", 24)):
        labels = np.arange(size) % 3
        images = rng.integers(0, 60, (size, 48, 48, 1)) + (labels * 70)[:, None, None, None]
        shard = encode_npz(
            {
                "images": images.astype(np.uint8),
                "labels": labels.astype(np.int64),
                "keys": np.array([f"{split}/{n}.png" for n in range(size)]),
                "parents": np.array([""] * size, dtype=np.str_),
            }
        )
        name = f"{split}-00000-of-00001.npz"
        (folder / name).write_bytes(shard.data)
        entries.append(
            ShardEntry(
                file=name,
                split=split,
                num_samples=size,
                bytes=len(shard.data),
                sha256=shard.sha256,
                arrays=shard.arrays,
            )
        )
        counts[split] = {n: ClassCount(original=size // 3, augmented=0) for n in CLASS_NAMES}
    weights = class_weights(dict.fromkeys(CLASS_NAMES, 32))
    index = ShardIndex(
        ferkit_version="0.1.0",
        name="bright faces",
        class_names=CLASS_NAMES,
        image_shape=(48, 48, 1),
        seed=0,
        counts=counts,
        class_weights={"original": weights, "balanced": weights},
        pixel_mean=(0.4,),
        pixel_std=(0.25,),
        leakage={"groups": 0, "samples": {}, "twins": {}},
        lineage={},
        shards=tuple(entries),
    )
    (folder / INDEX_NAME).write_text(index.to_json(), encoding="utf-8")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with shards and one trained run."""
    folder = tmp_path_factory.mktemp("home")
    write_shards(folder / "shards")
    done = fermodel("train", "--epochs", "2", "--batch-size", "16", cwd=folder)
    assert done.returncode == 0, done.stderr
    (folder / "said.txt").write_text(done.stdout + done.stderr)
    return folder


def assert_one_clear_line(done, *parts, code=1):
    assert done.returncode == code
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("Error: ")
    for part in parts:
        assert part in lines[0]
    assert "Traceback" not in done.stdout + done.stderr


def test_train_says_what_it_chose_and_what_to_do_next(home):
    said = (home / "said.txt").read_text()
    assert "Class weights: original, because the shards hold no augmented samples." in said
    assert "Epoch 2/2" in said
    assert "macro" in said
    assert "Next:  fermodel evaluate runs/cnn4-001" in said
    for noise in ("WARNING", "oneDNN", "cuda", "absl", "UserWarning"):
        assert noise not in said
    assert (home / "runs" / "cnn4-001" / "bundle" / "model.keras").exists()


def test_evaluate_takes_the_newest_run(home):
    done = fermodel("evaluate", cwd=home)
    assert done.returncode == 0, done.stderr
    assert "mean of the classes" in done.stdout
    assert "Judged on the test split" in done.stdout
    assert "Wrote runs/cnn4-001/report.html" in done.stdout
    assert (home / "runs" / "cnn4-001" / "report.html").exists()


def test_predict_names_pictures_and_reasons(home):
    faces = home / "faces"
    faces.mkdir()
    picture = cv2.imencode(".png", np.full((60, 50, 3), 200, np.uint8))[1]
    (faces / "bright.png").write_bytes(picture.tobytes())
    (faces / "notes.txt").write_text("no picture")
    done = fermodel("predict", "runs/cnn4-001", "faces", "--json", cwd=home)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["predictions"]
    assert [Path(row["path"]).name for row in rows] == ["bright.png", "notes.txt"]
    assert rows[0]["class_name"] in CLASS_NAMES
    assert rows[1]["reason"] == "not-an-image"
    done = fermodel("predict", "runs/cnn4-001", "faces", cwd=home)
    assert "whole picture" in done.stdout
    assert "Each picture was taken for one face: --faces finds those" in done.stdout
    done = fermodel("predict", "runs/cnn4-001", "faces/notes.txt", "--csv", cwd=home)
    assert done.returncode == 1
    header, row = done.stdout.splitlines()
    assert header == (
        "path,time,person,face,left,top,width,height,confidence,class,probability,"
        "p_anger,p_happiness,p_neutral,reason,detail"
    )
    assert row == "faces/notes.txt,,,,,,,,,,,,,,not-an-image,begins with b'no pictu'"


def test_predict_writes_what_is_asked_for(home):
    photos = home / "photos"
    photos.mkdir()
    for name, level in (("dark.png", 20), ("bright.jpg", 210)):
        cv2.imwrite(str(photos / name), np.full((60, 50, 3), level, np.uint8))
    (photos / "cut.png").write_bytes((photos / "dark.png").read_bytes()[:60])
    asked = ("--out", "faces.jsonl", "--annotate", "seen", "--grid", "grid.png")
    done = fermodel("predict", "runs/cnn4-001", "photos/*", *asked, cwd=home)
    assert done.returncode == 0, done.stderr
    assert "2 faces on 2 of 3 files" in done.stdout
    assert "was taken for one face" not in done.stdout  # no table of faces
    for path in ("faces.jsonl", "seen", "grid.png"):
        assert f"Wrote {path}" in done.stdout
    rows = [json.loads(line) for line in (home / "faces.jsonl").read_text().splitlines()]
    assert [row["path"] for row in rows] == [
        "photos/bright.jpg", "photos/cut.png", "photos/dark.png",
    ]  # fmt: skip
    assert [row["face"] for row in rows] == [1, None, 1]
    assert sorted(path.name for path in (home / "seen").iterdir()) == ["bright.jpg", "dark.png"]
    assert (home / "grid.png").read_bytes().startswith(b"\x89PNG")


def test_json_is_one_object_on_standard_output(home):
    done = fermodel("models", "--json")
    assert json.loads(done.stdout)["cnn4"]["num_parameters"] == 594_888
    done = fermodel("models", "random-forest", "--json")
    taken = {"model", "seed", "class_weights", "components", "folds", "limit"}
    assert set(json.loads(done.stdout)["settings"][""]) == taken
    listed = json.loads(fermodel("models", "cnn4", "--json").stdout)["settings"]["gentle"]
    assert {"epochs", "optimizer"} < set(listed)
    assert not {"components", "folds", "limit"} & set(listed)
    config = ("--config", "runs/cnn4-001/settings.toml", "--mixup", "0.2", "--devices", "all")
    done = fermodel("train", *config, "--dry-run", "--json", cwd=home)
    plan = json.loads(done.stdout)
    assert (plan["training_samples"], plan["epochs"], plan["devices"]) == (96, 2, 1)
    assert (plan["augment"]["mixup"], plan["augment"]["rotation"]) == (0.2, 10.0)
    assert not (home / "runs" / "cnn4-002").exists()


def test_a_run_is_not_resumed_with_other_settings(home):
    done = fermodel("train", "--resume", "--lr", "0.5", cwd=home)
    assert_one_clear_line(done, "runs/cnn4-001", "learning_rate", "without --resume")


def test_mistakes_end_with_one_clear_line(home, tmp_path):
    done = fermodel("train", cwd=tmp_path)
    assert_one_clear_line(done, "shards: no such folder", "ferdata pack")
    done = fermodel("train", "--model", "cnn5", cwd=home)
    assert_one_clear_line(done, 'unknown network "cnn5"', 'Did you mean "cnn4"?', code=2)
    done = fermodel("train", "--resume", cwd=tmp_path)
    assert_one_clear_line(done, "no run in it")
    done = fermodel("evaluate", "nothing", cwd=tmp_path)
    assert_one_clear_line(done, "nothing: no such folder")
    done = fermodel("evaluate", "runs/cnn4-001", "runs", cwd=home)
    assert_one_clear_line(done, "runs: neither a run nor shards in it", "fermodel train")
    done = fermodel("predict", "nothing", "face.png", "--out", "faces.xlsx", cwd=tmp_path)
    assert_one_clear_line(done, "faces.xlsx: expected a name that ends with .csv", code=2)
    done = fermodel("predict", "nothing", "face.png", cwd=tmp_path)
    assert_one_clear_line(done, "nothing: no such folder", "fermodel train")


def test_several_runs_are_judged_together(home):
    done = fermodel("train", "--model", "logreg", "--components", "3", "--run", "other", cwd=home)
    assert done.returncode == 0, done.stderr
    done = fermodel("evaluate", "runs/cnn4-001", "other", "shards", cwd=home)
    assert done.returncode == 0, done.stderr
    assert "runs/ensemble-001 on the test split" in done.stdout
    assert "mean of the probabilities" in done.stdout
    assert "fermodel predict" not in done.stdout
    done = fermodel("evaluate", "other", "runs/cnn4-001", "--out", "other", cwd=home)
    assert_one_clear_line(done, "other: is in use; name a folder", code=2)


def test_damaged_shards_end_with_one_clear_line(tmp_path):
    write_shards(tmp_path / "shards")
    path = tmp_path / "shards" / "train-00000-of-00001.npz"
    data = path.read_bytes()
    path.write_bytes(data[:-9])
    assert_one_clear_line(fermodel("train", cwd=tmp_path), path.name, "the index says")
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 1
    path.write_bytes(flipped)
    assert_one_clear_line(fermodel("train", cwd=tmp_path), path.name)
    (tmp_path / "shards" / INDEX_NAME).write_text("{}")
    assert_one_clear_line(fermodel("train", cwd=tmp_path), "index.json", "ferdata pack")


def test_wrong_usage_exits_with_2(home):
    for wrong, said in (
        (("--class-weights", "some"), "'some' is not one of"),
        (("--devices", "0"), "'0' is neither a number above 0 nor 'all'."),
    ):
        done = fermodel("train", *wrong, cwd=home)
        assert done.returncode == 2
        assert said in done.stderr
    done = fermodel("compare", "--models", "vgg16", "--weights", "w.h5", cwd=home)
    assert done.returncode == 2
    assert "'w.h5' is not of the form MODEL=FILE." in done.stderr
    for option in ("--seeds", "--epochs", "--limit"):
        done = fermodel("compare", "runs/a", "runs/b", option, "3", cwd=home)
        assert done.returncode == 2
        assert "--limit and --weights are of trainings: add --models" in done.stderr
    done = fermodel("predict", "runs/cnn4-001", "faces", "--csv", "--json", cwd=home)
    assert done.returncode == 2
    assert "--csv or --json, not both" in done.stderr


def test_a_baseline_is_trained_judged_and_used_without_tensorflow(home):
    hidden = home / "hidden"
    (hidden / "tensorflow").mkdir(parents=True, exist_ok=True)
    (hidden / "tensorflow" / "__init__.py").write_text("raise ImportError('not for baselines')")
    options = ("--model", "logreg", "--components", "5", "--folds", "2")
    done = fermodel("train", "shards", *options, "--run", "lr", cwd=home, first=hidden)
    assert done.returncode == 0, done.stderr
    assert "Fold 2 of 2" in done.stderr
    assert "Cross-validation on the train split" in done.stdout
    assert "validation accuracy" in done.stdout
    done = fermodel("evaluate", "lr", cwd=home, first=hidden)
    assert done.returncode == 0, done.stderr
    assert (home / "lr" / "report.html").is_file()
    done = fermodel("evaluate", "lr", "shards", "--tta", "flip", "--json", cwd=home, first=hidden)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["tta"] == "flip"
    cv2.imwrite(str(home / "face.png"), np.full((60, 60), 150, np.uint8))
    done = fermodel("predict", "lr", "face.png", "--json", cwd=home, first=hidden)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["predictions"][0]["class_name"] in CLASS_NAMES
    done = fermodel("predict", "lr", "face.png", "--tta", "ten-crop", cwd=home, first=hidden)
    assert done.returncode == 0, done.stderr
    assert "probabilities are the mean over ten views" in done.stdout
    done = fermodel("compare", "--models", "logreg,svm", "--limit", "60", cwd=home, first=hidden)
    assert done.returncode == 0, done.stderr
    assert "macro-F1" in done.stdout
    again = fermodel("compare", "--models", "logreg,svm", "--limit", "60", "--json", cwd=home)
    assert "Taken up: svm, seed 0" in again.stderr
    assert [row["name"] for row in json.loads(again.stdout)["rows"]] == ["logreg", "svm"]
    assert (home / "comparison" / "comparison.html").is_file()


def test_an_audit_of_a_baseline_writes_decisions(home):
    """It needs no TensorFlow either."""
    assert fermodel("train", "--model", "logreg", "--run", "runs/audited", cwd=home).returncode == 0
    done = fermodel("audit", "runs/audited", "--folds", 2, "--top", 3, cwd=home)
    assert done.returncode == 0, done.stderr
    assert "Fold 2 of 2: learns from 48 samples, judges 48." in done.stderr
    assert "ferdata filter --decisions runs/audited/audit/train/decisions.csv" in done.stdout
    wrong = fermodel("audit", "runs/audited", "--folds", 1, cwd=home)
    assert (wrong.returncode, wrong.stderr) == (2, "Error: folds must be 2 or more; received 1\n")


def test_what_a_baseline_cannot_be_told_is_said_in_one_line(home):
    done = fermodel("train", "shards", "--model", "svm", "--batch-size", "8", cwd=home)
    assert_one_clear_line(
        done, "svm is a baseline and has no --batch-size; it takes --seed", code=2
    )
    done = fermodel("train", "shards", "--model", "cnn4", "--folds", "3", cwd=home)
    assert_one_clear_line(
        done, "cnn4 is a network and has no --folds; `ferdata split --folds`", code=2
    )
    done = fermodel("train", "shards", "--model", "svm", "--folds", "70", cwd=home)
    assert done.returncode == 2
    assert "fewer than 70 folds; ask for fewer --folds" in done.stderr.splitlines()[-1]
    done = fermodel("compare", "--models", "cn4", cwd=home)
    assert_one_clear_line(done, 'unknown network "cn4"', 'Did you mean "cnn4"', code=2)
    done = fermodel("train", "shards", "--model", "svm", "--dry-run", "--json", cwd=home)
    assert json.loads(done.stdout)["components"] == 100


def test_a_network_of_ones_own_is_trained_and_used(home):
    (home / "mine.py").write_text(
        "import keras\n"
        "from fer_models.zoo.blocks import flatten, pixels_in, softmax_head\n"
        "def small(spec):\n"
        "    return keras.Sequential([*pixels_in(spec), *flatten(spec), *softmax_head(spec)])\n"
    )
    done = fermodel("train", "--model", "mine.py:small", "--epochs", "1", cwd=home)
    assert done.returncode == 0, done.stderr
    assert "Wrote runs/mine-001/bundle" in done.stdout
    for noise in ("WARNING", "oneDNN", "cuda", "absl"):
        assert noise not in done.stderr
    (home / "mine.py").rename(home / "gone.py")
    done = fermodel("evaluate", "runs/mine-001", cwd=home)
    assert done.returncode == 0, done.stderr
    page = (home / "runs" / "mine-001" / "report.html").read_text("utf-8")
    assert "<title>mine on " in page  # not by the path of its file
    done = fermodel("train", "--model", "mine.py:small", cwd=home)
    assert_one_clear_line(done, "mine.py: no such file", "small(spec)", code=2)
    done = fermodel("train", "--model", "gone.py:small", "--preset", "large", cwd=home)
    assert_one_clear_line(done, "gone.py:small has no presets", code=2)


def test_weights_that_cannot_be_had_end_with_one_clear_line(home, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # where nobody answers
    done = fermodel("train", "--model", "mobilenet", "--run", "runs/offline", cwd=home)
    url = "https://storage.googleapis.com/tensorflow/keras-applications/mobilenet/mobilenet_1_0_128"
    assert_one_clear_line(done, url, "Connection refused", "--weights FILE", "--weights none")
    assert not (home / "runs" / "offline").exists()
    done = fermodel("train", "--model", "mobilenet", "--weights", "body.h5", cwd=home)
    assert_one_clear_line(done, "body.h5: no such file", "mobilenet's backbone")
    done = fermodel("train", "--weights", "body.h5", cwd=home)
    assert_one_clear_line(done, "cnn4 starts from random weights", "mobilenet", code=2)

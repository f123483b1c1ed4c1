"""`fermodel embed`: what it says when all goes well, and when not."""

from __future__ import annotations

import json

import pytest

from tests.cli.test_fermodel import assert_one_clear_line, fermodel, write_shards


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with shards and two runs: of a network that has learned nothing, of a baseline."""
    folder = tmp_path_factory.mktemp("home")
    write_shards(folder / "shards")
    for options in (
        ("--model", "logreg", "--components", "5", "--run", "runs/lr"),
        ("--model", "dnn", "--epochs", "0", "--run", "runs/dnn"),
    ):
        done = fermodel("train", "shards", *options, cwd=folder)
        assert done.returncode == 0, done.stderr
    return folder


def test_it_takes_the_newest_run_and_says_where_to_look(home):
    done = fermodel("embed", "--pixels", cwd=home)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert '24 test samples, 128 values each: the input of the layer "probabilities"' in done.stdout
    assert "Named rightly by their 10 nearest others" in done.stdout
    assert "mean of the classes" in done.stdout
    assert "Next:  open runs/dnn/embeddings/test.html" in done.stdout
    assert (home / "runs" / "dnn" / "embeddings" / "test-pca.svg").is_file()


def test_a_baseline_needs_no_tensorflow_and_gives_json(home):
    hidden = home / "hidden"
    (hidden / "tensorflow").mkdir(parents=True)
    (hidden / "tensorflow" / "__init__.py").write_text("raise ImportError('not for baselines')")
    arguments = ("embed", "runs/lr", "--method", "pca,tsne", "--limit", "9", "--json")
    done = fermodel(*arguments, cwd=home, first=hidden)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["split"], told["num_samples"], told["num_values"]) == ("test", 9, 5)
    assert told["projections"] == ["pca", "tsne"]
    assert 0 <= told["neighbours"]["network"]["balanced_accuracy"] <= 1
    assert all((home / path).is_file() for path in told["written"])


def test_mistakes_end_with_one_clear_line(home):
    hidden = home / "broken"
    (hidden / "umap").mkdir(parents=True)
    (hidden / "umap" / "__init__.py").write_text("raise ImportError('numba is too old')")
    done = fermodel("embed", "runs/lr", "--method", "umap", cwd=home, first=hidden)
    assert_one_clear_line(done, "numba is too old", "pip install 'ferkit[embed]'")
    done = fermodel("embed", "runs/lr", "--method", "umpa", cwd=home)
    assert_one_clear_line(done, 'unknown method "umpa"', 'Did you mean "umap"', code=2)
    done = fermodel("embed", "runs/lr", "--method", "tsne", "--limit", "2", cwd=home)
    assert_one_clear_line(done, "tsne needs 4 samples or more; received 2", code=2)
    done = fermodel("embed", "runs/lr", "--split", "training", cwd=home)
    assert_one_clear_line(done, 'unknown split "training"', code=2)
    done = fermodel("embed", "nowhere", cwd=home)
    assert_one_clear_line(done, "nowhere: no such folder")

"""Ensembles: the mean of several runs, what is written of it, and which runs go together."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from fer_data.errors import SettingsError
from fer_data.shards.index import read_index
from fer_data.shards.reader import read_split
from fer_models import session, train
from fer_models.baselines.training import train_baseline
from fer_models.corruptions import CORRUPTIONS
from fer_models.ensemble import ENSEMBLE_NAME, Ensemble, sort_places
from fer_models.errors import MissingRunError, OtherSettingsError
from fer_models.evaluate import evaluate
from fer_models.predict import Predictor
from fer_models.settings import TrainSettings
from tests.fer_models.tiny_network import build_plain, build_tiny

SIZES = {"train": [60], "validation": [20], "test": [45]}
FIGURES = ("accuracy", "balanced_accuracy", "macro_f1", "log_loss")


@pytest.fixture(scope="module")
def home(tmp_path_factory, shard_writer):
    """A network without convolutions, one with them, and a baseline, all on the same shards."""
    folder = tmp_path_factory.mktemp("ensemble")
    shard_writer(folder / "shards", SIZES, image_shape=(12, 12, 1))
    for name, build in (("plain", build_plain), ("tiny", build_tiny)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(session, "build_network", build)
            train.train(folder / "shards", folder / name, TrainSettings(epochs=1, batch_size=16))
    settings = TrainSettings(model="logreg", components=5)
    train_baseline(folder / "shards", folder / "logreg", settings)
    return folder


@pytest.fixture
def runs(home):
    return [home / name for name in ("plain", "tiny", "logreg")]


@pytest.fixture(scope="module")
def samples(home):
    return read_split(home / "shards", read_index(home / "shards"), "test")


@pytest.mark.parametrize("tta", ["none", "flip", "ten-crop"])
def test_an_ensemble_is_the_mean_of_its_members(runs, samples, tta):
    done = []
    found = Ensemble.load(runs, tta).predict(samples.images, lambda *counts: done.append(counts))
    each = [Predictor.load(run, tta).predict(samples.images) for run in runs]
    np.testing.assert_allclose(found, np.mean(each, axis=0), rtol=0, atol=1e-6)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=0, atol=1e-6)
    assert done == sorted(done)
    assert done[-1] == (45, 45)
    turned = Ensemble.load(runs[::-1], tta).predict(samples.images)
    np.testing.assert_allclose(turned, found, rtol=0, atol=1e-7)


def test_an_ensemble_of_one_is_that_one_to_the_bit(runs, samples):
    for run in runs:
        expected = Predictor.load(run).predict(samples.images)
        np.testing.assert_array_equal(Ensemble.load([run]).predict(samples.images), expected)


def test_the_first_that_can_says_what_it_looked_at(runs, samples):
    classes = samples.labels[:4]
    plain, tiny, logreg = (Ensemble.load([run]) for run in runs)
    assert plain.attend(samples.images[:4], classes) is None
    assert logreg.attend(samples.images[:4], classes) is None
    found = Ensemble.load(runs).attend(samples.images[:4], classes)
    np.testing.assert_array_equal(found, tiny.attend(samples.images[:4], classes))


def test_an_evaluation_says_what_each_is_worth(runs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = []
    report = evaluate(runs, on_progress=lambda *counts: done.append(counts), latex=True)
    out_dir = report.run_dir
    assert str(out_dir) == "runs/ensemble-001"
    assert done[-1] == (45, 45)
    told = json.loads((out_dir / "metrics.json").read_text())["test"]
    assert told["log_loss"] == report.judgement.metrics.log_loss
    assert [each["run"] for each in told["members"]] == [str(run) for run in runs]
    for run, said in zip(runs, told["members"], strict=True):
        alone = evaluate(run, out_dir=tmp_path / run.name).judgement.metrics
        assert [said[name] for name in FIGURES] == [getattr(alone, name) for name in FIGURES]
    about = json.loads((out_dir / ENSEMBLE_NAME).read_text())
    for run, member in zip(runs, about["members"], strict=True):
        assert member["run"] == str(run)
        assert member["model_sha256"] == Predictor.load(run).bundle.model_sha256
    page = report.report_path.read_text(encoding="utf-8")
    assert "What each network is worth" in page
    assert all(page.count(str(run)) >= 3 for run in runs)
    assert "<h2>Learning</h2>" not in page
    assert f"--split test --out {out_dir}" in page
    assert "Mean of 3 networks on" in (out_dir / "classes.tex").read_text(encoding="utf-8")
    assert str(evaluate(runs[:2]).run_dir) == "runs/ensemble-002"


def test_groups_and_worse_pictures_are_judged_by_the_mean(runs, samples, tmp_path):
    done = []
    report = evaluate(
        runs[::2], out_dir=tmp_path / "out", by=["source"], corruptions=True,
        on_progress=lambda *counts: done.append(counts),
    )  # fmt: skip
    assert done == sorted(done)
    assert done[-1][0] == done[-1][1] == 45 * (1 + sum(len(d.strengths) for d in report.damages))
    both = Ensemble.load(runs[::2])

    def accuracy(images):
        return np.mean(both.predict(images).argmax(axis=1) == samples.labels)

    dark = next(each for each in CORRUPTIONS if each.name == "darker")
    (found,) = (damage for damage in report.damages if damage.name == "darker")
    expected = [accuracy(dark(samples.images, strength)) for strength in dark.strengths]
    assert found.accuracy == pytest.approx(expected)
    assert report.groupings[0].groups[0].accuracy.value == pytest.approx(accuracy(samples.images))


def test_one_run_is_judged_as_ever_wherever_it_is_written(runs, tmp_path):
    there, here = evaluate(runs[1]), evaluate(runs[1], out_dir=tmp_path / "here")
    assert not (runs[1] / ENSEMBLE_NAME).exists()
    assert (tmp_path / "here" / ENSEMBLE_NAME).exists()
    said = [report.run_dir / "predictions.csv" for report in (there, here)]
    assert said[0].read_bytes() == said[1].read_bytes()
    assert there.judgement.to_json() == here.judgement.to_json()
    page = here.report_path.read_text(encoding="utf-8")
    assert "<h2>Learning</h2>" in page
    assert "What each network is worth" not in page


def test_splits_and_views_of_the_same_runs_share_a_folder(runs, tmp_path):
    out_dir = tmp_path / "both"
    evaluate(runs[:2], out_dir=out_dir)
    evaluate(runs[1::-1], split="validation", out_dir=out_dir)
    report = evaluate(runs[:2], tta="flip", out_dir=out_dir)
    assert report.judgement.metrics.accuracy < 1
    assert 'class="heat"' in report.report_path.read_text(encoding="utf-8")
    assert set(json.loads((out_dir / "metrics.json").read_text())) == {
        "test", "validation", "test, flip",
    }  # fmt: skip
    for others in (runs, runs[:1], runs[1:]):
        with pytest.raises(SettingsError, match="both: is in use; name a folder that is empty"):
            evaluate(others, out_dir=out_dir)
    with pytest.raises(SettingsError, match="is in use"):
        evaluate(runs[:2], out_dir=runs[2])
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="is in use"):
        evaluate(runs[:2], out_dir=tmp_path / "file")


def test_bundles_that_stand_alone_are_judged_on_shards_that_are_named(home, runs, tmp_path):
    shutil.copytree(runs[0] / "bundle", tmp_path / "lone")
    with pytest.raises(SettingsError, match="lone: a bundle names no shards"):
        evaluate([runs[1], tmp_path / "lone"], out_dir=tmp_path / "out")
    with pytest.raises(SettingsError, match="lone: a bundle; add --out"):
        evaluate(tmp_path / "lone", home / "shards")
    report = evaluate([runs[1], tmp_path / "lone"], home / "shards", out_dir=tmp_path / "out")
    expected = evaluate(runs[1::-1], out_dir=tmp_path / "runs").judgement.to_json()
    assert report.judgement.to_json() == expected
    alone = evaluate(tmp_path / "lone", home / "shards", out_dir=tmp_path / "one")
    assert alone.judgement.to_json() == evaluate(runs[0]).judgement.to_json()


def test_runs_that_do_not_go_together_are_refused(home, runs, shard_writer, tmp_path):
    for name, form in (("classes", {"class_names": ("a", "b")}), ("shape", {})):
        side = 12 if name == "classes" else 9
        shard_writer(tmp_path / name, SIZES, image_shape=(side, side, 1), **form)
        settings = TrainSettings(model="logreg", components=5)
        train_baseline(tmp_path / name, tmp_path / f"{name}-run", settings)
    with pytest.raises(OtherSettingsError, match="classes-run: class_names a, b; expected those"):
        Ensemble.load([runs[0], tmp_path / "classes-run"])
    with pytest.raises(OtherSettingsError, match="shape-run: image_shape 9, 9, 1; expected those"):
        Ensemble.load([runs[0], tmp_path / "shape-run"])
    with pytest.raises(SettingsError, match="plain: named twice"):
        Ensemble.load([runs[0], home / "tiny" / ".." / "plain"])


def test_runs_on_different_shards_need_some_to_be_judged_on(home, runs, shard_writer, tmp_path):
    shard_writer(tmp_path / "others", SIZES, image_shape=(12, 12, 1), seed=1)
    settings = TrainSettings(model="logreg", components=5)
    train_baseline(tmp_path / "others", tmp_path / "other", settings)
    mixed = [runs[0], tmp_path / "other"]
    with pytest.raises(SettingsError, match=r"other: was trained on other shards than .*--shards"):
        evaluate(mixed, out_dir=tmp_path / "out")
    report = evaluate(mixed, home / "shards", out_dir=tmp_path / "out")
    (note,) = [note for note in report.notes if "not the shards" in note]
    assert f"{tmp_path / 'other'} learned from" in note


def test_places_are_told_apart_by_what_they_hold(home, runs, tmp_path):
    shards = home / "shards"
    assert sort_places([]) == ((), None)
    assert sort_places([runs[0], shards]) == ((runs[0],), shards)
    assert sort_places([shards, *runs]) == (tuple(runs), shards)
    assert sort_places([runs[0] / "bundle"], shards) == ((runs[0] / "bundle",), shards)
    for named in (None, shards):
        with pytest.raises(SettingsError, match="name one folder of shards"):
            sort_places([shards, shards][: 1 if named else 2], named)
    with pytest.raises(MissingRunError, match=r"none: no such folder; expected a run .* or shards"):
        sort_places([runs[0], tmp_path / "none"])
    with pytest.raises(MissingRunError, match="neither a run nor shards in it"):
        sort_places([tmp_path])

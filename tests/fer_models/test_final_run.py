"""Final runs: validation is learned from too, the last epoch is kept, and nobody hides it."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from fer_data.errors import SettingsError
from fer_data.shards.index import read_index
from fer_data.shards.reader import read_split
from fer_models import session, train
from fer_models.audit import AuditSettings, _fold_settings, audit
from fer_models.bundle import read_bundle
from fer_models.compare import compare_runs
from fer_models.errors import OtherSettingsError
from fer_models.evaluate import evaluate
from fer_models.events import BatchDone, EpochDone, RunStarted
from fer_models.plan import plan_training
from fer_models.request import complete_request
from fer_models.run import read_history
from fer_models.settings import TrainSettings
from fer_models.stream import ShardStream, StreamSettings
from fer_models.teachers import check_teachers
from tests.fer_models.same_run import assert_same_run
from tests.fer_models.tiny_network import build_tiny

SHAPE = (8, 8, 1)
FINAL = TrainSettings(
    epochs=3, batch_size=16, learning_rate=3e-3, seed=3, patience=1, precision="float32",
    with_validation=True,
)  # fmt: skip
SIZES = {"train": [40, 17], "validation": [20, 12], "test": [30]}


@pytest.fixture(autouse=True)
def tiny_network(monkeypatch):
    monkeypatch.setattr(session, "build_network", build_tiny)


@pytest.fixture(scope="module")
def home(tmp_path_factory, shard_writer):
    """Shards, a final run on them and its events."""
    folder = tmp_path_factory.mktemp("final")
    shard_writer(folder / "shards", SIZES, image_shape=SHAPE)
    events = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "build_network", build_tiny)
        report = train.train(folder / "shards", folder / "run", FINAL, events.append)
    return folder, report, events


@pytest.mark.parametrize("cache_bytes", [2**30, 0])
def test_several_splits_are_streamed_as_one(make_shards, cache_bytes):
    folder, index = make_shards(SIZES, image_shape=SHAPE)
    options = StreamSettings(batch_size=16, seed=5, cache_bytes=cache_bytes)
    stream = ShardStream(folder, index, ("train", "validation"), options)
    parts = [read_split(folder, index, split) for split in ("train", "validation")]
    images = np.concatenate([part.images for part in parts])
    labels = np.concatenate([part.labels for part in parts])
    np.testing.assert_array_equal(stream.labels(), labels)
    drawn = []
    for shown, said, numbers in stream.shuffled(1, numbered=True):
        np.testing.assert_array_equal(shown, images[numbers])
        np.testing.assert_array_equal(said, labels[numbers])
        drawn += numbers.numpy().tolist()
    assert sorted(drawn) == list(range(89))
    alone = ShardStream(folder, index, ("train",), options)
    usual = ShardStream(folder, index, "train", options)
    for one, other in zip(alone.shuffled(1), usual.shuffled(1), strict=True):
        np.testing.assert_array_equal(one[0], other[0])
    assert alone.state(1, 2) == usual.state(1, 2)


def test_a_final_run_keeps_its_last_epoch_whatever_the_loss(home):
    folder, report, events = home
    assert (report.stopped, report.best_epoch, report.validation) == ("finished", 3, None)
    started = next(event for event in events if isinstance(event, RunStarted))
    assert (started.num_samples, started.num_validation, started.num_batches) == (89, 0, 6)
    assert any("the last one is kept" in note for note in started.notes)
    assert not any(event.is_best for event in events if isinstance(event, EpochDone))
    rows = read_history(folder / "run")
    assert len(rows) == 3, "patience stops nothing"
    assert all(row.validation_macro_f1 is None for row in rows)
    bundle = read_bundle(folder / "run" / "bundle")
    assert (bundle.epoch, bundle.splits) == (3, ("train", "validation"))
    assert not (folder / "run" / "metrics.json").exists()


def test_the_last_epoch_is_kept_where_an_earlier_one_was_better(home, tmp_path, monkeypatch):
    fit = session.fit_epoch

    def fit_worse(*arguments, **options):
        progress = fit(*arguments, **options)
        epoch = arguments[4] + 1
        return dataclasses.replace(progress, loss_sum=float(epoch * progress.samples))

    monkeypatch.setattr(session, "fit_epoch", fit_worse)
    report = train.train(home[0] / "shards", tmp_path / "run", FINAL)
    assert [row.loss for row in read_history(tmp_path / "run")] == [1, 2, 3]
    assert report.best_epoch == read_bundle(tmp_path / "run" / "bundle").epoch == 3


def test_a_killed_and_resumed_final_run_is_the_same_run(home, tmp_path):
    class KilledError(Exception):
        pass

    def kill(event):
        if isinstance(event, BatchDone) and event.epoch == 3:
            raise KilledError

    with pytest.raises(KilledError):
        train.train(home[0] / "shards", tmp_path / "killed", FINAL, kill)
    report = train.train(home[0] / "shards", tmp_path / "killed", FINAL, resume=True)
    assert report.best_epoch == 3
    assert_same_run(home[0] / "run", tmp_path / "killed")


def test_what_was_learned_from_is_said_wherever_it_is_judged(home):
    run_dir = home[0] / "run"
    learned = "Judged on the validation split, as asked. It was learned from: this says nothing"
    assert evaluate(run_dir, split="validation").notes[0].startswith(learned)
    report = evaluate(run_dir)
    assert (report.split, report.notes[0]) == (
        "test", "Judged on the test split, which training never looked at.",
    )  # fmt: skip
    assert set(json.loads((run_dir / "metrics.json").read_text())) == {"validation", "test"}
    (run_dir / "metrics.json").unlink()
    with pytest.raises(OtherSettingsError, match="learned from the validation split itself"):
        audit(run_dir, settings=AuditSettings(split="validation"))
    said = f"{run_dir} learned from the validation split"
    for split, expected in (("validation", 1), ("test", 0)):
        notes = compare_runs([run_dir], split, lambda _: None).notes
        assert sum(note.startswith(said) for note in notes) == expected


def test_a_teacher_that_learned_validation_is_told_of(home):
    index = read_index(home[0] / "shards")
    for splits, expected in ((("train",), 1), (("train", "validation"), 0)):
        notes = check_teachers([str(home[0] / "run")], home[0] / "shards", index, splits)
        assert sum("learned from the validation split" in note for note in notes) == expected


def test_bundles_of_before_learned_from_train(home, tmp_path):
    fields = json.loads((home[0] / "run" / "bundle" / "bundle.json").read_text())
    del fields["splits"]
    (tmp_path / "bundle.json").write_text(json.dumps(fields))
    assert read_bundle(tmp_path).splits == ("train",)


def test_folds_of_an_audit_have_no_validation_split(home):
    bundle = read_bundle(home[0] / "run" / "bundle")
    assert not _fold_settings(FINAL, bundle, 0).with_validation


def test_mistakes_are_told_before_anything_is_written(home, make_shards, tmp_path):
    folder, _ = make_shards({"train": [20]}, image_shape=SHAPE)
    with pytest.raises(SettingsError, match="no samples in the validation split, which with_val"):
        train.train(folder, tmp_path / "run", FINAL)
    assert not (tmp_path / "run").exists()
    plan = plan_training(home[0] / "shards", FINAL).to_json()
    assert (plan["training_samples"], plan["validation_samples"]) == (89, 0)
    asked = {"with_validation": True, "patience": 0}
    settings = complete_request(home[0] / "shards", None, asked, resume=False).settings
    assert settings.train_splits == ("train", "validation")
    with pytest.raises(SettingsError, match="--patience waits for .* --with-validation learns"):
        complete_request(home[0] / "shards", None, {**asked, "patience": 3}, resume=False)
    with pytest.raises(SettingsError, match="logreg is a baseline and has no --with-validation"):
        complete_request(home[0] / "shards", None, {**asked, "model": "logreg"}, resume=False)

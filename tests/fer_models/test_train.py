"""Training: what a run folder holds, when it stops, and that a resumed run is the same run."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
from pathlib import Path

import keras
import numpy as np
import pytest

from fer_data.errors import (
    DamagedShardError,
    InUseError,
    MissingShardsError,
    SettingsError,
    UnknownNameError,
)
from fer_data.lock import holding
from fer_models import fitting, generators, history_rules, session, train, zoo
from fer_models.augmentation import AugmentSettings
from fer_models.checkpoint import read_checkpoint
from fer_models.errors import DamagedRunError, DivergedError, MissingRunError, OtherSettingsError
from fer_models.events import BatchDone, EpochDone, RunStarted
from fer_models.plan import plan_training
from fer_models.request import complete_request
from fer_models.run import (
    HistoryRow,
    claim_run_dir,
    history_row,
    read_history,
    read_record,
    write_record,
)
from fer_models.settings import TrainSettings, settings_from_json
from tests.fer_models.same_run import assert_same_run
from tests.fer_models.tiny_network import build_tiny

SHAPE = (8, 8, 1)


@pytest.fixture(autouse=True)
def tiny_network(monkeypatch):
    monkeypatch.setattr(session, "build_network", build_tiny)


def choose(**changes):
    usual = TrainSettings(
        epochs=4, batch_size=16, learning_rate=3e-3, augment=AugmentSettings(), seed=3
    )
    return dataclasses.replace(usual, **changes)


@pytest.fixture
def shards_dir(make_shards):
    return make_shards({"train": [40, 40, 17], "validation": [30]}, image_shape=SHAPE)[0]


class KilledError(Exception):
    pass


def kill_after(epoch, batch=1):
    def on_event(event):
        if isinstance(event, BatchDone) and (event.epoch, event.batch) >= (epoch + 1, batch):
            raise KilledError

    return on_event


def test_a_run_folder_holds_all_there_is_to_know(shards_dir, tmp_path):
    events = []
    settings = choose(ema=0.9, tensorboard=True)
    report = train.train(shards_dir, tmp_path / "run", settings, events.append)
    assert isinstance(events[0], RunStarted)
    assert [e.row.epoch for e in events if isinstance(e, EpochDone)] == [1, 2, 3, 4]
    assert report.stopped == "finished"
    run = tmp_path / "run"
    assert {path.name for path in run.iterdir()} == {
        "settings.toml",
        "history.csv",
        "metrics.json",
        "checkpoints",
        "bundle",
        "tensorboard",
        "figures",
    }
    assert {path.name for path in (run / "figures").iterdir()} == {"curves.png", "curves.svg"}
    assert read_record(run).settings == settings
    assert read_record(run).shards_dir == shards_dir.resolve()
    history = read_history(run)
    assert [row.epoch for row in history] == [1, 2, 3, 4]
    best = max(history, key=lambda row: row.validation_macro_f1)
    assert report.best_epoch == best.epoch
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["validation"]["macro_f1"] == pytest.approx(best.validation_macro_f1, rel=1e-4)
    bundle = json.loads((run / "bundle" / "bundle.json").read_text())
    assert bundle["epoch"] == best.epoch
    assert not list(run.rglob("*.tmp"))


@pytest.mark.parametrize(
    ("moment", "schedule", "others"),
    [
        ("between epochs", "cosine", {"warmup": 1.5, "ema": 0.9}),
        ("in an epoch", "plateau", {"drop_every": 1, "optimizer": "adamw", "weight_decay": 0.01}),
    ],
)
def test_a_killed_and_resumed_run_is_the_same_run(
    shards_dir, tmp_path, monkeypatch, moment, schedule, others
):
    settings = choose(schedule=schedule, epochs=3, **others)
    whole = train.train(shards_dir, tmp_path / "whole", settings)
    with monkeypatch.context() as changed:
        if moment == "in an epoch":
            settings = dataclasses.replace(settings, save_minutes=0.0)  # after each batch
        changed.setattr(fitting, "_SECONDS_BETWEEN_EVENTS", 0.0)
        with pytest.raises(KilledError):
            train.train(shards_dir, tmp_path / "killed", settings, kill_after(2, batch=4))
    assert len(read_history(tmp_path / "killed")) == 2
    last = read_checkpoint(tmp_path / "killed" / "checkpoints" / "last.npz")
    assert last.progress.batches == (3 if moment == "in an epoch" else 0)
    events = []
    resumed = train.train(shards_dir, tmp_path / "killed", settings, events.append, resume=True)
    assert events[0].epochs_done == 2
    assert_same_run(tmp_path / "whole", tmp_path / "killed")
    assert resumed.best_epoch == whole.best_epoch


def test_a_run_is_trained_by_one_at_a_time(shards_dir, tmp_path):
    settings = choose(epochs=2)
    train.train(shards_dir, tmp_path / "run", settings)
    with (
        holding(tmp_path / "run", "fermodel train"),
        pytest.raises(InUseError, match="run: `fermodel train`"),
    ):
        train.train(shards_dir, tmp_path / "run", settings, resume=True)
    train.train(shards_dir, tmp_path / "run", settings, resume=True)
    assert not list(tmp_path.rglob(".lock"))


def test_a_signal_saves_in_the_middle_of_an_epoch(shards_dir, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(fitting, "_SECONDS_BETWEEN_EVENTS", 0.0)
    settings = choose(epochs=2)
    train.train(shards_dir, tmp_path / "whole", settings)
    number = signal.SIGTERM  # heard as SIGINT is
    handler = signal.getsignal(number)

    def on_event(event):
        if isinstance(event, BatchDone) and event.batch == 2:
            os.kill(os.getpid(), number)

    report = train.train(shards_dir, tmp_path / "stopped", settings, on_event)
    assert (report.stopped, report.history, report.best_epoch) == ("interrupted", (), 0)
    assert "saving after this batch; once more stops at once" in caplog.text
    last = read_checkpoint(tmp_path / "stopped" / "checkpoints" / "last.npz")
    assert last.progress.batches == 2
    assert signal.getsignal(number) is handler
    train.train(shards_dir, tmp_path / "stopped", settings, resume=True)
    assert_same_run(tmp_path / "whole", tmp_path / "stopped")


def test_same_seed_same_run_and_another_seed_another(shards_dir, tmp_path):
    losses = [
        train.train(shards_dir, tmp_path / str(n), choose(seed=seed, epochs=1)).history[0].loss
        for n, seed in enumerate((1, 1, 2))
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    assert losses[0] != pytest.approx(losses[2], rel=1e-3)


def test_resuming_a_finished_run_changes_nothing(shards_dir, tmp_path):
    first = train.train(shards_dir, tmp_path / "run", choose(epochs=2))
    again = train.train(shards_dir, tmp_path / "run", choose(epochs=2), resume=True)
    assert [row.epoch for row in again.history] == [1, 2]
    assert again.best_epoch == first.best_epoch


def test_what_does_not_fit_a_run_is_refused(shards_dir, make_shards, tmp_path):
    settings, run = choose(epochs=1), tmp_path / "run"
    train.train(shards_dir, run, settings)
    with pytest.raises(OtherSettingsError, match=r"learning_rate 0\.003, not 0\.5"):
        train.train(shards_dir, run, choose(epochs=1, learning_rate=0.5), resume=True)
    elsewhere, _ = make_shards({"train": [20]}, "others", image_shape=SHAPE)
    with pytest.raises(OtherSettingsError, match="other shards"):
        train.train(elsewhere, run, settings, resume=True)
    started = read_record(run)
    assert started.backend == keras.backend.backend()
    others = {"mixed_bfloat16": "float32", "float32": "mixed_bfloat16"}
    for name, value in (("precision", others[started.precision]), ("backend", "numpy")):
        write_record(run, dataclasses.replace(started, **{name: value}))
        message = f"started with {name} {value}, which is {getattr(started, name)} here"
        with pytest.raises(OtherSettingsError, match=message):
            train.train(shards_dir, run, settings, resume=True)
    write_record(run, dataclasses.replace(started, backend=""))  # as older versions did
    with pytest.raises(MissingRunError, match="no such folder"):
        train.train(shards_dir, tmp_path / "none", choose(), resume=True)
    path = run / "checkpoints" / "last.npz"
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DamagedRunError, match=r"last\.npz"):
        train.train(shards_dir, run, settings, resume=True)


def test_a_run_folder_in_use_is_refused_and_the_usual_names_count_up(
    shards_dir, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)

    def claim(run_dir):
        claimed = claim_run_dir(run_dir, "cnn4")
        (claimed / "settings.toml").touch()
        return str(claimed)

    assert [claim(None), claim(None)] == ["runs/cnn4-001", "runs/cnn4-002"]
    (tmp_path / "mine").mkdir()
    assert [claim(Path("mine")), claim(Path("exp-2024"))] == ["mine", "exp-2024"]
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").touch()
    for name, message in (("exp-2024", "holds a run; add --resume, or"), ("notes", "is in use")):
        with pytest.raises(SettingsError, match=f"^{name}: {message}"):
            claim(Path(name))
        with pytest.raises(SettingsError, match=f"^{name}: {message}"):
            complete_request(shards_dir, Path(name), {}, resume=False)
    for model in ("cnn4", "logreg"):
        with pytest.raises(SettingsError, match="received none"):
            train.train(shards_dir, None, choose(model=model), resume=True)
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["cnn4-001", "cnn4-002"]


def test_no_epochs_only_build_the_network(shards_dir, tmp_path):
    from fer_models.bundle import load_network, read_bundle

    events = []
    report = train.train(shards_dir, tmp_path / "run", choose(epochs=0), events.append)
    assert (report.stopped, report.history, report.best_epoch) == ("built", (), 0)
    assert "0 epochs: the network is only built; nothing is trained." in events[0].notes
    bundle = read_bundle(tmp_path / "run" / "bundle")
    assert bundle.epoch == 0
    built = session.build_planned(train.plan_training(shards_dir, choose()), "float32")
    written = load_network(tmp_path / "run" / "bundle", bundle)
    for one, other in zip(built.get_weights(), written.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_ctrl_c_keeps_the_finished_epochs_and_a_bundle(shards_dir, tmp_path):
    def on_event(event):
        if isinstance(event, BatchDone) and event.epoch == 2:
            raise KeyboardInterrupt

    report = train.train(shards_dir, tmp_path / "run", choose(epochs=2), on_event)
    assert (report.stopped, len(report.history), report.best_epoch) == ("interrupted", 1, 1)
    assert (tmp_path / "run" / "bundle" / "bundle.json").exists()
    curves = tmp_path / "run" / "figures" / "curves.svg"
    assert "best: 1" in curves.read_text(encoding="utf-8")
    one_epoch = curves.read_bytes()
    again = train.train(shards_dir, tmp_path / "run", choose(epochs=2), resume=True)
    assert again.stopped == "finished"
    assert curves.read_bytes() != one_epoch


def test_a_loss_that_is_no_number_ends_the_run_with_a_reason(shards_dir, tmp_path):
    with pytest.raises(DivergedError, match=r"loss became .* in epoch .*smaller --lr than 1e\+38"):
        train.train(shards_dir, tmp_path / "run", choose(learning_rate=1e38))


@pytest.mark.parametrize("validation", [[30], []])
def test_weights_that_are_lost_in_the_last_step_are_not_kept(make_shards, tmp_path, validation):
    folder, _ = make_shards({"train": [50], "validation": validation}, image_shape=SHAPE)
    settings = choose(learning_rate=1e30, batch_size=1000, epochs=1)
    with pytest.raises(DivergedError, match=r"weights grew beyond .* in epoch 1; nothing was lear"):
        train.train(folder, tmp_path / "run", settings)
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["settings.toml"]


def test_an_epoch_that_gives_no_numbers_is_not_kept(shards_dir, tmp_path, monkeypatch):
    judge = session.judge

    def judged_in_vain(*arguments):
        return dataclasses.replace(judge(*arguments), log_loss=float("nan"))

    monkeypatch.setattr(session, "judge", judged_in_vain)
    with pytest.raises(DivergedError, match="validation loss became nan in epoch 1"):
        train.train(shards_dir, tmp_path / "run", choose(epochs=1))
    assert not (tmp_path / "run" / "bundle").exists()


def test_training_stops_when_nothing_gets_better(shards_dir, tmp_path):
    report = train.train(
        shards_dir, tmp_path / "run", choose(learning_rate=1e-12, epochs=9, patience=2)
    )
    assert report.stopped == "no better"
    assert len(report.history) == report.best_epoch + 2


def test_the_best_of_equal_epochs_is_the_earliest():
    row = history_row(dict.fromkeys([f.name for f in dataclasses.fields(HistoryRow)], "1"))
    rows = [dataclasses.replace(row, epoch=n, validation_macro_f1=f) for n, f in
            ((1, 0.2), (2, 0.5), (3, 0.5))]  # fmt: skip
    assert history_rules.best_epoch(tuple(rows)) == 2
    unjudged = [dataclasses.replace(row, epoch=n, validation_macro_f1=None, loss=loss)
                for n, loss in ((1, 0.5), (2, 0.3), (3, 0.4))]  # fmt: skip
    assert history_rules.best_epoch(tuple(unjudged)) == 2
    assert history_rules.best_epoch(()) == 0


def test_without_validation_the_loss_decides_and_it_is_said(make_shards, tmp_path):
    folder, _ = make_shards({"train": [50]}, image_shape=SHAPE)
    events = []
    report = train.train(folder, tmp_path / "run", choose(epochs=2), events.append)
    assert report.validation is None
    assert any("No validation split" in note for note in events[0].notes)
    assert read_history(tmp_path / "run")[0].validation_loss is None


def test_class_weights_follow_the_augmented_samples(make_shards):
    notes = {}
    for augmented in (0, 3):
        folder, _ = make_shards(
            {"train": [50]}, f"with-{augmented}", augmented=augmented, image_shape=SHAPE
        )
        notes[augmented] = train.plan_training(folder, choose()).notes[0]
    assert notes[0].startswith("Class weights: original, because")
    assert notes[3].startswith("Class weights: balanced, because the shards hold")


def test_the_network_learns(make_shards, tmp_path):
    folder, _ = make_shards({"train": [200], "validation": [60]}, image_shape=SHAPE)
    report = train.train(
        folder, tmp_path / "run", choose(epochs=12, learning_rate=1e-2, augment=None)
    )
    assert report.validation.macro_f1 > 0.8


def test_bfloat16_trains_and_the_bundle_is_float32(shards_dir, tmp_path):
    from fer_models.bundle import load_network, read_bundle

    train.train(shards_dir, tmp_path / "run", choose(epochs=1, precision="mixed_bfloat16"))
    bundle_dir = tmp_path / "run" / "bundle"
    network = load_network(bundle_dir, read_bundle(bundle_dir))
    assert {layer.compute_dtype for layer in network.layers} == {"float32"}


def test_mistakes_are_told_before_anything_is_written(make_shards, tmp_path):
    with pytest.raises(MissingShardsError, match="no such folder"):
        train.train(tmp_path / "none", tmp_path / "run", choose())
    folder, index = make_shards({"train": [20]}, image_shape=SHAPE)
    with pytest.raises(UnknownNameError, match=r'unknown network "cnn5".*Did you mean "cnn4"'):
        train.train(folder, tmp_path / "run", choose(model="cnn5"))
    (folder / index.shards[0].file).unlink()
    with pytest.raises(DamagedShardError, match=index.shards[0].file):
        train.train(folder, tmp_path / "run", choose())
    assert not (tmp_path / "run").exists()


def test_settings_survive_their_json():
    for settings in (choose(), choose(augment=None, distill=("/a", "/b"))):
        fields = settings.to_json()
        assert json.loads(json.dumps(fields)) == fields
        assert settings_from_json(fields) == settings
    with pytest.raises(SettingsError, match="not the settings of a training run"):
        settings_from_json({"speed": 3})


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("epochs", -1, "epochs must be 0 or more; received -1"),
        ("patience", -1, "patience must be 0 or more; received -1"),
        ("learning_rate", 0.0, "learning_rate must be above 0; received 0.0"),
        ("class_weights", "balance", 'Did you mean "balanced"'),
    ],
)
def test_wrong_settings_are_refused(field, value, message):
    with pytest.raises(SettingsError, match=message):
        choose(**{field: value})


def test_a_request_is_completed_by_defaults_or_by_the_run(shards_dir, tmp_path, monkeypatch):
    asked = complete_request(shards_dir, None, {"epochs": 5, "augment": False}, resume=False)
    assert asked.settings == dataclasses.replace(
        zoo.network_defaults("cnn4"), epochs=5, augment=None
    )
    (tmp_path / "run").mkdir()
    write_record(
        tmp_path / "run", train._record(shards_dir, plan_training(shards_dir, choose(epochs=1)))
    )
    asked = complete_request(None, tmp_path / "run", {"epochs": None}, resume=True)
    assert (asked.settings, asked.shards_dir) == (choose(epochs=1), shards_dir.resolve())
    with pytest.raises(MissingShardsError):
        complete_request(tmp_path / "none", None, {}, resume=False)


def test_fewer_epochs_than_usual_shorten_what_counts_in_epochs(shards_dir, tmp_path):
    def complete(config=None, **said):
        settings = complete_request(shards_dir, None, said, resume=False, config=config).settings
        return settings.epochs, settings.warmup, settings.first_side, settings.grow_epochs

    assert complete(model="fer-lite") == (60, 10, 32, 36)
    assert complete(model="fer-lite", epochs=90) == (90, 10, 32, 36)
    assert complete(model="fer-lite", epochs=5) == (5, 5, 32, 3)
    assert complete(model="fer-lite", epochs=1) == (1, 1, 0, 0)
    said = {"epochs": 5, "warmup": 1.0, "first_side": 40, "grow_epochs": 4}
    assert complete(model="fer-lite", **said) == (5, 1, 40, 4)
    config = tmp_path / "settings.toml"
    config.write_text('model = "fer-lite"\nepochs = 20\nwarmup = 6\ngrow_epochs = 10\n')
    assert complete(config) == (20, 6, 32, 10)
    assert complete(config, epochs=10) == (10, 6, 32, 5)


def test_dropout_draws_anew_each_epoch_and_the_same_again(shards_dir):
    plan = train.plan_training(shards_dir, choose())
    network = session.build_planned(plan, "float32")

    def states():
        weights = {id(w) for w in network.weights}
        return [np.array(v) for v in network.variables if id(v) not in weights]

    drawn = []
    for epoch in (0, 1, 0):
        generators.seed_generators(network, 5, epoch)
        drawn.append(states())
    assert len(drawn[0]) == 2
    np.testing.assert_array_equal(drawn[0], drawn[2])
    assert (np.array(drawn[0]) != np.array(drawn[1])).all()

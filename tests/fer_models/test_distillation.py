"""Distillation: what teachers say is learned beside the labels, and a run keeps its teachers."""

from __future__ import annotations

import dataclasses
import shutil

import numpy as np
import pytest

from fer_data.errors import SettingsError
from fer_data.shards.index import read_index
from fer_data.shards.reader import read_split
from fer_models import session, train
from fer_models.audit import _fold_settings
from fer_models.bundle import read_bundle
from fer_models.errors import MissingBundleError, OtherSettingsError
from fer_models.events import BatchDone, TeacherAsked
from fer_models.plan import plan_training
from fer_models.predict import Predictor
from fer_models.request import complete_request
from fer_models.run import read_history
from fer_models.settings import TrainSettings
from fer_models.targets import make_targets
from fer_models.teachers import ask_teachers
from tests.fer_models.same_run import assert_same_run
from tests.fer_models.tiny_network import build_tiny

SHAPE = (8, 8, 1)
PLAIN = TrainSettings(epochs=2, batch_size=16, learning_rate=3e-3, seed=3, precision="float32")
SIZES = {"train": [40, 0, 17], "validation": [30]}


@pytest.fixture(autouse=True)
def tiny_network(monkeypatch):
    monkeypatch.setattr(session, "build_network", build_tiny)


@pytest.fixture(scope="module")
def home(tmp_path_factory, shard_writer):
    """Shards, and two teachers: a network and a baseline."""
    folder = tmp_path_factory.mktemp("distillation")
    shard_writer(folder / "shards", SIZES, image_shape=SHAPE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "build_network", build_tiny)
        train.train(folder / "shards", folder / "tiny", PLAIN)
    train.train(folder / "shards", folder / "logreg", TrainSettings(model="logreg", components=5))
    return folder


def taught_by(*teachers, **changes):
    return dataclasses.replace(PLAIN, distill=tuple(map(str, teachers)), **changes)


def test_teachers_say_the_mean_of_an_image_and_its_mirror_image(home):
    index, asked = read_index(home / "shards"), []
    teachers = [str(home / "tiny" / "bundle"), str(home / "logreg")]
    found = ask_teachers(teachers, home / "shards", index, ("train", "validation"), asked.append)
    assert asked == [TeacherAsked(teacher=teacher, num_samples=87) for teacher in teachers]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
    parts = [read_split(home / "shards", index, split) for split in ("train", "validation")]
    images = np.concatenate([part.images for part in parts])
    expected = [
        Predictor.load(teacher).predict(shown)
        for teacher in teachers
        for shown in (images, images[:, :, ::-1].copy())
    ]
    np.testing.assert_allclose(found, np.mean(expected, axis=0), atol=1e-6)


def test_targets_are_the_blend_of_labels_and_teacher(make_shards):
    folder, _ = make_shards({"train": [6]})
    labels, numbers = np.array([0, 2, 1, 1]), np.array([5, 0, 3, 1])
    taught = np.random.default_rng(0).dirichlet(np.ones(3), 6).astype(np.float32)
    perfect = np.zeros((6, 3), np.float32)
    perfect[numbers] = one_hot = np.eye(3, dtype=np.float32)[labels]

    def targets(weight, says=taught, **settings):
        plan = plan_training(folder, TrainSettings(distill_weight=weight, **settings))
        plan = dataclasses.replace(
            plan, settings=dataclasses.replace(plan.settings, distill=("made",))
        )
        return make_targets(plan, folder, says if weight else None)(labels, numbers)

    np.testing.assert_array_equal(targets(0.0), labels)
    np.testing.assert_array_equal(targets(1.0), taught[numbers])
    for weight in (0.2, 0.7):
        found = targets(weight).numpy()
        np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
        expected = (1 - weight) * one_hot + weight * taught[numbers]
        np.testing.assert_allclose(found, expected, atol=1e-6)
        np.testing.assert_allclose(targets(weight, perfect), one_hot, atol=1e-6)
        smoothed = targets(weight, label_smoothing=0.3).numpy()
        label_part = (1 - weight) * (one_hot * 0.7 + 0.1)
        np.testing.assert_allclose(smoothed, label_part + weight * taught[numbers], atol=1e-6)


def test_a_teacher_of_no_weight_changes_nothing(home, tmp_path):
    plain = train.train(home / "shards", tmp_path / "plain", PLAIN)
    events = []
    settings = taught_by(home / "logreg", distill_weight=0.0)
    found = train.train(home / "shards", tmp_path / "taught", settings, events.append)
    assert [row.loss for row in found.history] == [row.loss for row in plain.history]
    assert found.validation.log_loss == plain.validation.log_loss
    assert not any(isinstance(event, TeacherAsked) for event in events)


def test_what_the_teacher_says_is_learned_against_the_labels(home, tmp_path, monkeypatch):
    def says_the_next_class(_teachers, shards_dir, index, splits, _on_event):
        assert splits == ("train",)
        labels = read_split(shards_dir, index, "train").labels
        return np.eye(3, dtype=np.float32)[(labels + 1) % 3]

    monkeypatch.setattr(train, "ask_teachers", says_the_next_class)
    settings = taught_by(home / "tiny", distill_weight=1.0, epochs=25, learning_rate=1e-2)
    train.train(home / "shards", tmp_path / "run", dataclasses.replace(settings, patience=0))
    last = read_history(tmp_path / "run")[-1]
    assert last.accuracy > 0.7, "of what the teacher says"
    assert last.validation_accuracy < 0.2


def test_a_killed_and_resumed_run_is_the_same_run(home, tmp_path):
    class KilledError(Exception):
        pass

    def kill(event):
        if isinstance(event, BatchDone) and event.epoch == 2:
            raise KilledError

    settings = taught_by(home / "tiny", home / "logreg")
    train.train(home / "shards", tmp_path / "whole", settings)
    with pytest.raises(KilledError):
        train.train(home / "shards", tmp_path / "killed", settings, kill)
    train.train(home / "shards", tmp_path / "killed", settings, resume=True)
    assert_same_run(tmp_path / "whole", tmp_path / "killed")


def test_a_run_goes_on_with_its_own_teacher_only(home, tmp_path):
    teacher = tmp_path / "teacher"
    shutil.copytree(home / "logreg", teacher)
    settings = taught_by(teacher, epochs=1)
    train.train(home / "shards", tmp_path / "run", settings)
    shutil.rmtree(teacher)
    shutil.copytree(home / "tiny", teacher)
    with pytest.raises(OtherSettingsError, match=f"started with another network in {teacher}"):
        train.train(home / "shards", tmp_path / "run", settings, resume=True)
    shutil.rmtree(teacher)
    with pytest.raises(MissingBundleError, match=f"{teacher}: no such folder"):
        train.train(home / "shards", tmp_path / "run", settings, resume=True)


def test_teachers_of_other_classes_or_images_are_refused(home, make_shards, tmp_path):
    names = ("anger", "neutral", "happiness")
    for name, options, said in (
        (
            "classes",
            {"class_names": names},
            "class_names anger, neutral, happiness; .* trained for",
        ),
        ("sizes", {"image_shape": (9, 8, 1)}, "image_shape 9, 8, 1; .* trained for 8, 8, 1"),
    ):
        folder, _ = make_shards(SIZES, name, **{"image_shape": SHAPE, **options})
        with pytest.raises(OtherSettingsError, match=f"logreg: cannot be the teacher .*{said}"):
            train.train(folder, tmp_path / "run", taught_by(home / "logreg"))
        assert not (tmp_path / "run").exists()


def test_the_plan_names_the_teachers(home, make_shards):
    teachers = (home / "tiny", home / "logreg")
    plan = plan_training(home / "shards", taught_by(*teachers))
    said = f"Distillation: what {teachers[0]}, {teachers[1]} (mean of 2) says of each sample"
    assert any(note.startswith(said) for note in plan.notes)
    assert not any("other shards" in note for note in plan.notes)
    assert plan.to_json()["distill"] == [str(teacher) for teacher in teachers]
    elsewhere, _ = make_shards(SIZES, "others", image_shape=SHAPE, seed=1)
    notes = plan_training(elsewhere, taught_by(home / "tiny")).notes
    assert any("tiny was trained on other shards: if samples" in note for note in notes)


def test_teachers_are_asked_for_by_any_path(home, monkeypatch):
    monkeypatch.chdir(home)
    asked = {"distill": ("tiny", "logreg"), "distill_weight": 0.4}
    settings = complete_request(home / "shards", None, asked, resume=False).settings
    assert settings.distill == (str(home / "tiny"), str(home / "logreg"))
    with pytest.raises(SettingsError, match="--distill-weight is that of --distill RUN"):
        complete_request(home / "shards", None, {"distill_weight": 0.4}, resume=False)
    with pytest.raises(SettingsError, match="logreg is a baseline and has no --distill"):
        complete_request(home / "shards", None, {**asked, "model": "logreg"}, resume=False)


def test_folds_of_an_audit_have_no_teacher(home):
    """It has seen the fold that is judged."""
    bundle = read_bundle(home / "tiny" / "bundle")
    assert _fold_settings(taught_by(home / "tiny"), bundle, 3).distill == ()

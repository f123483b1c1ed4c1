"""Audits: nobody is judged by what learned from them, decisions are taken by the filter."""

from __future__ import annotations

import csv
import dataclasses
import json
import re
from types import SimpleNamespace

import numpy as np
import pytest

from fer_data.errors import SettingsError, UnknownNameError
from fer_data.shards.index import read_index
from fer_data.shards.parts import write_train_part
from fer_data.shards.reader import read_split
from fer_data.shards.verify import verify_shards
from fer_data.verdicts import read_decisions
from fer_models import fold_predictions, session
from fer_models.audit import AuditSettings, _fold_settings, audit
from fer_models.errors import OtherSettingsError
from fer_models.events import EpochDone
from fer_models.settings import TrainSettings
from fer_models.train import train
from fer_models.zoo import network_defaults
from tests.fer_models.tiny_network import build_plain
from tests.made_shards import assert_same, make_samples, make_shards

NAMES = ("anger", 'say "a", b', "<b>joy</b>")
WRONG = 12  # the first so many labels


def made(split, count, copies=0, wrong=0):
    """The class shows in which rows are bright; the first `wrong` labels are the next class."""
    rng = np.random.default_rng(count)
    true = np.arange(count) % len(NAMES)
    images = rng.integers(0, 40, (count, 6, 6, 1))
    images += 90 * (np.arange(6)[:, None, None] // 2 == true[:, None, None, None])
    labels = np.where(np.arange(count) < wrong, (true + 1) % len(NAMES), true)
    keys = [f'{split}/"{n}", é.png' for n in range(count)]
    parents = [""] * count + keys[:copies]
    keys += [f"{key}#1" for key in keys[:copies]]
    images, labels = (np.concatenate([x, x[:copies]]) for x in (images, labels))
    return make_samples(images.astype(np.uint8), labels.tolist(), keys, parents)


@pytest.fixture(scope="module")
def shards_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("audit") / "shards"
    splits = {"train": made("train", 120, 30, WRONG), "validation": made("validation", 30, wrong=3)}
    make_shards(folder, splits, NAMES, shard_samples=64, name="<i>tiny</i>")
    return folder


@pytest.fixture(scope="module")
def baseline(shards_dir):
    run_dir = shards_dir.parent / "logreg"
    settings = dataclasses.replace(network_defaults("logreg"), components=6)
    train(shards_dir, run_dir, settings)
    return run_dir


def read_csv(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_wrong_labels_come_first_and_the_filter_takes_them(shards_dir, baseline):
    report = audit(baseline, settings=AuditSettings(num_folds=4, top=WRONG))
    samples = read_split(shards_dir, read_index(shards_dir), "train")
    wrong = {str(key) for key in samples.keys[:WRONG]}
    assert set(read_decisions(report.decisions_path).drop) == wrong
    assert report.num_decisions == WRONG
    assert report.num_samples == 120, "copies are not looked at"
    suspects = read_csv(report.decisions_path.with_name("suspects.csv"))
    assert len(suspects) == report.num_suspects >= WRONG
    assert [row["key"] for row in suspects[:WRONG]] == [
        row["key"] for row in read_csv(report.decisions_path)
    ]
    found = json.loads((report.decisions_path.with_name("audit.json")).read_text("utf-8"))
    assert found == json.loads(json.dumps(report.to_json()))
    assert all(path.exists() for path in report.written)


def test_a_relabelling_names_the_likely_class(shards_dir, baseline):
    settings = AuditSettings(num_folds=4, top=WRONG, action="relabel")
    relabel = read_decisions(audit(baseline, settings=settings).decisions_path).relabel
    assert relabel == {f'train/"{n}", é.png': NAMES[n % len(NAMES)] for n in range(WRONG)}


def test_other_splits_are_judged_by_the_run_itself(shards_dir, baseline, tmp_path):
    report = audit(baseline, settings=AuditSettings(split="validation", top=3))
    drop = set(read_decisions(report.decisions_path).drop)
    assert drop == {f'validation/"{n}", é.png' for n in range(3)}
    make_shards(tmp_path / "other", {"validation": made("validation", 30)}, NAMES)
    with pytest.raises(OtherSettingsError, match="not the shards the run was trained on"):
        audit(baseline, tmp_path / "other", AuditSettings(split="validation"))


def test_nobody_is_judged_by_what_learned_from_them_or_their_copies(
    shards_dir, baseline, monkeypatch
):
    learned = []
    write = fold_predictions.write_train_part

    def watch(folder, index, samples):
        learned.append({str(key).partition("#")[0] for key in samples.keys})
        return write(folder, index, samples)

    judged = []
    predict = fold_predictions.Predictor.predict

    def see(self, images, on_progress=None):
        judged.append({picture.tobytes() for picture in images})
        return predict(self, images, on_progress)

    monkeypatch.setattr(fold_predictions, "write_train_part", watch)
    monkeypatch.setattr(fold_predictions.Predictor, "predict", see)
    audit(baseline, settings=AuditSettings(num_folds=3, seed=5))
    samples = read_split(shards_dir, read_index(shards_dir), "train")
    pixels = {str(key): x.tobytes() for key, x in zip(samples.keys, samples.images, strict=True)}
    assert len(learned) == len(judged) == 3
    for keys, pictures in zip(learned, judged, strict=True):
        assert not {pixels[key] for key in keys} & pictures
    assert set().union(*judged) == set(pixels.values())


def test_the_same_audit_trains_nothing_twice(baseline, monkeypatch):
    settings = AuditSettings(num_folds=4)
    first = audit(baseline, settings=settings)
    monkeypatch.setattr(fold_predictions, "_learn", None)
    said = []
    again = audit(baseline, settings=dataclasses.replace(settings, top=5), say=said.append)
    np.testing.assert_array_equal(first.errors.margins, again.errors.margins)
    assert said == [f"Fold {number} of 4: finished before." for number in range(1, 5)]
    damaged = list((baseline / "audit").glob("folds-*/fold-2.npz"))  # of other tests' audits too
    for path in damaged:
        path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(TypeError):  # it would be learned again
        audit(baseline, settings=settings)
    for path in damaged:
        path.unlink()


def test_an_interrupted_audit_goes_on_and_comes_to_the_same(shards_dir, tmp_path, monkeypatch):
    monkeypatch.setattr(session, "build_network", build_plain)
    settings = TrainSettings(epochs=3, batch_size=32, patience=0, precision="float32")
    for name in ("whole", "halted"):
        train(shards_dir, tmp_path / name, settings)
    asked = AuditSettings(num_folds=2)
    whole = audit(tmp_path / "whole", settings=asked)
    seen = []

    def halt(event):
        seen.extend([event] * isinstance(event, EpochDone))
        if len(seen) == 4:  # the first of the second fold
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        audit(tmp_path / "halted", settings=asked, on_event=halt)
    said = []
    halted = audit(tmp_path / "halted", settings=asked, say=said.append)
    np.testing.assert_array_equal(whole.errors.margins, halted.errors.margins)
    assert said[0] == "Fold 1 of 2: finished before."
    left = list((tmp_path / "halted" / "audit").glob("folds-*/*"))
    assert sorted(path.name for path in left) == ["fold-1.npz", "fold-2.npz"]


def test_folds_may_be_shorter_than_what_the_run_took_to_warm_up(shards_dir, tmp_path, monkeypatch):
    monkeypatch.setattr(session, "build_network", build_plain)
    settings = TrainSettings(
        epochs=4, warmup=4, schedule="one-cycle", batch_size=32, patience=0, precision="float32"
    )
    train(shards_dir, tmp_path / "run", settings)
    epochs = []

    def note(event):
        if isinstance(event, EpochDone):
            epochs.append(event.row.epoch)

    asked = AuditSettings(num_folds=2, epochs=1)
    audit(tmp_path / "run", settings=asked, on_event=note)
    assert epochs == [1, 1]


@pytest.mark.parametrize(("best", "grow_epochs"), [(60, 36), (40, 24), (10, 6), (1, 0)])
def test_folds_learn_from_small_images_for_as_large_a_share_of_their_time(best, grow_epochs):
    found = _fold_settings(
        network_defaults("fer-lite"), SimpleNamespace(kind="keras", epoch=best), 0
    )
    assert (found.epochs, found.grow_epochs) == (best, grow_epochs)
    assert bool(found.first_side) == bool(grow_epochs)


def test_a_part_is_whole_shards_with_the_counts_of_its_samples(shards_dir, tmp_path):
    index = read_index(shards_dir)
    samples = read_split(shards_dir, index, "train")
    part = samples.select(np.flatnonzero(np.arange(len(samples)) % 3 != 0))
    kept = set(part.keys.tolist())
    rows = [parent == "" or parent in kept for parent in part.parents.tolist()]
    part = part.select(np.array(rows))
    written = write_train_part(tmp_path / "part", index, part)
    assert read_index(tmp_path / "part") == written
    assert_same(read_split(tmp_path / "part", written, "train"), part)
    problems = [str(each) for each in verify_shards(tmp_path / "part").problems]
    assert not [each for each in problems if "mean" not in each and "std" not in each]


def test_the_page_needs_nothing_from_outside_and_escapes_names(baseline):
    report = audit(baseline, settings=AuditSettings(num_folds=4, top=7))
    page = report.report_path.read_text("utf-8")
    assert not re.findall(r"(?:src|href)=\"(?!data:)", page)
    assert "<b>joy</b>" not in page
    assert page.count("<figure ") == min(14, report.num_suspects)
    assert page.count('value="drop" selected') == 7


def test_wrong_settings_are_refused(shards_dir, baseline, tmp_path, monkeypatch):
    for wrong in ({"num_folds": 1}, {"epochs": -1}, {"action": "burn"}):
        with pytest.raises(SettingsError):
            AuditSettings(**wrong)
    with pytest.raises(UnknownNameError, match="split"):
        audit(baseline, settings=AuditSettings(split="test"))
    with pytest.raises(SettingsError, match="fewer than 60 folds"):
        audit(baseline, settings=AuditSettings(num_folds=60))
    monkeypatch.setattr(session, "build_network", build_plain)
    train(shards_dir, tmp_path / "built", TrainSettings(epochs=0, precision="float32"))
    with pytest.raises(SettingsError, match="only built"):
        audit(tmp_path / "built")

"""Evaluation: what it writes, what it says, and that names cannot break its page."""

from __future__ import annotations

import csv
import json
import os
import shutil
from html.parser import HTMLParser

import numpy as np
import pytest

from fer_data.errors import SettingsError, UnknownNameError
from fer_data.shards.index import read_index
from fer_data.shards.reader import read_split
from fer_models import session, train
from fer_models.corruptions import CORRUPTIONS
from fer_models.errors import MissingRunError, OtherSettingsError
from fer_models.evaluate import evaluate
from fer_models.predict import Predictor
from fer_models.report.charts import nice_ticks
from fer_models.settings import TrainSettings
from tests.edited_index import edit_fields
from tests.fer_models.tiny_network import build_tiny
from tests.made_shards import make_samples, make_shards

SHAPE = (8, 8, 1)
NAMES = ("<script>alert(1)</script>", "Ärger & Wut", '"happy" $x$')
SETTINGS = TrainSettings(epochs=2, batch_size=16)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, shard_writer):
    """A run on shards whose class names are as bad as can be."""
    import keras

    def build(name, spec):
        return keras.Sequential(
            [
                keras.Input(spec.image_shape, dtype="uint8"),
                keras.layers.Rescaling(1 / 255.0),
                keras.layers.Flatten(),
                keras.layers.Dense(spec.num_classes, activation="softmax"),
            ]
        )

    folder = tmp_path_factory.mktemp("evaluate")
    sizes = {"train": [60], "validation": [30], "test": [25, 20]}
    shard_writer(folder / "shards", sizes, image_shape=SHAPE, class_names=NAMES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "build_network", build)
        train.train(folder / "shards", folder / "run", SETTINGS)
    return folder


class Page(HTMLParser):
    """The tags, addresses and text of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.addresses, self.texts = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in {"src", "href"}]

    def handle_data(self, data):
        self.texts.append(data)


def test_evaluate_writes_all_it_promises(trained):
    done = []
    report = evaluate(trained / "run", on_progress=lambda *counts: done.append(counts))
    run = trained / "run"
    assert report.split == "test"
    assert done[-1] == (45, 45)
    assert {path.relative_to(run).as_posix() for path in report.written} == {
        "predictions.csv",
        "metrics.json",
        "report.html",
        *(
            f"figures/{name}.{kind}"
            for name in ("calibration", "confusion", "ranking")
            for kind in ("png", "svg")
        ),
    }
    assert {path.stem for path in (run / "figures").iterdir()} == {
        "calibration", "confusion", "curves", "ranking",
    }  # fmt: skip
    for path in report.written:
        assert path.stat().st_size > 100
    for path in (run / "figures").iterdir():
        start = {".png": b"\x89PNG", ".svg": b"<?xml"}[path.suffix]
        assert path.read_bytes().startswith(start)
    drawn = {path: path.read_bytes() for path in (run / "figures").glob("*.svg")}
    evaluate(run)
    assert {path: path.read_bytes() for path in drawn} == drawn
    metrics = json.loads((run / "metrics.json").read_text())
    assert set(metrics) == {"validation", "test"}
    with (run / "predictions.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 45
    right = np.mean([row["true"] == row["predicted"] for row in rows])
    assert metrics["test"]["accuracy"] == pytest.approx(right)
    assert set(rows[0]) == {"key", "true", "predicted", *(f"p_{name}" for name in NAMES)}


def test_curves_are_drawn_where_those_of_the_training_are_missing_or_older(trained, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(trained / "run", run)
    curves = [run / "figures" / f"curves.{end}" for end in ("png", "svg")]
    as_trained = [path.read_bytes() for path in curves]
    assert not set(curves) & set(evaluate(run).written)
    curves[0].unlink()
    assert set(curves) < set(evaluate(run).written)
    assert [path.read_bytes() for path in curves] == as_trained
    curves[1].write_text("of an epoch before")
    os.utime(curves[1], (1, 1))
    assert set(curves) < set(evaluate(run).written)
    assert [path.read_bytes() for path in curves] == as_trained
    evaluate(run, out_dir=tmp_path / "other")
    assert (tmp_path / "other" / "figures" / "curves.svg").read_bytes() == as_trained[1]


def test_groups_are_judged_and_shown(trained, tmp_path):
    report = evaluate(trained / "run", by=["brightness", "source"])
    assert [grouping.by for grouping in report.groupings] == ["brightness", "source"]
    assert (trained / "run" / "figures" / "groups.png") in report.written
    assert "On which samples" in report.report_path.read_text(encoding="utf-8")
    told = json.loads((trained / "run" / "metrics.json").read_text())["test"]["groups"]
    for grouping in told:
        assert sum(group["num_samples"] for group in grouping["groups"]) == 45
    key = (trained / "run" / "predictions.csv").read_text().splitlines()[1].split(",")[0]
    table = tmp_path / "people.csv"
    table.write_text(f"key,$who$ & <b>\n{key},me\n", encoding="utf-8")
    report = evaluate(trained / "run", by=["$who$ & <b>"], attributes=table)
    groups = report.groupings[0].groups
    assert [(group.name, group.num_samples) for group in groups] == [("me", 1), ("unknown", 44)]
    assert "$who$ &amp; &lt;b&gt;" in report.report_path.read_text(encoding="utf-8")


def test_votes_are_judged_and_shown(trained, tmp_path):
    rng = np.random.default_rng(0)
    votes = rng.integers(0, 6, (40, 3)).astype(np.float32)
    votes[:5] = 0  # nobody was asked
    images = rng.integers(0, 256, (40, *SHAPE), dtype=np.uint8)
    keys = [f"made/{number}.png" for number in range(40)]
    samples = make_samples(images, votes.argmax(axis=1).tolist(), keys, votes=votes)
    make_shards(tmp_path, {"test": samples}, NAMES)
    report = evaluate(trained / "run", tmp_path)
    found = report.judgement.agreement
    assert found.num_samples == votes.any(axis=1).sum()
    assert report.to_json()["metrics"]["agreement"]["people"]["pair_agreement"]["value"] > 0
    page = report.report_path.read_text(encoding="utf-8")
    assert "Beside people" in page
    assert f"{found.agreement.value:.3f}" in page
    assert "Beside people" not in evaluate(trained / "run").report_path.read_text(encoding="utf-8")


def test_figures_of_an_earlier_call_do_not_stay(trained):
    run = trained / "run"
    evaluate(run, by=["source"], latex=True)
    own = run / "figures" / "mine.png"
    own.write_bytes(b"mine")
    report = evaluate(run)
    names = {path.name for path in report.written if path.parent.name == "figures"}
    assert {path.name for path in (run / "figures").iterdir()} == names | {
        "mine.png",
        "curves.png",
        "curves.svg",
    }
    assert not (run / "classes.tex").exists()
    own.unlink()


def test_the_published_accuracy_of_people_is_shown(trained, tmp_path):
    shutil.copytree(trained / "shards", tmp_path / "shards")
    people = {"value": 0.65, "plus_minus": 0.05, "source": "<Müller>"}
    edit_fields(tmp_path / "shards", lambda fields: fields.update(human_accuracy=people))
    report = evaluate(trained / "run", tmp_path / "shards")
    assert "People's accuracy, as published: 65% ± 5 (<Müller>)." in report.notes
    page = report.report_path.read_text(encoding="utf-8")
    assert "people: 65% ± 5 (&lt;Müller&gt;)" in page
    told = json.loads((trained / "run" / "metrics.json").read_text(encoding="utf-8"))
    assert told["test"]["human_accuracy"] == people


def test_a_network_with_convolutions_shows_what_it_looked_at(trained, tmp_path, monkeypatch):
    settings = TrainSettings(epochs=1, batch_size=16)
    monkeypatch.setattr(session, "build_network", build_tiny)
    train.train(trained / "shards", tmp_path / "run", settings)
    page = evaluate(tmp_path / "run").report_path.read_text(encoding="utf-8")
    assert page.count('class="heat"') > 3
    assert "what in the picture speaks for the class that is predicted" in page
    assert 'class="heat"' not in evaluate(trained / "run").report_path.read_text(encoding="utf-8")


def test_the_table_of_classes_is_latex_that_names_cannot_break(trained):
    report = evaluate(trained / "run", latex=True)
    path = trained / "run" / "classes.tex"
    assert path in report.written
    text = path.read_text(encoding="utf-8")
    assert r"Ärger \& Wut & " in text
    assert r'"happy" \$x\$ & ' in text
    assert text.count(r"\\") == 2 + len(NAMES)
    assert len({line.count(" & ") for line in text.splitlines() if line.endswith(r"\\")}) == 1
    assert f"{report.judgement.metrics.macro_f1:.3f}" in text


def test_worse_pictures_are_judged_and_shown(trained):
    done = []
    report = evaluate(
        trained / "run", on_progress=lambda *counts: done.append(counts), corruptions=True
    )
    strengths = sum(len(damage.strengths) for damage in report.damages)
    assert done[-1] == (45 * (1 + strengths), 45 * (1 + strengths))
    assert (trained / "run" / "figures" / "corruptions.png") in report.written
    assert "On worse pictures" in report.report_path.read_text(encoding="utf-8")
    told = json.loads((trained / "run" / "metrics.json").read_text())["test"]["corruptions"]
    assert [each["name"] for each in told] == [damage.name for damage in report.damages]


def test_several_views_are_judged_beside_one(trained):
    run = trained / "run"
    plain = evaluate(run)
    before = (run / "predictions.csv").read_bytes()
    flipped = evaluate(run, tta="flip", latex=True)
    told = json.loads((run / "metrics.json").read_text())
    assert (told["test"]["tta"], told["test, flip"]["tta"]) == ("none", "flip")
    assert told["test"]["log_loss"] == plain.judgement.metrics.log_loss
    assert told["test, flip"]["log_loss"] == flipped.judgement.metrics.log_loss
    assert told["test"]["log_loss"] != told["test, flip"]["log_loss"]
    assert (run / "predictions.csv").read_bytes() == before
    assert run / "predictions-flip.csv" in flipped.written
    assert not any("views" in note or "mirror" in note for note in plain.notes)
    assert any("image and its mirror image" in note for note in flipped.notes)
    page = flipped.report_path.read_text(encoding="utf-8")
    assert "--split test --tta flip" in page
    assert "image and its mirror image" in page
    assert "test split, flip" in (run / "classes.tex").read_text(encoding="utf-8")


def test_worse_pictures_and_groups_are_judged_by_several_views_too(trained):
    samples = read_split(trained / "shards", read_index(trained / "shards"), "test")
    predictor = Predictor.load(trained / "run", "flip")
    report = evaluate(trained / "run", tta="flip", corruptions=True, by=["source"])
    turned = CORRUPTIONS[0](samples.images, CORRUPTIONS[0].strengths[0])
    right = predictor.predict(turned).argmax(axis=1) == samples.labels
    assert report.damages[0].accuracy[0] == pytest.approx(right.mean())
    right = predictor.predict(samples.images).argmax(axis=1) == samples.labels
    assert report.groupings[0].groups[0].accuracy.value == pytest.approx(right.mean())


def test_the_page_escapes_names_and_fetches_nothing(trained):
    page = Page(evaluate(trained / "run").report_path.read_text(encoding="utf-8"))
    assert "script" not in page.tags
    assert any(NAMES[0] in text for text in page.texts)
    assert all(address.startswith("data:image/png;base64,") for address in page.addresses)
    text = (trained / "run" / "report.html").read_text(encoding="utf-8")
    assert "Ärger &amp; Wut" in text
    assert "http" not in text.replace("http-equiv", "")
    assert "url(" not in text


def test_without_a_test_split_validation_is_judged_and_said(trained, shard_writer, tmp_path):
    sizes = {"train": [10], "validation": [30]}
    shard_writer(tmp_path, sizes, image_shape=SHAPE, class_names=NAMES)
    report = evaluate(trained / "run", tmp_path)
    assert report.split == "validation"
    assert any("because there is no test split" in note for note in report.notes)
    assert any("not the shards the run was trained on" in note for note in report.notes)


def test_shards_without_a_split_to_judge_on_are_refused(trained, shard_writer, tmp_path):
    shard_writer(tmp_path, {"train": [10]}, image_shape=SHAPE, class_names=NAMES)
    with pytest.raises(SettingsError, match="neither a test nor a validation split"):
        evaluate(trained / "run", tmp_path)
    assert evaluate(trained / "run", tmp_path, "train").split == "train"
    with pytest.raises(UnknownNameError, match='unknown split "tset"'):
        evaluate(trained / "run", split="tset")


def test_shards_of_another_kind_are_refused(trained, shard_writer, tmp_path):
    shard_writer(tmp_path, {"test": [10]}, image_shape=SHAPE)
    with pytest.raises(OtherSettingsError, match="class_names anger"):
        evaluate(trained / "run", tmp_path)
    with pytest.raises(MissingRunError, match="no such folder"):
        evaluate(trained / "none")


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0.3, 0.31), (1, 1), (0, 1e-9), (2, 900)])
def test_ticks_are_few_and_enclose_the_values(low, high):
    ticks = nice_ticks(low, high)
    assert ticks[0] <= low + 1e-9
    assert ticks[-1] >= high - 1e-9
    assert 3 <= len(ticks) <= 8

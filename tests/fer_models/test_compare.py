"""Comparisons: their figures are those of the runs, and a killed one goes on."""

from __future__ import annotations

import csv
import dataclasses
import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from fer_data.errors import SettingsError, UnknownNameError
from fer_data.shards.index import read_index
from fer_data.shards.reader import read_split
from fer_models import compare, session
from fer_models.baselines import training
from fer_models.baselines.training import train_baseline
from fer_models.compare import compare_models, compare_runs
from fer_models.compare_settings import CompareSettings
from fer_models.comparison import write_comparison
from fer_models.errors import MissingWeightsError, OtherSettingsError
from fer_models.intervals import MEASURED, figures_of, resample
from fer_models.mcnemar import compare_right
from fer_models.metrics import confusion_matrix, measure
from fer_models.predict import Predictor
from fer_models.run import SETTINGS_NAME, read_record
from fer_models.zoo import network_defaults
from tests.made_shards import make_samples, make_shards

NAMES = ("<b>anger</b>", "joy", "neutral")
SETTINGS = CompareSettings(models=("logreg", "mlp"), num_seeds=2, changes=(("components", 6),))


def ignore(_):
    pass


@pytest.fixture(scope="module")
def shards_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compare") / "shards"
    rng = np.random.default_rng(0)

    def made(split, count):
        labels = rng.integers(3, size=count)
        images = rng.integers(0, 150, (count, 6, 6, 1)) + 30 * labels[:, None, None, None]
        keys = [f"{split}/{n}" for n in range(count)]
        return make_samples(images.astype(np.uint8), labels.tolist(), keys)

    splits = {name: made(name, n) for name, n in (("train", 150), ("validation", 60), ("test", 50))}
    make_shards(folder, splits, NAMES, shard_samples=100, name="<i>tiny</i>")
    return folder


@pytest.fixture(scope="module")
def compared(shards_dir):
    out_dir = shards_dir.parent / "out"
    return out_dir, compare_models(shards_dir, out_dir, SETTINGS, ignore)


def test_figures_are_the_mean_of_the_seeds_recomputed_from_the_runs(shards_dir, compared):
    out_dir, comparison = compared
    judged = read_split(shards_dir, read_index(shards_dir), "validation")
    for row in comparison.rows:
        assert row.seeds == (0, 1)
        measured = [
            measure(
                judged.labels,
                Predictor.load(out_dir / "runs" / f"{row.name}-seed{seed}").predict(judged.images),
                NAMES,
            )
            for seed in row.seeds
        ]
        for metric in MEASURED:
            found = row.figures[metric]
            expected = np.mean([getattr(each, metric) for each in measured])
            assert found.value == pytest.approx(expected, abs=1e-12)
            assert found.low <= found.value <= found.high
    first, second = comparison.rows
    assert first.differences == {}
    for metric in MEASURED:
        gap = second.figures[metric].value - first.figures[metric].value
        assert second.differences[metric].value == pytest.approx(gap)


def test_two_runs_are_tested_by_the_samples_that_one_alone_gets_right(compared, tmp_path):
    out_dir, whole = compared
    assert all(row.mcnemar is None for row in whole.rows)  # several seeds: no one answer
    runs = [out_dir / "runs" / name for name in ("logreg-seed0", "mlp-seed0")]
    found = compare_runs(runs, "validation", ignore)
    shards_dir = read_record(runs[0]).shards_dir
    samples = read_split(shards_dir, read_index(shards_dir), "validation")
    first, second = (Predictor.load(run).predict(samples.images).argmax(axis=1) for run in runs)
    right, other = second == samples.labels, first == samples.labels
    test = found.rows[1].mcnemar
    assert found.rows[0].mcnemar is None
    assert (test.only_this, test.only_other) == ((right & ~other).sum(), (other & ~right).sum())
    write_comparison(tmp_path, found)
    told = json.loads((tmp_path / "comparison.json").read_text())["rows"][1]["mcnemar"]
    assert told["p_value"] == test.p_value
    (_, row) = csv.DictReader((tmp_path / "comparison.csv").read_text().splitlines())
    assert float(row["mcnemar_p"]) == pytest.approx(test.p_value, rel=1e-5)
    assert f"{test.only_this} : {test.only_other}, p " in (tmp_path / "comparison.md").read_text()
    assert "McNemar" in (tmp_path / "comparison.html").read_text()
    assert any("McNemar's test, exact" in note for note in found.notes)


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 9))
def test_mcnemars_p_is_that_of_the_binomial_test(only_this, only_other, both):
    right = np.array([True] * only_this + [False] * only_other + [True] * both, np.bool_)
    other = np.array([False] * only_this + [True] * only_other + [True] * both, np.bool_)
    found = compare_right(right, other)
    num = only_this + only_other
    expected = binomtest(only_this, num).pvalue if num else 1.0
    assert (found.only_this, found.only_other) == (only_this, only_other)
    assert found.p_value == pytest.approx(expected, rel=1e-9)
    assert compare_right(other, right).p_value == found.p_value


def test_mcnemars_p_of_many_samples_neither_overflows_nor_vanishes():
    for only_this, only_other in ((40_000, 39_500), (5_000, 3_000)):
        right = np.arange(only_this + only_other) < only_this
        expected = binomtest(only_this, only_this + only_other).pvalue
        assert compare_right(right, ~right).p_value == pytest.approx(expected, rel=1e-6)


def test_all_forms_of_the_table_say_the_same(compared):
    out_dir, comparison = compared
    written = write_comparison(out_dir, comparison, latex=True)
    assert [path.suffix for path in written] == [".html", ".png", ".md", ".csv", ".json", ".tex"]
    latex = (out_dir / "comparison.tex").read_text()
    told = json.loads((out_dir / "comparison.json").read_text())
    rows = list(csv.DictReader((out_dir / "comparison.csv").read_text().splitlines()))
    markdown = (out_dir / "comparison.md").read_text()
    page = (out_dir / "comparison.html").read_text()
    for row, as_json, as_csv in zip(comparison.rows, told["rows"], rows, strict=True):
        assert as_csv["model"] == as_json["name"] == row.name
        for metric in MEASURED:
            value = row.figures[metric].value
            assert as_json["figures"][metric]["value"] == value
            assert float(as_csv[metric]) == pytest.approx(value, abs=1e-6)
            assert f"{value:.3f}" in markdown
            assert f"{value:.3f} [" in latex
            assert f"{value:.3f}" in page
    assert (out_dir / "comparison.png").read_bytes().startswith(b"\x89PNG")
    assert "<i>tiny" not in page
    assert not re.search(r"(src|href)=|url\(|@import", page)  # nothing from outside


def test_what_is_finished_is_taken_up_and_a_killed_comparison_goes_on(
    shards_dir, compared, tmp_path, monkeypatch
):
    _, whole = compared
    written = []
    write = training.write_baseline_bundle

    def killed_at_the_third(run_dir, *args, **fields):
        written.append(run_dir.name)
        if len(written) == 3:  # the run is begun: its settings are there, its bundle is not
            raise KeyboardInterrupt
        return write(run_dir, *args, **fields)

    monkeypatch.setattr(training, "write_baseline_bundle", killed_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        compare_models(shards_dir, tmp_path, SETTINGS, ignore)
    assert (tmp_path / "runs" / "mlp-seed0" / SETTINGS_NAME).exists()
    said: list[str] = []
    again = compare_models(shards_dir, tmp_path, SETTINGS, said.append)
    assert written == ["logreg-seed0", "logreg-seed1", "mlp-seed0", "mlp-seed0", "mlp-seed1"]
    assert sum("Taken up" in sentence for sentence in said) == 2
    assert not list(tmp_path.glob("runs/*-001"))  # none was begun anew beside it

    def without_seconds(comparison):
        return [dataclasses.replace(row, seconds=0.0) for row in comparison.rows]

    assert without_seconds(again) == without_seconds(whole)


def test_a_damaged_result_is_judged_again(shards_dir, tmp_path):
    one = dataclasses.replace(SETTINGS, models=("logreg",), num_seeds=1)
    before = compare_models(shards_dir, tmp_path, one, ignore)
    path = tmp_path / "judged" / "logreg-seed0-validation.npz"
    path.write_bytes(path.read_bytes()[:200])
    said: list[str] = []
    after = compare_models(shards_dir, tmp_path, one, said.append)
    assert not any("Taken up" in sentence for sentence in said)
    assert after.rows[0].figures == before.rows[0].figures


def test_other_settings_want_another_folder(shards_dir, compared):
    out_dir, _ = compared
    other = dataclasses.replace(SETTINGS, changes=(("components", 5),))
    with pytest.raises(
        OtherSettingsError, match=r"started with components 6, not 5\. Compare into another folder"
    ):
        compare_models(shards_dir, out_dir, other, ignore)


def test_the_test_split_is_judged_only_where_asked_and_that_is_said(shards_dir, compared):
    out_dir, on_validation = compared
    assert on_validation.split == "validation"
    assert on_validation.num_samples == 60
    asked = dataclasses.replace(SETTINGS, split="test")
    said: list[str] = []
    on_test = compare_models(shards_dir, out_dir, asked, said.append)
    assert not any("Training" in sentence for sentence in said)  # they are trained already
    assert on_test.num_samples == 50
    assert any("Do this once" in note for note in on_test.notes)
    assert not any("Do this once" in note for note in on_validation.notes)


def test_finished_runs_are_compared_by_their_settings(shards_dir, compared, tmp_path):
    out_dir, whole = compared
    runs = [
        out_dir / "runs" / name
        for name in ("logreg-seed0", "mlp-seed0", "logreg-seed1", "mlp-seed1")
    ]
    found = compare_runs(runs, "validation", ignore)
    assert found.rows == whole.rows
    other = tmp_path / "other"
    samples = read_split(shards_dir, read_index(shards_dir), "train")
    make_shards(other, {"train": samples}, NAMES, shard_samples=30)
    settings = dataclasses.replace(network_defaults("logreg"), components=6)
    train_baseline(other, tmp_path / "run", settings)
    with pytest.raises(OtherSettingsError, match="only runs on the same splits"):
        compare_runs([runs[0], tmp_path / "run"], "validation", ignore)


def test_notes_say_what_the_split_was_for(compared):
    out_dir, whole = compared
    runs = [out_dir / "runs" / name for name in ("logreg-seed0", "mlp-seed0")]
    on_train = compare_runs(runs, "train", ignore)
    assert "Judged on the train split, which they learned from, not on unseen faces." in (
        on_train.notes
    )
    assert not any("best epoch" in note for note in whole.notes)  # baselines have none


def test_a_run_is_no_second_seed_of_itself(compared):
    out_dir, _ = compared
    run_dir = out_dir / "runs" / "logreg-seed0"
    with pytest.raises(SettingsError, match="logreg-seed0: named twice; expected different runs"):
        compare_runs([run_dir, run_dir.parent / ".." / "runs" / run_dir.name], "test", ignore)


def test_what_cannot_work_is_said_before_anything_is_trained(shards_dir, tmp_path):
    settings = CompareSettings(models=("logreg", "cnn4"))
    with pytest.raises(SettingsError, match="cnn4 needs images of 46x46 or more; received 6x6"):
        compare_models(shards_dir, tmp_path / "out", settings, ignore)
    settings = CompareSettings(models=("logreg", "resnet50-svm"), weights=(("resnet50-svm", "w"),))
    with pytest.raises(MissingWeightsError, match="w: no such file"):
        compare_models(shards_dir, tmp_path / "out", settings, ignore)
    assert not (tmp_path / "out").exists()


def test_a_network_is_compared_with_a_baseline(shards_dir, tmp_path, monkeypatch):
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

    monkeypatch.setattr(session, "build_network", build)
    monkeypatch.setattr(compare, "check_image_size", lambda *_: None)
    settings = CompareSettings(
        models=("cnn4", "logreg"), changes=(("epochs", 2), ("components", 6), ("limit", 90))
    )
    comparison = compare_models(shards_dir, tmp_path, settings, ignore)
    network = comparison.rows[0]
    assert network.num_parameters == 6 * 6 * 3 + 3
    assert network.seconds > 0
    told = read_record(tmp_path / "runs" / "logreg-seed0").settings
    usual = network_defaults("logreg").epochs
    assert (told.epochs, told.limit) == (usual, 90)
    told = read_record(tmp_path / "runs" / "cnn4-seed0").settings
    assert (told.epochs, told.components) == (2, 0)


def test_networks_of_ones_own_are_kept_with_the_others(shards_dir, tmp_path):
    models = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "net.py").write_text(
            "import keras\n"
            "def build(spec):\n"
            "    return keras.Sequential([\n"
            "        keras.Input(spec.image_shape, dtype='uint8'), keras.layers.Flatten(),\n"
            "        keras.layers.Dense(spec.num_classes, activation='softmax')])\n"
        )
        models.append(f"{tmp_path / name / 'net.py'}:build")
    settings = CompareSettings(models=tuple(models), changes=(("epochs", 1),))
    compare_models(shards_dir, tmp_path / "out", settings, ignore)
    for name in ("a", "b"):
        assert {path.name for path in (tmp_path / name).iterdir()} <= {"net.py", "__pycache__"}
    assert len(list((tmp_path / "out" / "runs").glob("net-????????-seed0"))) == 2
    said: list[str] = []
    compare_models(shards_dir, tmp_path / "out", settings, said.append)
    assert sum("Taken up" in sentence for sentence in said) == 2
    with (tmp_path / "a" / "net.py").open("a") as file:
        file.write("# changed\n")
    with pytest.raises(OtherSettingsError, match="other lines in the file of .* into another fold"):
        compare_models(shards_dir, tmp_path / "out", settings, ignore)


def test_figures_of_a_confusion_matrix_are_those_of_measure():
    rng = np.random.default_rng(0)
    for num_classes in (2, 4):
        labels = rng.integers(num_classes - 1, size=50)  # the last class has no sample
        probabilities = rng.dirichlet(np.ones(num_classes), size=50).astype(np.float32)
        metrics = measure(labels, probabilities, [str(n) for n in range(num_classes)])
        confusion = confusion_matrix(labels, probabilities.argmax(axis=1), num_classes)
        for name, value in figures_of(confusion.astype(np.float64)).items():
            assert value == pytest.approx(getattr(metrics, name))


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    """Right predictions with probability .7: its interval holds .7 in about 95 of 100 sets."""
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(200):
        labels = rng.integers(2, size=150)
        predicted = np.where(rng.random(150) < 0.7, labels, 1 - labels)
        found = resample(labels, [[predicted]], 2, num_resamples=300).interval("accuracy", 0)
        held += found.low <= 0.7 <= found.high
    assert 180 <= held <= 199


def test_differences_are_paired():
    """Two models wrong on almost the same samples differ surely, though their intervals overlap."""
    rng = np.random.default_rng(2)
    labels = rng.integers(3, size=400)
    wrong = rng.permutation(400)[:160]
    worse = labels.copy()
    worse[wrong] = (labels[wrong] + 1) % 3
    better = worse.copy()
    better[wrong[:12]] = labels[wrong[:12]]
    found = resample(labels, [[worse], [better]], 3)
    assert found.interval("accuracy", 0).high > found.interval("accuracy", 1).low
    assert found.difference("accuracy", 1).excludes_zero
    assert found.difference("accuracy", 1).value == pytest.approx(12 / 400)
    assert not found.difference("accuracy", 0).excludes_zero


def test_seeds_that_differ_widen_the_interval():
    rng = np.random.default_rng(3)
    labels = rng.integers(2, size=500)
    good = np.where(rng.random(500) < 0.9, labels, 1 - labels)
    poor = np.where(rng.random(500) < 0.6, labels, 1 - labels)
    alike = resample(labels, [[good, good]], 2).interval("accuracy", 0)
    apart = resample(labels, [[good, poor]], 2).interval("accuracy", 0)
    assert apart.high - apart.low > 3 * (alike.high - alike.low)


@pytest.mark.parametrize(
    ("fields", "error", "match"),
    [
        ({"models": ()}, SettingsError, "received none"),
        ({"models": ("mlp", "mlp")}, SettingsError, "different networks"),
        ({"models": ("mpl",)}, UnknownNameError, 'Did you mean "mlp"'),
        ({"models": ("mlp",), "num_seeds": 0}, SettingsError, "seeds must be 1 or more"),
        ({"models": ("mlp",), "split": "tset"}, UnknownNameError, 'Did you mean "test"'),
        (
            {"models": ("mlp",), "weights": (("vgg16", "w"),)},
            SettingsError,
            "vgg16 is not compared",
        ),
        ({"models": ("mlp",), "weights": (("mlp", "w"),)}, SettingsError, "random weights; only"),
        ({"models": ("mlp",), "split": "train"}, UnknownNameError, "validation"),
    ],
)
def test_wrong_settings_are_said(fields, error, match):
    with pytest.raises(error, match=match):
        CompareSettings(**fields)

"""Laws of the baselines: they learn, are kept as they are, and see training samples only."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from fer_data.errors import SettingsError
from fer_data.shards.index import read_index
from fer_data.shards.reader import read_split
from fer_data.synth import SynthSettings, draw_face
from fer_models.baselines import fit, projection, svm, training
from fer_models.baselines.fit import BaselineTask, fit_baseline, say_nothing
from fer_models.baselines.fitted import decode_baseline, encode_baseline
from fer_models.baselines.plan import plan_baseline
from fer_models.baselines.projection import fit_projection
from fer_models.baselines.table import BASELINES
from fer_models.baselines.training import train_baseline
from fer_models.bundle import BASELINE_NAME, load_network, read_bundle
from fer_models.errors import (
    DamagedBundleError,
    DivergedError,
    MissingLibraryError,
    OtherSettingsError,
)
from fer_models.evaluate import evaluate
from fer_models.predict import Predictor
from fer_models.run import read_record
from fer_models.train import train
from fer_models.zoo import NETWORKS, network_defaults
from tests.made_shards import make_samples, make_shards

ON_PIXELS = ("logreg", "mlp", "random-forest", "svm")
EMOTIONS = ("happiness", "surprise", "sadness")
SYNTH = SynthSettings(num_samples=2000, seed=3, image_size=16, balanced=True)


def settings_of(model, **changes):
    return dataclasses.replace(network_defaults(model), **({"components": 20} | changes))


@pytest.fixture(scope="module")
def face_shards(tmp_path_factory):
    """Shards of cartoon faces with three emotions: 300 to learn from, 120 to judge on."""
    drawn = [draw_face(SYNTH, index) for index in range(1000)]
    drawn = [face for face in drawn if face.emotion in EMOTIONS][:420]
    pixels = np.stack([face.image for face in drawn])
    labels = [EMOTIONS.index(face.emotion) for face in drawn]
    samples = make_samples(pixels, labels, [f"faces/{number}" for number in range(420)])
    splits = {"train": samples.select(slice(300)), "validation": samples.select(slice(300, 420))}
    folder = tmp_path_factory.mktemp("faces") / "shards"
    make_shards(folder, splits, EMOTIONS, shard_samples=200)
    return folder


@pytest.fixture(scope="module")
def fitted_runs(face_shards):
    """A run of every baseline on pixels."""
    runs = {}
    for model in ON_PIXELS:
        run_dir = face_shards.parent / f"{model}-001"
        runs[model] = train_baseline(face_shards, run_dir, settings_of(model, components=40))
    return runs


@pytest.mark.parametrize("model", ON_PIXELS)
def test_a_baseline_learns_made_up_faces(fitted_runs, model):
    validation = fitted_runs[model].validation
    chance = validation.chance_balanced_accuracy
    error = (chance * (1 - chance) / validation.num_samples) ** 0.5
    assert validation.balanced_accuracy > chance + 3 * error


@pytest.mark.parametrize("model", ON_PIXELS)
def test_its_run_is_taken_as_a_networks(fitted_runs, model):
    run_dir = fitted_runs[model].run_dir
    told = json.loads((run_dir / "metrics.json").read_text())["validation"]
    report = evaluate(run_dir)
    assert report.split == "validation"
    metrics = report.judgement.metrics
    assert metrics.to_json() == fitted_runs[model].validation.to_json()
    assert told["macro_f1"] == metrics.macro_f1
    page = report.report_path.read_text()
    assert "fermodel train --config" in page
    assert "scikit-learn" in page
    assert "batch size" not in page or model == "mlp"
    predictor = Predictor.load(run_dir)
    assert predictor.num_parameters == fitted_runs[model].num_parameters
    probabilities = predictor.predict(np.zeros((3, 16, 16, 1), np.uint8))
    assert (probabilities.shape, probabilities.dtype) == ((3, 3), np.float32)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("model", ON_PIXELS)
def test_saved_and_loaded_it_predicts_the_same_bits(face_shards, fitted_runs, model):
    index = read_index(face_shards)
    train = read_split(face_shards, index, "train")
    task = BaselineTask(settings=settings_of(model), num_classes=3, class_weights=None)
    fitted = fit_baseline(task, train, train.images, None, say_nothing)
    data = encode_baseline(fitted)
    assert encode_baseline(decode_baseline(data)) == data
    np.testing.assert_array_equal(
        decode_baseline(data).predict(train.images), fitted.predict(train.images)
    )
    again = fit_baseline(task, train, train.images, None, say_nothing)
    np.testing.assert_array_equal(again.predict(train.images), fitted.predict(train.images))


@pytest.mark.parametrize("model", ON_PIXELS)
@pytest.mark.parametrize("num_classes", [2, 5])
def test_plain_arrays_say_what_scikit_learn_says(model, num_classes, monkeypatch):
    """Our own arithmetic on the learned arrays against the estimator that learned them."""
    rng = np.random.default_rng(num_classes)
    labels = rng.permutation(np.arange(240) % num_classes)
    images = (rng.integers(0, 120, (240, 6, 6, 1)) + 25 * labels[:, None, None, None]).astype("u1")
    samples = make_samples(images, labels.tolist(), [f"k{n}" for n in range(240)])
    made = []
    for path in (
        "linear_model.LogisticRegression",
        "neural_network.MLPClassifier",
        "ensemble.RandomForestClassifier",
        "svm.SVC",
    ):
        module, name = path.split(".")
        scope = __import__(f"sklearn.{module}", fromlist=[name])
        original = getattr(scope, name)

        def remember(*args, original=original, **options):
            if original.__name__ == "SVC":
                options["break_ties"] = True
            made.append(original(*args, **options))
            return made[-1]

        monkeypatch.setattr(scope, name, remember)
    task = BaselineTask(
        settings=settings_of(model, components=8), num_classes=num_classes, class_weights=None
    )
    fitted = fit_baseline(task, samples, images, None, say_nothing)
    features = fitted.features(images)
    if model == "svm":
        theirs = made[-1].decision_function(features.astype(np.float64))
        ours = fitted.classifier.votes(features.astype(np.float64))
        if num_classes == 2:
            ours = np.where(ours[:, 1] > ours[:, 0], 1, -1)
            theirs = np.sign(theirs)
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
        predicted = made[-1].predict(features.astype(np.float64))
        np.testing.assert_array_equal(fitted.predict(images).argmax(axis=1), predicted)
    else:
        np.testing.assert_allclose(
            fitted.predict(images), made[-1].predict_proba(features), atol=2e-5
        )


def test_components_are_those_of_scikit_learn():
    from sklearn.decomposition import PCA
    from sklearn.preprocessing import StandardScaler

    rng = np.random.default_rng(0)
    images = (rng.normal(size=(90, 5)) @ rng.normal(size=(5, 16)) * 20 + 128).clip(0, 255)
    images = images.astype(np.uint8)
    images[:, 3] = 7  # a pixel that never changes
    found, _ = fit_projection(images.reshape(90, 4, 4, 1), 4, seed=0)
    scaled = StandardScaler().fit_transform(images.astype(np.float64))
    theirs = PCA(4, whiten=True, svd_solver="full").fit_transform(scaled)
    ours = found(images.reshape(90, 4, 4, 1))
    # of unknown sign, and deviation 1 by n - 1 samples
    np.testing.assert_allclose(np.abs(ours), np.abs(theirs), atol=2e-3)


def test_all_components_hold_all_of_the_variance():
    images = np.random.default_rng(0).integers(0, 256, (40, 3, 3, 1), dtype=np.uint8)
    _, notes = fit_projection(images, 9, seed=0)
    assert notes == ["9 components hold 100.0% of the variance of the pixels."]


def test_too_many_components_are_said_and_left_out():
    images = np.random.default_rng(0).integers(0, 256, (12, 5, 5, 1), dtype=np.uint8)
    found, notes = fit_projection(images, 100, seed=0)
    assert found(images).shape == (12, 12)
    assert "12, not 100" in notes[0]
    assert np.isfinite(found(images)).all()


def test_components_of_large_images_are_found_on_a_stated_number(monkeypatch):
    monkeypatch.setattr(projection, "MAX_BYTES", 20 * 4 * 70 * 70)
    images = np.random.default_rng(0).integers(0, 256, (50, 70, 70, 1), dtype=np.uint8)
    found, notes = fit_projection(images, 4, seed=0)
    assert "Components found on 20 of 50 training samples." in notes
    assert found(images).shape == (50, 4)


def test_nothing_is_learned_from_the_validation_split(face_shards, fitted_runs):
    """Shards that differ in the validation pictures alone give the same bytes."""
    index = read_index(face_shards)
    train, names = read_split(face_shards, index, "train"), index.class_names
    judged = read_split(face_shards, index, "validation")
    garbage = dataclasses.replace(judged, images=255 - judged.images)
    other = face_shards.parent / "other-shards"
    make_shards(other, {"train": train, "validation": garbage}, names, shard_samples=200)
    report = train_baseline(other, other.parent / "other", settings_of("logreg", components=40))
    first = (fitted_runs["logreg"].run_dir / "bundle" / BASELINE_NAME).read_bytes()
    assert (report.run_dir / "bundle" / BASELINE_NAME).read_bytes() == first
    assert report.validation.accuracy != fitted_runs["logreg"].validation.accuracy


def test_class_weights_are_scikit_learns_balanced_and_counted_once(tmp_path):
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(1)
    labels = [0] * 60 + [1] * 20 + [2] * 10
    images = rng.integers(0, 200, (90, 5, 5, 1)) + 20 * np.array(labels)[:, None, None, None]
    samples = make_samples(images.astype("u1"), labels, [f"k{n}" for n in range(90)])
    make_shards(tmp_path / "shards", {"train": samples}, ("a", "b", "c"), shard_samples=90)
    train_baseline(tmp_path / "shards", tmp_path / "run", settings_of("logreg", components=6))
    fitted = decode_baseline((tmp_path / "run" / "bundle" / BASELINE_NAME).read_bytes())
    features = fitted.features(samples.images)
    theirs = LogisticRegression(max_iter=1000, class_weight="balanced").fit(features, labels)
    np.testing.assert_allclose(
        fitted.predict(samples.images), theirs.predict_proba(features), atol=1e-4
    )
    said: list[str] = []
    copies = make_samples(
        images.astype("u1"), labels, [f"k{n}" for n in range(90)], [""] * 80 + ["k70"] * 10
    )
    make_shards(tmp_path / "balanced", {"train": copies}, ("a", "b", "c"), shard_samples=90)
    train_baseline(
        tmp_path / "balanced", tmp_path / "run2", settings_of("mlp", components=6), said.append
    )
    assert "Class weights: balanced, because the shards hold 10 augmented samples." in said
    assert read_record(tmp_path / "run2").class_weights == "balanced"


def test_a_class_without_training_samples_gets_no_probability(tmp_path):
    rng = np.random.default_rng(0)
    labels = [0, 2] * 30
    images = rng.integers(0, 100, (60, 5, 5, 1)) + 60 * np.array(labels)[:, None, None, None]
    samples = make_samples(images.astype("u1"), labels, [f"k{n}" for n in range(60)])
    make_shards(tmp_path / "shards", {"train": samples}, ("a", "b", "c"), shard_samples=60)
    for model in ON_PIXELS:
        report = train_baseline(
            tmp_path / "shards", tmp_path / model, settings_of(model, components=4)
        )
        said = Predictor.load(report.run_dir).predict(samples.images)
        assert (said[:, 1] == 0).all()
        assert (said.argmax(axis=1) == samples.labels).mean() > 0.9
    assert report.validation is None


def test_a_limit_draws_each_class_its_share(face_shards):
    labels = read_split(face_shards, read_index(face_shards), "train").labels
    rows = fit.draw_samples(labels, 100, seed=1)
    assert len(rows) == len(set(rows.tolist())) == 100
    share = np.bincount(labels) / len(labels) * 100
    assert (np.abs(np.bincount(labels[rows]) - share) <= 1.5).all()
    assert fit.draw_samples(labels, 100, seed=2).tolist() != rows.tolist()
    np.testing.assert_array_equal(fit.draw_samples(labels, 0, seed=1), np.arange(len(labels)))


def test_a_damaged_baseline_is_named(fitted_runs, tmp_path):
    import shutil

    bundle = tmp_path / "bundle"
    shutil.copytree(fitted_runs["logreg"].run_dir / "bundle", bundle)
    path = bundle / BASELINE_NAME
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(DamagedBundleError, match=r"model\.npz: not the file that was written"):
        Predictor.load(bundle)
    path.unlink()
    with pytest.raises(DamagedBundleError, match=r"model\.npz: No such file"):
        Predictor.load(bundle)
    for bad in (b"", b"no zip", encode_baseline_like({"format": "ferkit-baseline-9"})):
        with pytest.raises(ValueError, match="."):
            decode_baseline(bad)


def encode_baseline_like(arrays):
    import io

    file = io.BytesIO()
    np.savez(file, **{name: np.array(value) for name, value in arrays.items()})
    return file.getvalue()


def test_pickles_are_refused():
    hostile = encode_baseline_like({"format": "ferkit-baseline-1", "kind": "dense"})
    import io

    file = io.BytesIO()
    np.savez(file, format=np.array({"a": 1}, dtype=object))
    for data in (hostile, file.getvalue()):
        with pytest.raises(ValueError, match="."):
            decode_baseline(data)


def test_one_class_is_too_few(tmp_path):
    samples = make_samples(np.zeros((9, 5, 5, 1), "u1"), [1] * 9, [f"k{n}" for n in range(9)])
    make_shards(tmp_path / "shards", {"train": samples}, ("a", "b"), shard_samples=9)
    with pytest.raises(SettingsError, match="of 1 class; logreg tells classes apart"):
        train_baseline(tmp_path / "shards", tmp_path / "run", settings_of("logreg"))


@pytest.mark.parametrize(
    ("model", "changes", "error", "match"),
    [
        ("mlp", {"epochs": 0}, SettingsError, "epochs of mlp must be 1 or more; received 0"),
        ("mlp", {"learning_rate": 1e30}, DivergedError, r"smaller --lr than 1e\+30"),
        ("logreg", {"folds": 150}, SettingsError, "ask for fewer --folds"),
    ],
)
def test_a_fit_that_fails_leaves_no_run(face_shards, tmp_path, model, changes, error, match):
    with pytest.raises(error, match=match):
        train_baseline(face_shards, tmp_path / "run", settings_of(model, **changes))
    assert not (tmp_path / "run").exists()


def test_scikit_learn_that_is_not_there_is_said(monkeypatch, face_shards, tmp_path):
    monkeypatch.setattr(training, "find_spec", lambda _: None)
    with pytest.raises(MissingLibraryError, match=r"pip install scikit-learn"):
        train_baseline(face_shards, tmp_path / "run", settings_of("logreg"))
    assert not (tmp_path / "run").exists()


def test_a_long_fit_is_said_before_it_starts(monkeypatch, face_shards):
    assert "minutes" not in "".join(plan_baseline(face_shards, settings_of("svm")).notes)
    monkeypatch.setattr(svm, "MANY", 250)
    assert "svm on 300 samples takes" in plan_baseline(face_shards, settings_of("svm")).notes[-1]
    limited = plan_baseline(face_shards, settings_of("svm", limit=200))
    assert "Fitted on 200 of 300 training samples" in limited.notes[-1]
    assert limited.num_samples == 200


def test_the_trainer_of_networks_takes_baselines(fitted_runs, face_shards, tmp_path):
    report = train(face_shards, tmp_path / "run", settings_of("svm", components=40))
    assert (report.stopped, report.best_epoch) == ("finished", 1)
    assert report.validation == fitted_runs["svm"].validation


def test_a_run_is_done_again_only_with_its_own_settings(fitted_runs, face_shards):
    run_dir = fitted_runs["logreg"].run_dir
    before = (run_dir / "bundle" / BASELINE_NAME).read_bytes()
    train_baseline(face_shards, run_dir, settings_of("logreg", components=40), resume=True)
    assert (run_dir / "bundle" / BASELINE_NAME).read_bytes() == before
    with pytest.raises(OtherSettingsError, match="started with components 40, not 7"):
        train_baseline(face_shards, run_dir, settings_of("logreg", components=7), resume=True)


def test_the_table_counts_the_parameters_of_those_that_do_not_depend_on_samples(monkeypatch):
    monkeypatch.setattr(  # takes seconds at this size
        projection,
        "_exact_components",
        lambda values, mean, deviation, count: (np.ones((len(mean), count)), 1.0),
    )
    images = np.random.default_rng(0).integers(0, 256, (120, 48, 48, 1), dtype=np.uint8)
    labels = (np.arange(120) % 7).tolist()
    samples = make_samples(images, labels, [f"k{n}" for n in range(120)])
    counted = [name for name, network in BASELINES.items() if network.num_parameters]
    assert counted == ["logreg", "mlp"]
    for name in counted:
        settings = dataclasses.replace(network_defaults(name), epochs=1)
        task = BaselineTask(settings=settings, num_classes=7, class_weights=None)
        fitted = fit_baseline(task, samples, images, None, say_nothing)
        assert fitted.count_params() == NETWORKS[name].num_parameters


def test_resnet50_svm_has_keras_features_and_is_kept_with_its_network(tmp_path):
    import keras

    rng = np.random.default_rng(0)
    labels = (np.arange(24) % 3).tolist()
    images = rng.integers(0, 40, (24, 8, 8, 1)) + 90 * np.array(labels)[:, None, None, None]
    samples = make_samples(images.astype("u1"), labels, [f"k{n}" for n in range(24)])
    make_shards(tmp_path / "shards", {"train": samples, "validation": samples}, ("a", "b", "c"))
    settings = dataclasses.replace(network_defaults("resnet50-svm"), weights="none")
    report = train_baseline(tmp_path / "shards", tmp_path / "run", settings)
    bundle_dir = tmp_path / "run" / "bundle"
    fitted = load_network(bundle_dir, read_bundle(bundle_dir))
    assert fitted.predict(samples.images).argmax(axis=1).tolist() == labels
    assert fitted.count_params() == report.num_parameters > 23_000_000
    colour = np.repeat(images[:2].astype(np.float32), 3, axis=3)
    large = keras.ops.image.resize(colour, (128, 128))
    prepared = keras.applications.resnet.preprocess_input(np.array(large))
    theirs = fitted.extractor.get_layer("resnet50").predict(prepared, verbose=0).mean(axis=(1, 2))
    ours = fitted.extractor.predict(samples.images[:2], verbose=0)
    assert ours.shape == (2, 2048)
    np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-3)
    (bundle_dir / "extractor.keras").write_bytes(b"other")
    with pytest.raises(DamagedBundleError, match=r"extractor\.keras: not the file"):
        load_network(bundle_dir, read_bundle(bundle_dir))

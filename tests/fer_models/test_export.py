"""Exports: the same probabilities in every format, and what is refused."""

from __future__ import annotations

import dataclasses
import importlib
import json
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import pytest

from fer_data.errors import SettingsError, UnknownNameError
from fer_data.image import prepare_image
from fer_models import session
from fer_models.augmentation import AugmentSettings
from fer_models.bundle import Bundle, read_bundle, write_bundle
from fer_models.errors import (
    DamagedBundleError,
    ExportError,
    MissingBundleError,
    MissingLibraryError,
)
from fer_models.export import onnx_file, tflite_file
from fer_models.export.about import describe
from fer_models.export.check import TOLERANCE
from fer_models.export.formats import FORMATS
from fer_models.export.graph import trace
from fer_models.export.run import export_run
from fer_models.predict import Predictor
from fer_models.settings import TrainSettings
from fer_models.train import train
from fer_models.zoo import NETWORKS, NetworkSpec, build_network
from tests.fer_models.tiny_network import build_tiny
from tests.test_train_elsewhere import run_script, scripts

SLOW = {"emosense-8l", "emosense-10l", "vgg16", "resnet50"}
NAMES = [
    pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name
    for name, network in NETWORKS.items()
    if network.kind == "keras"
]
FILES = {name: f"tiny{each.suffix}" for name, each in FORMATS.items()}


def draw_spec(channels=1, **changes):
    usual = NetworkSpec(
        image_shape=(48, 48, channels),
        num_classes=3,
        pixel_mean=(0.5,) * channels,
        pixel_std=(0.25,) * channels,
        weights="none",
    )
    return dataclasses.replace(usual, **changes)


@pytest.fixture(scope="module")
def runs(tmp_path_factory, shard_writer):
    """Trained runs by the number of channels, and what each was exported to."""
    found = {}
    for channels in (1, 3):
        home = tmp_path_factory.mktemp("home")
        shape = (12, 12, channels)
        shard_writer(home / "shards", {"train": [40], "validation": [12]}, image_shape=shape)
        settings = TrainSettings(epochs=2, batch_size=8, augment=AugmentSettings(), seed=1)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(session, "build_network", build_tiny)
            train(home / "shards", home / "tiny", settings)
        bundle_path = home / "tiny" / "bundle" / "bundle.json"
        fields = json.loads(bundle_path.read_text()) | {"model": "tiny"}
        light = "none" if channels == 1 else "clahe"
        bundle_path.write_text(json.dumps(fields | {"equalize": light}))
        found[channels] = (home / "tiny", export_run(home / "tiny", tuple(FORMATS)))
    return found


@pytest.fixture
def write_run(tmp_path, shard_writer):
    """A function that writes a bundle around a network, and returns the folder of the run."""

    def write(network, name="run", model="tiny"):
        shape = network.input_shape[1:]
        index = shard_writer(tmp_path / f"{name}-shards", {"train": [3]}, image_shape=shape)
        write_bundle(tmp_path / name, network, index, model=model, index_sha256="00", epoch=1)
        return tmp_path / name

    return write


@pytest.fixture
def run_dir(write_run):
    """A run of a network that has learned nothing."""
    return write_run(build_tiny("", draw_spec(image_shape=(12, 12, 1))))


def predict_with(run_dir, name, images, out_dir=None):
    path = (out_dir or run_dir / "export") / FILES[name]
    return importlib.import_module(FORMATS[name].module).load(path)(images)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", FORMATS)
def test_any_number_of_raw_pictures_gets_the_networks_own_probabilities(runs, name, channels):
    run_dir, report = runs[channels]
    rng = np.random.default_rng(5)
    images = rng.integers(0, 256, (7, 12, 12, channels), dtype=np.uint8)
    expected = Predictor.load(run_dir).predict(images)
    assert not np.allclose(expected[0], expected[1], atol=1e-3)
    for count in (1, 7):
        found = predict_with(run_dir, name, images[:count])
        np.testing.assert_allclose(found, expected[:count], atol=TOLERANCE, rtol=0)
    (file,) = (each for each in report.files if each.format == name)
    assert file.path == run_dir / "export" / FILES[name]
    assert 0 <= file.difference <= TOLERANCE
    assert file.num_bytes > 100


def make_lively(network):
    """Lets the probabilities of a network that has learned nothing depend on the picture."""
    import keras

    head = network.layers[-1]
    inputs = keras.Model(network.inputs[0], network.layers[-2].output)
    pixels = np.random.default_rng(0).integers(0, 256, (8, *network.input_shape[1:]), np.uint8)
    features = np.array(inputs(pixels))
    kernel, bias = head.get_weights()
    rise = 1 / max(float((features @ kernel).std(axis=0).mean()), 1e-9)
    head.set_weights([kernel * rise, bias - features.mean(axis=0) @ kernel * rise])
    assert np.array(network(pixels)).std(axis=0).max() > 0.05
    return network


@pytest.mark.parametrize("name", NAMES)
def test_every_network_of_the_zoo_is_exported_to_every_format(name, write_run):
    import keras

    keras.utils.set_random_seed(0)
    side = max(NETWORKS[name].min_side, 32)
    spec = draw_spec(1 if name in SLOW else 3)
    spec = dataclasses.replace(spec, image_shape=(side, side, spec.image_shape[2]))
    run_dir = write_run(make_lively(build_network(name, spec)), model=name)
    report = export_run(run_dir, tuple(FORMATS))
    assert [each.format for each in report.files] == list(FORMATS)
    assert max(each.difference for each in report.files) <= TOLERANCE


def test_what_only_trains_is_not_exported(write_run):
    import keras
    from keras import layers

    network = keras.Sequential(
        [
            keras.Input((12, 12, 1)),  # floats, as one's own network may take them
            layers.Rescaling(1 / 255.0),
            layers.RandomFlip(seed=1),
            layers.RandomRotation(0.3, seed=2),
            layers.GaussianNoise(0.5, seed=3),
            layers.Flatten(),
            layers.Dropout(0.5, seed=4),
            layers.Dense(3, activation="softmax"),
        ]
    )
    run_dir = write_run(network)
    function = trace(network, (12, 12, 1)).get_concrete_function()
    kinds = {node.type for node in function.graph.get_operations()}
    assert not [kind for kind in kinds if "Random" in kind or "Variable" in kind]
    images = np.random.default_rng(0).integers(0, 256, (4, 12, 12, 1), dtype=np.uint8)
    expected = Predictor.load(run_dir).predict(images)
    export_run(run_dir, tuple(FORMATS))
    for name in FORMATS:
        for _ in range(2):
            np.testing.assert_allclose(predict_with(run_dir, name, images), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("channels", "colour", "last"), [(1, "gray", "linearly"), (3, "R, G, B", "(of Y in YCrCb)")]
)
def test_what_a_user_must_know_stands_beside_and_inside(runs, channels, colour, last):
    import onnx

    folder = runs[channels][0] / "export"
    abouts = {name: json.loads((folder / f"{FILES[name]}.json").read_text()) for name in FORMATS}
    for name, about in abouts.items():
        assert about["export_format"] == name
        assert about["class_names"] == ["anger", "happiness", "neutral"]
        assert about["input"]["shape"] == ["batch", 12, 12, channels]
        assert (about["input"]["dtype"], about["input"]["channels"]) == ("uint8", colour)
        assert about["prepare"][-1].endswith(last)
        assert about["bundle"]["pixel_mean"] == [0.4] * channels
        assert about["check"]["difference"] <= about["check"]["tolerance"] == TOLERANCE
        assert about["check"]["images"] == 14 + 12  # the shards stand where they stood
    inside = {
        "onnx": {p.key: p.value for p in onnx.load(folder / "tiny.onnx").metadata_props},
        "tflite": zipfile.ZipFile(folder / "tiny.tflite"),
    }
    assert json.loads(inside["onnx"]["class_names"]) == abouts["onnx"]["class_names"]
    assert inside["tflite"].read("labels.txt") == b"anger\nhappiness\nneutral\n"
    for name, text in (
        ("onnx", inside["onnx"]["ferkit.json"]),
        ("tflite", inside["tflite"].read("ferkit.json")),
        ("saved-model", (folder / "tiny-saved-model" / "assets.extra" / "ferkit.json").read_text()),
    ):
        told = json.loads(text)
        assert told.items() <= abouts[name].items()
        assert told["bundle"] == abouts[name]["bundle"]
    inside["tflite"].close()
    keras_path, stored = folder / "tiny.keras", folder.parent / "bundle" / "model.keras"
    assert keras_path.read_bytes() == stored.read_bytes()


def write_pictures(folder):
    """Three pictures without losses, in colour, none of them square."""
    names = [f"picture-{number}.png" for number in range(3)]
    rng = np.random.default_rng(4)
    for name, shape in zip(names, [(30, 41, 3), (40, 30, 3), (9, 10, 3)], strict=True):
        (folder / name).write_bytes(cv2.imencode(".png", rng.integers(0, 256, shape))[1].tobytes())
    return names


def assert_named(said, run_dir, names):
    """The lines of a script of the docs are what the network says of the pictures."""
    predictor = Predictor.load(run_dir)
    data = [(run_dir.parent / name).read_bytes() for name in names]
    pixels = [prepare_image(each, predictor.image_settings).pixels for each in data]
    rows = predictor.predict(np.stack(pixels))
    for line, name, row in zip(said.splitlines(), names, rows, strict=True):
        words = line.split()
        best = predictor.bundle.class_names[row.argmax()]
        assert words[:2] == [f"{name}:", best]
        assert abs(float(words[2]) - row.max()) < 2 * TOLERANCE  # grey may be a level apart


@pytest.mark.parametrize("channels", [1, 3])
def test_the_docs_name_pictures_with_onnx_runtime_alone(write_run, channels):
    script, _ = scripts("export.md")
    assert not re.search(r"\bfer_data|\bfer_models", script)
    run_dir = write_run(build_tiny("", draw_spec(channels, image_shape=(12, 12, channels))))
    export_run(run_dir, ["onnx"])
    names = write_pictures(run_dir.parent)
    assert_named(run_script(script, run_dir.parent, "run/export/tiny.onnx", *names), run_dir, names)


def test_the_docs_name_pictures_with_litert(runs):
    _, script = scripts("export.md")
    run_dir = runs[3][0]
    assert read_bundle(run_dir / "bundle").equalize == "clahe"
    names = write_pictures(run_dir.parent)
    said = run_script(script, run_dir.parent, "tiny/export/tiny.tflite", *names)
    assert_named(said, run_dir, names)


def test_new_fields_of_a_bundle_are_told(runs):
    @dataclass(frozen=True, slots=True, kw_only=True)
    class AlignedBundle(Bundle):
        faces: Mapping[str, Any] | None = None

    bundle = read_bundle(runs[1][0] / "bundle")
    faces = {"margin": 0.25, "detector_weights": "yunet"}
    told = describe(AlignedBundle(**dataclasses.asdict(bundle) | {"faces": faces}), "onnx")
    assert told["bundle"]["faces"] == faces
    assert "as `faces` in `bundle` says" in told["prepare"][1]
    assert "centre square" in describe(bundle, "onnx")["prepare"][1]


def test_an_export_is_replaced_by_the_same_and_nothing_else_is(run_dir):
    names = ("onnx", "saved-model", "keras")
    export_run(run_dir, names)
    folder = run_dir / "export"
    before = {path: path.read_bytes() for path in folder.glob("*.*") if path.is_file()}
    (folder / ".tiny.onnx.1.export-tmp").mkdir()  # of a killed export
    export_run(run_dir, (*names, "onnx"))
    same = {path: path.read_bytes() for path in folder.glob("*.*") if path.is_file()}
    fixed = {path for path in before if path.name.startswith("tiny.keras")}
    assert fixed
    assert {path: same[path] for path in fixed} == {path: before[path] for path in fixed}
    assert not list(folder.glob(".*"))

    (folder / "tiny-saved-model" / "mine.txt").write_text("a note")
    with pytest.raises(SettingsError, match=r"tiny-saved-model: is not as its export wrote it"):
        export_run(run_dir, ["saved-model"])
    (folder / "tiny.onnx.json").unlink()
    with pytest.raises(SettingsError, match=r"tiny\.onnx: was not written by an export; remove"):
        export_run(run_dir, ["onnx"])
    (folder / "tiny.tflite.json").write_text('{"format": "mine"}')
    with pytest.raises(SettingsError, match=r"tiny\.tflite\.json: was not written by an export"):
        export_run(run_dir, ["tflite"])
    assert (folder / "tiny-saved-model" / "mine.txt").read_text() == "a note"
    assert (folder / "tiny.onnx").read_bytes() == same[folder / "tiny.onnx"]


def test_other_probabilities_are_refused_and_nothing_is_left(run_dir, monkeypatch):
    export_run(run_dir, ["tflite"])
    folder = run_dir / "export"
    before = {path: path.read_bytes() for path in folder.iterdir()}
    right = tflite_file.load(folder / "tiny.tflite")
    for wrong in (
        lambda images: right(images) + np.float32(2e-4),
        lambda images: right(images) * np.float32(np.nan),
        lambda images: right(images)[:, :2],
    ):
        monkeypatch.setattr(tflite_file, "load", lambda path, wrong=wrong: wrong)
        for out_dir in (None, run_dir / "elsewhere"):
            with pytest.raises(ExportError, match="not written, because its probabilities differ"):
                export_run(run_dir, ["tflite"], out_dir)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    assert not list((run_dir / "elsewhere").iterdir())


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_an_export_that_ends_early_leaves_nothing(run_dir, monkeypatch, error):
    def stop(source, path):
        path.write_bytes(b"half")
        raise error

    monkeypatch.setattr(onnx_file, "write", stop)
    with pytest.raises(KeyboardInterrupt if error is KeyboardInterrupt else OSError):
        export_run(run_dir, ["onnx"])
    assert not list((run_dir / "export").iterdir())


def test_a_network_that_has_gone_astray_is_not_exported(write_run):
    network = build_tiny("", draw_spec(image_shape=(12, 12, 1)))
    network.set_weights([weight * np.nan for weight in network.get_weights()])
    run_dir = write_run(network)
    with pytest.raises(ExportError, match="tiny gives numbers that are not finite"):
        export_run(run_dir, ["keras"])
    assert not (run_dir / "export").exists()


def test_a_layer_that_a_format_does_not_know_is_one_clear_error(run_dir, monkeypatch):
    def fail(source, path):
        raise NotImplementedError("no such operator: FFT\nand much more")

    monkeypatch.setattr(tflite_file, "write", fail)
    with pytest.raises(ExportError) as told:
        export_run(run_dir, ["tflite"])
    assert str(told.value) == "tiny: cannot be exported to tflite (no such operator: FFT)"


def test_mistakes_are_told_in_one_line(run_dir, tmp_path, monkeypatch):
    with pytest.raises(UnknownNameError, match='unknown format "onxn".*Did you mean "onnx"'):
        export_run(run_dir, ["onxn"])
    with pytest.raises(SettingsError, match="no format to export to; expected onnx, tflite"):
        export_run(run_dir, [])
    with pytest.raises(MissingBundleError, match="no such folder"):
        export_run(tmp_path / "none", ["onnx"])
    with pytest.raises(MissingBundleError, match=r"no bundle\.json in it"):
        export_run(tmp_path, ["onnx"])
    monkeypatch.setattr("fer_models.export.formats.find_spec", lambda name: None)
    expected = "onnx and onnxruntime and tf2onnx, which are not installed: pip install 'ferkit"
    with pytest.raises(MissingLibraryError, match=expected):
        export_run(run_dir, ["keras", "onnx"])
    monkeypatch.undo()
    monkeypatch.setattr("keras.backend.backend", lambda: "jax")
    with pytest.raises(SettingsError, match='KERAS_BACKEND is "jax"; onnx can be exported with'):
        export_run(run_dir, ["keras", "onnx"])
    monkeypatch.undo()
    path = run_dir / "bundle" / "bundle.json"
    fields = json.loads(path.read_text())
    path.write_text(json.dumps(fields | {"kind": "sklearn", "model": "logreg"}))
    with pytest.raises(ExportError, match="logreg is a baseline of scikit-learn; expected a netw"):
        export_run(run_dir, ["onnx"])
    path.write_text(json.dumps(fields))
    (run_dir / "bundle" / "model.keras").write_bytes(b"")
    with pytest.raises(DamagedBundleError, match="not the file that was written"):
        export_run(run_dir, ["onnx"])
    assert not (run_dir / "export").exists()


def test_tensorflows_own_interpreter_does_where_litert_is_not_installed(run_dir, monkeypatch):
    monkeypatch.setattr("fer_models.export.tflite_file.find_spec", lambda name: None)
    (file,) = export_run(run_dir, ["tflite"], run_dir / "elsewhere").files
    assert file.path == run_dir / "elsewhere" / "tiny.tflite"
    assert file.difference <= TOLERANCE

"""Networks from a user's own file: used as ours are, and refused in one clear line."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest

from fer_data.errors import SettingsError
from fer_models import train
from fer_models.bundle import load_network, read_bundle
from fer_models.request import complete_request
from fer_models.run import read_record
from fer_models.zoo import NetworkSpec, build_network, model_title, network_defaults

SPEC = NetworkSpec(image_shape=(8, 8, 1), num_classes=3, pixel_mean=(0.5,), pixel_std=(0.25,))
HEAD = "import keras\nfrom keras import layers\n"
NETWORK = (
    HEAD
    + """
from fer_models.settings import TrainSettings

DEFAULTS = TrainSettings(epochs=1, batch_size=8, learning_rate=0.01)

def build(spec):
    return keras.Sequential([
        keras.Input(spec.image_shape, dtype="uint8"),
        layers.Rescaling(1 / 255),
        layers.Flatten(),
        layers.Dense(spec.num_classes, activation="softmax"),
    ])
"""
)


@pytest.fixture
def write(tmp_path):
    def write(text, name="mine.py"):
        (tmp_path / name).write_text(text)
        return f"{tmp_path / name}:build"

    return write


def test_its_own_settings_are_the_defaults(write, monkeypatch, tmp_path):
    model = write(NETWORK)
    settings = network_defaults(model)
    assert (settings.model, settings.epochs, settings.learning_rate) == (model, 1, 0.01)
    monkeypatch.chdir(tmp_path)
    assert network_defaults("mine.py") == settings  # `build` where no function is named
    assert network_defaults(write(HEAD + "def build(spec): ...")).batch_size == 64
    assert model_title(model) == "mine"


def test_a_file_may_hold_dataclasses(write):
    text = (
        "from __future__ import annotations\nfrom dataclasses import dataclass\n" + NETWORK +
        "\n@dataclass\nclass Sizes:\n    units: int = 3\n"
    )  # fmt: skip
    assert network_defaults(write(text)).epochs == 1
    with pytest.raises(SettingsError, match=r"broken\.py, line 2: ZeroDivisionError"):
        network_defaults(write("import keras\n1 / 0\n", "broken.py"))
    assert "ferkit_own_broken" not in sys.modules


def test_it_is_trained_kept_and_loaded_without_its_file(write, make_shards, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(NETWORK)
    make_shards({"train": [24], "validation": [9]}, image_shape=(8, 8, 1))
    asked = complete_request(None, None, {"model": "mine.py"}, resume=False)
    report = train.train(asked.shards_dir, asked.run_dir, asked.settings)
    assert report.run_dir == Path("runs/mine-001")
    assert read_record(report.run_dir).settings.model == f"{tmp_path / 'mine.py'}:build"
    (tmp_path / "mine.py").unlink()
    bundle_dir = report.run_dir / "bundle"
    network = load_network(bundle_dir, read_bundle(bundle_dir))
    assert np.array(network(np.zeros((2, 8, 8, 1), np.uint8))).shape == (2, 3)


def test_it_may_import_the_files_beside_it_and_our_blocks(write):
    write("UNITS = 5\n", "sizes_beside.py")
    model = write(
        """
import keras
from sizes_beside import UNITS
from fer_models.zoo.blocks import dense_block, flatten, pixels_in, softmax_head

def build(spec):
    layers = [*pixels_in(spec), *flatten(spec), *dense_block(spec, "dense1", UNITS)]
    return keras.Sequential([*layers, *softmax_head(spec)])
"""
    )
    assert build_network(model, SPEC).count_params() == 65 * 5 + 6 * 3


def test_a_changed_file_is_read_anew(write):
    write(NETWORK)
    model = write(NETWORK.replace("layers.Flatten(),", "layers.Flatten(), layers.Dense(4),"))
    assert build_network(model, SPEC).count_params() == 65 * 4 + 5 * 3


def test_the_documented_example_works(write):
    text = (Path(__file__).parents[2] / "docs" / "networks.md").read_text(encoding="utf-8")
    model = write(text.split("```python\n")[1].split("```")[0])
    network = build_network(model, dataclasses.replace(SPEC, image_shape=(48, 48, 1)))
    assert network.output_shape == (None, 3)
    settings = network_defaults(model)
    assert (settings.epochs, settings.batch_size, settings.schedule) == (30, 128, "cosine")


INPUT = "keras.Input((8, 8, 1), dtype='uint8')"
WRONG = {
    "a syntax error": ("def build(spec:\n", r"mine\.py, line 1: SyntaxError"),
    "an error in the file": ("x = 1\ny = z\n", r"mine\.py, line 2: NameError: name 'z'"),
    "a missing import": ("import no_such_thing\n", r"line 1: ModuleNotFoundError: .*no_such_thing"),
    "an error in the function": (
        "def build(spec):\n    return spec.sides\n",
        r"mine\.py, line 2: AttributeError",
    ),
    "no such function": ("def make(spec): ...\n", r"no function build in it \(make\)"),
    "no function at all": ("build = 3\n", r"no function build in it \(nor any other\)"),
    "no network": ("def build(spec): return 7\n", r"build\(spec\) gives int; expected a keras.Mod"),
    "an open network": (
        HEAD + "def build(spec): return keras.Sequential([layers.Flatten()])",
        r"not built; start it with keras\.Input",
    ),
    "another input": (
        HEAD + "def build(spec):\n"
        "    return keras.Sequential([keras.Input((9, 9, 1)), layers.Flatten(), layers.Dense(3)])",
        r"input shape \(None, 9, 9, 1\); expected \(None, 8, 8, 1\)",
    ),
    "two inputs": (
        HEAD + "def build(spec):\n"
        f"    a, b = {INPUT}, {INPUT}\n"
        "    return keras.Model([a, b], layers.Dense(3)(layers.Flatten()(a)))",
        r"input shape \[\(None, 8, 8, 1\), \(None, 8, 8, 1\)\]; expected \(None, 8, 8, 1\)",
    ),
    "another output": (
        HEAD + "def build(spec):\n"
        f"    return keras.Sequential([{INPUT}, layers.Flatten(), layers.Dense(4)])",
        r"output shape \(None, 4\); expected \(None, 3\)",
    ),
    "logits": (
        HEAD + "def build(spec):\n"
        f"    return keras.Sequential([{INPUT}, layers.Flatten(), layers.Dense(3)])",
        r"expected probabilities: end it with a softmax",
    ),
    "a layer of its own": (
        HEAD + "class Mine(layers.Layer):\n    def call(self, x): return x\n"
        f"def build(spec): return keras.Sequential([{INPUT}, layers.Flatten(), Mine(),"
        " layers.Dense(3, 'softmax')])",
        r"a network with Mine of mine; a bundle must load without your file",
    ),
    "a registered layer of its own": (
        HEAD + "@keras.saving.register_keras_serializable()\n"
        "class Mine(layers.Layer):\n    def call(self, x): return x\n"
        f"def build(spec): return keras.Sequential([{INPUT}, layers.Flatten(), Mine(),"
        " layers.Dense(3, 'softmax')])",
        r"a network with .*Mine.*; a bundle must load without your file",
    ),
    "a function of its own": (
        HEAD + "def mine(x): return x\n"
        f"def build(spec): return keras.Sequential([{INPUT}, layers.Flatten(),"
        " layers.Dense(4, mine), layers.Dense(3, 'softmax')])",
        r"a network with the function mine; a bundle must load",
    ),
    "a Lambda": (
        HEAD + f"def build(spec): return keras.Sequential([{INPUT}, layers.Flatten(),"
        " layers.Lambda(lambda x: x), layers.Dense(3, 'softmax')])",
        r"a Lambda layer; .*no Lambda",
    ),
    "a class of its own": (
        HEAD + "class Net(keras.Model): ...\ndef build(spec): return Net()",
        r"a Net; expected a keras\.Sequential or a keras\.Model of inputs",
    ),
}


@pytest.mark.parametrize("trouble", WRONG)
def test_trouble_is_told_in_one_line(write, trouble):
    text, message = WRONG[trouble]
    with pytest.raises(SettingsError, match=message) as caught:
        build_network(write(text), SPEC)
    assert str(caught.value).count("\n") == 0
    assert "mine.py" in str(caught.value)


def test_other_trouble_is_told_before_keras_is_needed(write, tmp_path):
    with pytest.raises(SettingsError, match=r"gone\.py: no such file; .* function build\(spec\)"):
        network_defaults(f"{tmp_path}/gone.py")
    with pytest.raises(SettingsError, match=r"DEFAULTS is of type dict; expected .*TrainSettings"):
        network_defaults(write("DEFAULTS = {}\ndef build(spec): ...\n"))
    with pytest.raises(SettingsError, match=r"mine\.py:build has no presets"):
        network_defaults(write(NETWORK), "plain")


def test_mixed_precision_reaches_it(write):
    model = write(NETWORK.replace("layers.Flatten()", "layers.Flatten(dtype=spec.precision)"))
    network = build_network(model, dataclasses.replace(SPEC, precision="mixed_bfloat16"))
    assert {layer.compute_dtype for layer in network.layers} == {"float32", "bfloat16"}

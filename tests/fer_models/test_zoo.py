"""Networks: their size, what they take and give, and their names."""

from __future__ import annotations

import dataclasses
import importlib
from pathlib import Path

import numpy as np
import pytest

from fer_data.errors import SettingsError, UnknownNameError
from fer_models.augmentation import AugmentSettings
from fer_models.errors import MissingWeightsError
from fer_models.settings import TrainSettings
from fer_models.zoo import (
    NETWORKS,
    NetworkSpec,
    build_network,
    check_model,
    check_weights_file,
    find_network,
    network_defaults,
    network_presets,
)

KERAS = [name for name, network in NETWORKS.items() if network.kind == "keras"]
PRESET_NAMES = {name: [preset.name for preset in NETWORKS[name].presets] for name in KERAS}

BUILT = [name for name, network in NETWORKS.items() if network.kind == "keras"]


def spec_of(network, **changes):
    channels = network.usual_shape[2]
    return dataclasses.replace(
        NetworkSpec(
            image_shape=network.usual_shape,
            num_classes=network.usual_classes,
            pixel_mean=(0.5,) * channels,
            pixel_std=(0.25,) * channels,
            weights="none",
        ),
        **changes,
    )


PARAMETERS = {
    "cnn4": 594_888,
    "cnn4-gray": 1_441_672,
    "cnn4-sched": 357_255,
    "cnn-l2": 839_047,
    "emosense-4l": 475_655,
    "emosense-8l": 4_232_199,
    "emosense-10l": 8_951_815,
    "dnn": 1_345_287,
    "fer-lite": 658_791,
    "fer-resnet18": 11_269_951,
    "vgg16": 14_718_279,
    "resnet50": 23_602_055,
    "mobilenet": 3_236_039,
}


@pytest.mark.parametrize(
    ("name", "preset"),
    [(n, p) for n in KERAS for p in ("", *(p.name for p in NETWORKS[n].presets))],
)
def test_parameter_count_is_what_its_docstring_derives_and_its_listing_says(name, preset):
    network = NETWORKS[name]
    count = build_network(name, spec_of(network, preset=preset)).count_params()
    listed = {p.name: p.num_parameters for p in network.presets} | {"": network.num_parameters}
    assert count == listed[preset]
    assert preset or count == PARAMETERS[name]
    assert f"{count:,}" in importlib.import_module(network.module).__doc__


def test_the_network_for_two_cores_stays_below_100_mflops():
    network = build_network("fer-lite", spec_of(NETWORKS["fer-lite"]))
    count = 0
    for layer in network.layers:
        if hasattr(layer, "kernel"):
            # a kernel meets every place of its output once: rows and columns, or one place
            places = int(np.prod(layer.output.shape[1:-1]))
            count += places * int(np.prod(layer.kernel.shape))
    assert f"{count:,}" in importlib.import_module(NETWORKS["fer-lite"].module).__doc__
    assert 2 * count <= 100e6  # an operation for each multiplication and each addition


def test_every_network_is_documented():
    text = (Path(__file__).parents[2] / "docs" / "networks.md").read_text(encoding="utf-8")
    for name in KERAS:
        network = NETWORKS[name]
        (row,) = [line for line in text.splitlines() if line.startswith(f"| `{name}` |")]
        assert f"| {network.min_side} | {network.num_parameters:,} |" in row
        shape = "any" if network.takes_weights else "x".join(map(str, network.usual_shape))
        assert f"| {shape}, {network.usual_classes} |" in row


def test_published_forms_are_kept():
    assert (NETWORKS["cnn4"].usual_shape, NETWORKS["cnn4"].usual_classes) == ((48, 48, 3), 8)
    assert NETWORKS["cnn4-gray"].usual_shape == (96, 96, 1)
    eight = NETWORKS["emosense-8l"]
    assert (eight.usual_shape, eight.usual_classes) == ((48, 48, 1), 7)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cnn4-gray", {"learning_rate": 1e-4, "class_weights": "auto"}),
        ("cnn4-sched", {"batch_size": 64, "epochs": 71, "preset": "regularized"}),
        *((f"emosense-{n}l", {"batch_size": 128, "epochs": 50}) for n in (4, 8, 10)),
    ],
)
def test_published_settings_are_the_defaults(name, expected):
    settings = network_defaults(name)
    assert {field: getattr(settings, field) for field in expected} == expected
    assert name != "cnn4-gray" or settings.patience > 0


@pytest.mark.parametrize("name", KERAS)
def test_the_smallest_image_fits_and_a_smaller_one_is_refused(name):
    network = NETWORKS[name]
    channels, side = network.usual_shape[2], network.min_side
    build_network(name, spec_of(network, image_shape=(side, side, channels)))
    with pytest.raises(SettingsError, match=f"images of {side}x{side} or more"):
        build_network(name, spec_of(network, image_shape=(side - 1, side, channels)))


def test_pixels_are_standardized_inside_the_network():
    network = NETWORKS["cnn4"]
    spec = spec_of(network, pixel_mean=(0.2, 0.5, 0.7), pixel_std=(0.1, 0.2, 0.3))
    layer = build_network("cnn4", spec).get_layer("standardize")
    white = np.full((1, 1, 1, 3), 255, np.uint8)
    np.testing.assert_allclose(np.array(layer(white)).ravel(), [8.0, 2.5, 1.0], rtol=1e-5)


@pytest.mark.parametrize("name", KERAS)
def test_defaults_are_of_their_network_and_presets_as_listed(name):
    presets = network_presets(name)
    assert list(presets) == (PRESET_NAMES[name] or [""])
    for preset, settings in presets.items():
        assert (settings.model, settings.preset, settings.weights) == (name, preset, "")
        assert network_defaults(name, preset) == settings
    assert network_defaults(name) == next(iter(presets.values()))


def test_presets_differ_in_what_they_say():
    import keras

    built = {
        preset: build_network("cnn4-sched", spec_of(NETWORKS["cnn4-sched"], preset=preset))
        for preset in ("plain", "regularized")
    }
    for preset, network in built.items():
        kinds = {type(layer) for layer in network.layers}
        both = {keras.layers.Dropout, keras.layers.BatchNormalization}
        assert kinds & both == (both if preset == "regularized" else set())
    assert network_defaults("cnn4", "published").augment == AugmentSettings()


def test_l2_is_part_of_the_loss():
    network = build_network("cnn-l2", spec_of(NETWORKS["cnn-l2"], image_shape=(10, 10, 1)))
    assert len(network.losses) == 3
    kernels = [layer.kernel for layer in network.layers if hasattr(layer, "kernel")][:3]
    expected = sum(1e-4 * float((np.array(kernel) ** 2).sum()) for kernel in kernels)
    assert float(sum(network.losses)) == pytest.approx(expected, rel=1e-4)


def test_presets_and_weights_that_are_not_there_are_refused(tmp_path):
    with pytest.raises(
        UnknownNameError, match=r'preset of cnn4-sched "plan".*Did you mean "plain"'
    ):
        network_defaults("cnn4-sched", "plan")
    with pytest.raises(SettingsError, match=r'dnn has no presets; received preset "plain"'):
        network_defaults("dnn", "plain")
    with pytest.raises(SettingsError, match=r"cnn4 starts from random weights; only vgg16, res"):
        check_model(TrainSettings(weights="some.h5"))
    with pytest.raises(MissingWeightsError, match=r"no.h5: no such file; expected .* vgg16's"):
        check_weights_file(TrainSettings(model="vgg16", weights=str(tmp_path / "no.h5")))


def test_an_unknown_network_is_told_with_the_nearest():
    with pytest.raises(UnknownNameError, match=r'unknown network "cn4".*Did you mean "cnn4"'):
        find_network("cn4")


def test_a_baseline_is_listed_and_not_built():
    for name in ("logreg", "mlp", "random-forest", "svm", "resnet50-svm"):
        assert NETWORKS[name].kind == "sklearn"
        with pytest.raises(SettingsError, match=f"{name} is a baseline"):
            build_network(name, spec_of(NETWORKS[name]))

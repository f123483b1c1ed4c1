"""Networks: their size, what they take and give, and their names."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from fer_data.errors import SettingsError, UnknownNameError
from fer_models.zoo import NETWORKS, NetworkSpec, build_network, find_network, network_defaults

BUILT = [name for name, network in NETWORKS.items() if network.kind == "keras"]


def spec_of(network, **changes):
    channels = network.usual_shape[2]
    return dataclasses.replace(
        NetworkSpec(
            image_shape=network.usual_shape,
            num_classes=network.usual_classes,
            pixel_mean=(0.5,) * channels,
            pixel_std=(0.25,) * channels,
        ),
        **changes,
    )


@pytest.mark.parametrize("name", BUILT)
def test_parameter_count_is_the_published_one(name):
    network = NETWORKS[name]
    assert build_network(name, spec_of(network)).count_params() == network.num_parameters


def test_cnn4_has_594888_parameters_at_48x48x3_and_8_classes():
    network = NETWORKS["cnn4"]
    assert (network.usual_shape, network.usual_classes) == ((48, 48, 3), 8)
    assert network.num_parameters == 594_888


@pytest.mark.parametrize("name", BUILT)
@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_raw_pixels_become_probabilities(name, precision):
    network = NETWORKS[name]
    built = build_network(name, spec_of(network, precision=precision))
    pixels = np.random.default_rng(0).integers(0, 256, (2, *network.usual_shape), dtype=np.uint8)
    probabilities = built.predict(pixels, verbose=0)
    assert (probabilities.shape, probabilities.dtype) == ((2, network.usual_classes), np.float32)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    assert {w.dtype for w in built.weights} == {"float32"}


@pytest.mark.parametrize("name", BUILT)
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


@pytest.mark.parametrize("name", NETWORKS)
def test_defaults_are_of_their_network(name):
    assert network_defaults(name).model == name


def test_an_unknown_network_is_told_with_the_nearest():
    with pytest.raises(UnknownNameError, match=r'unknown network "cn4".*Did you mean "cnn4"'):
        find_network("cn4")


def test_a_baseline_is_listed_and_not_built():
    for name in ("logreg", "mlp", "random-forest", "svm", "resnet50-svm"):
        assert NETWORKS[name].kind == "sklearn"
        with pytest.raises(SettingsError, match=f"{name} is a baseline"):
            build_network(name, spec_of(NETWORKS[name]))

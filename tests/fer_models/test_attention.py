"""Attention maps: by hand where a network is simple, and for every network of the zoo."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from fer_models.attention import attention_maps
from fer_models.zoo import NETWORKS, NetworkSpec, build_network

HEAVY = {"emosense-8l", "emosense-10l", "vgg16", "resnet50", "mobilenet"}
NAMES = [
    name for name, network in NETWORKS.items() if network.kind == "keras" and name not in HEAVY
]
POOLED = """
import json, sys, warnings; warnings.simplefilter("ignore")
import keras, numpy as np
from fer_models.attention import attention_maps
keras.utils.set_random_seed(0)
network = keras.Sequential([
    keras.Input((12, 12, 1), dtype="uint8"), keras.layers.Rescaling(1 / 255.0),
    keras.layers.Conv2D(5, 3, activation="relu"), keras.layers.BatchNormalization(),
    keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(3, activation="softmax"),
])
images = np.random.default_rng(0).integers(0, 256, (4, 12, 12, 1), dtype=np.uint8)
classes = np.array([0, 1, 2, 1])
before = network.predict(images, verbose=0)
maps = attention_maps(network, images, classes)
assert (network.predict(images, verbose=0) == before).all()
x = keras.ops.convert_to_tensor(images)
for layer in network.layers[:3]:
    x = layer(x)
features = np.asarray(keras.ops.convert_to_numpy(x), np.float64)
kernel = np.asarray(network.layers[-1].get_weights()[0], np.float64)
expected = np.maximum(np.einsum("nhwc,cn->nhw", features, kernel[:, classes]), 0)
expected /= np.maximum(expected.max(axis=(1, 2), keepdims=True), 1e-30)
print(json.dumps([float(np.abs(maps - expected).max()), list(maps.shape), float(maps.max())]))
"""


def pictures(num, shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (num, *shape), dtype=np.uint8)


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_behind_average_pooling_it_is_the_class_activation_map(backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    done = subprocess.run(
        [sys.executable, "-c", POOLED], capture_output=True, text=True, check=False,
        env=os.environ | {"KERAS_BACKEND": backend, "CUDA_VISIBLE_DEVICES": ""},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    off, shape, highest = json.loads(done.stdout.splitlines()[-1])
    assert off < 1e-5
    assert shape == [4, 10, 10]
    assert highest == 1.0


@pytest.mark.parametrize("quadrant", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_a_network_that_looks_at_one_quadrant_has_its_map_there(quadrant):
    import keras

    network = keras.Sequential(
        [
            keras.Input((8, 8, 1), dtype="uint8"),
            keras.layers.Rescaling(1 / 255.0),
            keras.layers.Conv2D(2, 1, kernel_initializer="ones"),
            keras.layers.Flatten(),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )
    place = tuple(slice(4 * side, 4 * side + 4) for side in quadrant)
    kernel = np.zeros((8, 8, 2, 2), np.float32)
    kernel[*place, :, 1] = 1.0
    network.layers[-1].set_weights([kernel.reshape(128, 2), np.zeros(2, np.float32)])
    images = np.full((2, 8, 8, 1), 200, np.uint8)  # there is something everywhere
    maps = attention_maps(network, images, np.array([1, 0]))
    expected = np.zeros((8, 8), np.float32)
    expected[place] = 1.0
    np.testing.assert_allclose(maps[0], expected, atol=1e-6)
    assert not maps[1].any()  # nothing speaks for the other class


@pytest.mark.parametrize("name", NAMES)
def test_every_network_with_convolutions_has_maps(name):
    spec = NetworkSpec(
        image_shape=(48, 48, 1), num_classes=7, pixel_mean=(0.5,), pixel_std=(0.25,), weights="none"
    )
    check_maps(build_network(name, spec), has_maps=name != "dnn")


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(HEAVY))
def test_every_large_network_has_maps(name):
    spec = NetworkSpec(
        image_shape=(48, 48, 1), num_classes=7, pixel_mean=(0.5,), pixel_std=(0.25,), weights="none"
    )
    check_maps(build_network(name, spec), has_maps=True)


def test_a_network_that_was_saved_has_the_same_maps(tmp_path):
    import keras

    spec = NetworkSpec(
        image_shape=(48, 48, 1), num_classes=7, pixel_mean=(0.5,), pixel_std=(0.25,), weights="none"
    )
    network = build_network("cnn4", spec)
    network.save(tmp_path / "model.keras")
    images, classes = pictures(2, (48, 48, 1)), np.array([2, 5])
    np.testing.assert_allclose(
        attention_maps(keras.models.load_model(tmp_path / "model.keras"), images, classes),
        attention_maps(network, images, classes),
        atol=1e-5,
    )


def check_maps(network, *, has_maps):
    images = pictures(3, (48, 48, 1))
    weights = [np.array(each) for each in network.get_weights()]
    maps = attention_maps(network, images, np.array([0, 3, 6]))
    assert (maps is not None) == has_maps
    for before, after in zip(weights, network.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    if maps is None:
        return
    assert maps.dtype == np.float32
    assert min(maps.shape[1:]) >= 6
    assert np.isfinite(maps).all()
    assert maps.min() >= 0
    highest = maps.max(axis=(1, 2))
    assert ((highest == 0) | (np.abs(highest - 1) < 1e-6)).all()
    one = attention_maps(network, images[1:2], np.array([3]))
    np.testing.assert_allclose(one[0], maps[1], atol=1e-4)  # the others in a batch do not count


def test_a_map_is_taken_where_every_way_goes_through():
    """Not within a branch that the rest goes around."""
    import keras
    from keras import layers

    pixels = keras.Input((12, 12, 1), dtype="uint8")
    x = layers.Conv2D(4, 3, padding="same")(layers.Rescaling(1 / 255.0)(pixels))
    branch = layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    branch = layers.Conv2D(4, 3, padding="same")(branch)
    x = layers.MaxPooling2D(6)(layers.add([x, branch]))
    scores = layers.Dense(3)(layers.Flatten()(x))
    network = keras.Model(pixels, layers.Softmax()(scores))
    maps = attention_maps(network, pictures(2, (12, 12, 1)), np.array([0, 2]))
    assert maps.shape == (2, 12, 12)


def test_a_network_without_layers_of_keras_has_no_maps():
    import keras

    class Odd(keras.Model):
        def call(self, images):
            means = keras.ops.mean(keras.ops.cast(images, "float32"), axis=(1, 2))
            return keras.ops.softmax(keras.ops.concatenate([means, -means], axis=1))

    assert attention_maps(Odd(), pictures(2, (8, 8, 1)), np.array([0, 1])) is None

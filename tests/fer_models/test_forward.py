"""The forward pass gives what `predict` of Keras gives."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from fer_models.forward import compile_forward, pool_first
from tests.fer_models.tiny_network import build_tiny


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("shape", [(8, 8, 1), (9, 7, 3)])
def test_it_gives_what_predict_gives(shape, precision):
    import keras

    keras.utils.set_random_seed(0)
    spec = SimpleNamespace(image_shape=shape, num_classes=7, precision=precision)
    network = build_tiny("", spec)
    forward = compile_forward(network, 16)
    rng = np.random.default_rng(0)
    for count in (1, 15, 16, 17, 40, 1100):
        images = rng.integers(0, 256, (count, *shape), dtype=np.uint8)
        found = forward(images)
        assert found.dtype == np.float32
        assert found.shape == (count, 7)
        expected = network.predict(images, batch_size=16, verbose=0)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_a_network_with_a_step_of_its_own_keeps_it():
    import keras

    class Doubled(keras.Model):
        def predict_step(self, data):
            return super().predict_step(data) * 2

    inputs = keras.Input((4, 4, 1), dtype="uint8")
    network = Doubled(inputs, keras.layers.Flatten()(inputs))
    images = np.random.default_rng(1).integers(0, 100, (5, 4, 4, 1), dtype=np.uint8)
    found = compile_forward(network, 2)(images)
    np.testing.assert_array_equal(found, images.reshape(5, -1) * 2)


def test_batches_that_go_together_come_back_in_order_and_the_same_each_time():
    import keras

    keras.utils.set_random_seed(1)
    spec = SimpleNamespace(image_shape=(48, 48, 1), num_classes=7, precision="float32")
    forward = compile_forward(build_tiny("", spec), 8)
    images = np.random.default_rng(2).integers(0, 256, (500, 48, 48, 1), dtype=np.uint8)
    found = forward(images)
    np.testing.assert_array_equal(forward(images), found)
    alone = np.concatenate([forward(images[row : row + 8]) for row in range(0, 500, 8)])
    np.testing.assert_array_equal(found, alone)


def normed(gammas, *, precision="float32"):
    """Convolutions, each normalized by factors of these signs and pooled."""
    import keras

    keras.utils.set_random_seed(3)
    pixels = keras.Input((13, 13, 2), dtype="uint8")
    x = keras.layers.Rescaling(1.0, dtype="float32")(pixels)
    for number, gamma in enumerate(gammas, 1):
        conv = keras.layers.Conv2D(6, 2, activation="relu", dtype=precision, name=f"conv{number}")
        norm = keras.layers.BatchNormalization(dtype=precision, name=f"norm{number}")
        x = norm(conv(x))
        x = keras.layers.MaxPooling2D(2, dtype=precision, name=f"pool{number}")(x)
        rng = np.random.default_rng(number)
        shift, mean, variance = rng.normal(size=6), rng.normal(50, 20, 6), rng.uniform(9, 900, 6)
        norm.set_weights([rng.uniform(0.1, 2, 6) * gamma, shift, mean, variance])
    x = keras.layers.Dense(3, activation="softmax")(keras.layers.Flatten()(x))
    return keras.Model(pixels, x)


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("gammas", [(1, 1), (1, -1), (-1, 1), ([1, 1, 0, 1, 1, -1], 1), (0, 1)])
def test_pooling_before_a_normalization_changes_nothing(gammas, precision):
    network = normed(gammas, precision=precision)
    images = np.random.default_rng(4).integers(0, 256, (37, 13, 13, 2), dtype=np.uint8)
    expected = network.predict(images, batch_size=16, verbose=0)
    assert expected.std() > 0.01
    np.testing.assert_allclose(compile_forward(network, 16)(images), expected, rtol=0, atol=1e-6)


def test_pooling_comes_first_where_no_channel_is_turned_over():
    layers = normed([1, [1, 1, 1, 1, 1, -1]]).layers[2:]
    names = [layer.name for layer in pool_first(layers)][:6]
    assert names == ["conv1", "pool1", "norm1", "conv2", "norm2", "pool2"]


def test_what_is_normalized_by_rows_is_not_pooled_first():
    import keras

    pixels = keras.Input((8, 8, 3))
    norm = keras.layers.BatchNormalization(axis=1)
    layers = keras.Model(pixels, keras.layers.MaxPooling2D(2)(norm(pixels))).layers[1:]
    assert pool_first(layers) == layers


@pytest.mark.parametrize("shared", [False, True])
def test_a_network_with_a_way_around_a_layer_is_left_as_it_is(shared):
    """What stands in a row in the list of layers need not be in a row in the network."""
    import keras

    pixels = keras.Input((8, 8, 3), dtype="uint8")
    norm, pool = keras.layers.BatchNormalization(), keras.layers.MaxPooling2D(2)
    floats = keras.layers.Rescaling(1.0)(pixels)
    x = pool(norm(floats))
    other = norm(keras.layers.Rescaling(0.5)(floats)) if shared else norm.output
    x = keras.layers.Concatenate()([keras.layers.Flatten()(each) for each in (x, other)])
    network = keras.Model(pixels, keras.layers.Dense(2, activation="softmax")(x))
    norm.set_weights([np.ones(3), np.zeros(3), np.full(3, 128), np.full(3, 9e3)])
    images = np.random.default_rng(5).integers(0, 256, (9, 8, 8, 3), dtype=np.uint8)
    expected = network.predict(images, verbose=0)
    np.testing.assert_allclose(compile_forward(network, 4)(images), expected, rtol=0, atol=1e-6)

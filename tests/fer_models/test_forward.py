"""The forward pass gives what `predict` of Keras gives."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from fer_models.forward import compile_forward
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

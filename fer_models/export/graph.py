"""A network as one function that holds its weights: what the formats are made of."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from fer_models.export.formats import INPUT_NAME, OUTPUT_NAME


def trace(network: Any, image_shape: tuple[int, int, int]) -> Any:
    """The network at work, as a `tf.function` without variables, and without what only trains.

    Args:
        network: a `keras.Model` of Keras' TensorFlow backend.
        image_shape: height, width and channels of the pixels.

    Returns:
        From `pixels`, uint8 of shape (any number, height, width, channels), to a dict that holds
        `probabilities`, float32 of shape (any number, num_classes).
    """
    import tensorflow as tf

    weights = {variable.path for variable in network.weights}
    trained = [variable.numpy() for variable in network.trainable_variables]
    others = [  # with states of chance, which are other ones in every process and only for training
        variable.numpy() if variable.path in weights else np.zeros(variable.shape, variable.dtype)
        for variable in network.non_trainable_variables
    ]
    signature = tf.TensorSpec((None, *image_shape), tf.uint8, name=INPUT_NAME)

    def probabilities(pixels: Any) -> dict[str, Any]:
        held = ([tf.constant(value) for value in values] for values in (trained, others))
        outputs, _ = network.stateless_call(*held, pixels, training=False)
        return {OUTPUT_NAME: outputs}

    return tf.function(probabilities, input_signature=[signature])


@contextlib.contextmanager
def whole_float32() -> Iterator[None]:
    """Keeps TensorFlow on a GPU from rounding float32 to 10 bits in between, to be faster."""
    import keras

    if keras.backend.backend() != "tensorflow":
        yield
        return
    import tensorflow as tf

    before = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        yield
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(before)

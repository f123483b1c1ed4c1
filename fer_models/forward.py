"""A network's forward pass over many images, without what Keras does around it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

_FEW_IMAGES = 1024
_NUM_STREAMS = 2

#: From uint8 images (B, H, W, C), one or more, to float32 probabilities (B, K).
Forward = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


def compile_forward(network: Any, batch_size: int) -> Forward:
    """What gives the probabilities of images, the same as `network.predict` gives.

    Under TensorFlow the step of `predict` becomes one graph for batches of any size, traced at the
    first call: `predict` traces one more for the last, smaller batch, and puts a pipeline before it
    that takes a tenth of a second to begin and has threads beside those of the network. Two batches
    are on their way at a time: the steps of one that keep few processors busy leave them to the
    other. With other backends it is Keras' own `predict`, or `predict_on_batch` for few images.

    Args:
        network: `keras.Model`.
        batch_size: images that go through it together.
    """
    import keras

    if keras.backend.backend() == "tensorflow":
        return _tensorflow_forward(network, batch_size)

    def forward(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        if len(images) > _FEW_IMAGES:
            return np.asarray(network.predict(images, batch_size=batch_size, verbose=0), "f4")
        return _join(map(network.predict_on_batch, _batches(images, batch_size)))

    return forward


def _tensorflow_forward(network: Any, batch_size: int) -> Forward:
    import tensorflow as tf

    step = tf.function(
        network.predict_step,
        input_signature=[tf.TensorSpec(network.input_shape, tf.uint8)],
        autograph=False,  # as in `predict`
        jit_compile=network.jit_compile,
    )

    def forward(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        with ThreadPoolExecutor(_NUM_STREAMS) as pool:
            return _join(pool.map(step, _batches(images, batch_size)))

    return forward


def _batches(images: NDArray[np.uint8], batch_size: int) -> list[NDArray[np.uint8]]:
    return [images[start : start + batch_size] for start in range(0, len(images), batch_size)]


def _join(parts: Iterable[Any]) -> NDArray[np.float32]:
    return np.concatenate([np.asarray(part, np.float32) for part in parts])

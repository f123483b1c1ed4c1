"""A network's forward pass over many images, without what Keras does around it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

_FEW_IMAGES = 1024
_NUM_STREAMS = 2

#: From uint8 images (B, H, W, C), one or more, to float32 probabilities (B, K).
Forward = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


def compile_forward(network: Any, batch_size: int) -> Forward:
    """What gives the probabilities of images, the same as `network.predict` gives.

    Under TensorFlow the step of `predict` becomes one graph for batches of any size, traced here:
    `predict` traces one more for the last, smaller batch, and puts a pipeline before it that takes
    a tenth of a second to begin and has threads beside those of the network. Two batches are on
    their way at a time: the steps of one that keep few processors busy leave them to the other.
    Max-pooling comes before a normalization where it may, as `pool_first` has it. With other
    backends it is Keras' own `predict`, or `predict_on_batch` for few images.

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
        _pooled_step(network) or network.predict_step,
        input_signature=[tf.TensorSpec(network.input_shape, tf.uint8)],
        autograph=False,  # as in `predict`
        jit_compile=network.jit_compile,
    )
    step.get_concrete_function()  # traces it

    def forward(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        with ThreadPoolExecutor(_NUM_STREAMS) as pool:
            return _join(pool.map(step, _batches(images, batch_size)))

    return forward


def _pooled_step(network: Any) -> Callable[[Any], Any] | None:
    """The step of `predict` with its pooling first; None where that changes or gains nothing."""
    layers = _chain(network)
    order = pool_first(layers)
    if order == layers:
        return None

    def step(images: Any) -> Any:
        for layer in order:
            images = layer(images, training=False)
        return images

    return step


def _chain(network: Any) -> list[Any]:
    """The layers of a network that is one layer after the other; of another one none."""
    import keras

    if not isinstance(network, keras.Model) or type(network).__name__ != "Functional":
        return []  # it may do more than its layers
    last, layers = network.inputs[0], network.layers[1:]
    for layer in layers:
        try:
            if layer.input is not last:
                return []
        except AttributeError:  # it is there twice
            return []
        last = layer.output
    return layers if last is network.outputs[0] else []


def pool_first(layers: Sequence[Any]) -> list[Any]:
    """The layers in an order that gives the same, with less to compute.

    Batch normalization stretches and shifts each channel. Where it turns none over, which value is
    the largest stays the same: taking the largest first leaves a quarter of the values to stretch.

    Args:
        layers: of Keras, of which each takes what the one before gives.
    """
    import keras

    order = list(layers)
    for at, (norm, pool) in enumerate(pairwise(layers)):
        is_pair = isinstance(norm, keras.layers.BatchNormalization) and isinstance(
            pool, keras.layers.MaxPooling2D
        )
        by_channel = is_pair and norm.axis in (-1, 3) and pool.data_format == "channels_last"
        if by_channel and (not norm.scale or bool((np.asarray(norm.gamma) >= 0).all())):
            order[at : at + 2] = [pool, norm]
    return order


def _batches(images: NDArray[np.uint8], batch_size: int) -> list[NDArray[np.uint8]]:
    return [images[start : start + batch_size] for start in range(0, len(images), batch_size)]


def _join(parts: Iterable[Any]) -> NDArray[np.float32]:
    return np.concatenate([np.asarray(part, np.float32) for part in parts])

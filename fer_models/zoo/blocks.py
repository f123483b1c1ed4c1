"""Blocks that networks are stacked from: lists of Keras layers, each under a precision.

Keras is imported when a block is made, so that a network's settings can be read without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fer_models.zoo.network import NetworkSpec

# Keras' own .99 forgets so slowly that on a few thousand images an epoch the first eight epochs are
# judged by statistics of the first weights; .9 catches up within one.
_NORM_MOMENTUM = 0.9


def pixels_in(spec: NetworkSpec) -> list[Any]:
    """The input, uint8 (B, H, W, C), and its standardization in float32; no parameters."""
    import keras
    from keras import layers

    return [
        keras.Input(spec.image_shape, dtype="uint8", name="pixels"),
        # 0..255 -> mean 0 and deviation 1 over the training pixels; bfloat16 would merge levels
        layers.Rescaling(
            [1.0 / (255.0 * max(std, 1e-3)) for std in spec.pixel_std],
            [-m / max(s, 1e-3) for m, s in zip(spec.pixel_mean, spec.pixel_std, strict=True)],
            dtype="float32",
            name="standardize",
        ),
    ]


def conv_block(
    spec: NetworkSpec,
    name: str,
    filters: int,
    *,
    padding: str = "valid",
    norm: bool = False,
    pool: bool = True,
    dropout: float = 0.0,
    l2: float = 0.0,
) -> list[Any]:
    """A convolution of 3x3 with ReLU, then normalization, 2x2 max-pooling and dropout as wanted.

    It has 9 * channels * filters + filters parameters, and 4 * filters with normalization.

    Args:
        spec: whose precision the layers take.
        name: of the convolution; the other layers are called after it.
        filters: channels it gives.
        padding: `"valid"` loses a pixel at each border, `"same"` none.
        norm: whether batch normalization follows.
        pool: whether height and width are halved, rounded down.
        dropout: share of numbers that are dropped in training.
        l2: factor of the squared kernel in the loss.
    """
    from keras import layers

    dtype = spec.precision
    block: list[Any] = [
        layers.Conv2D(
            filters,
            3,
            padding=padding,
            activation="relu",
            kernel_regularizer=_l2(l2),
            dtype=dtype,
            name=name,
        )
    ]
    if norm:
        block.append(norm_layer(spec, name))
    if pool:
        block.append(layers.MaxPooling2D(2, dtype=dtype, name=f"{name}_pool"))
    if dropout:
        block.append(layers.Dropout(dropout, dtype=dtype, name=f"{name}_dropout"))
    return block


def flatten(spec: NetworkSpec) -> list[Any]:
    """(B, H, W, C) -> (B, H*W*C)."""
    from keras import layers

    return [layers.Flatten(dtype=spec.precision, name="flatten")]


def dense_block(
    spec: NetworkSpec,
    name: str,
    units: int,
    *,
    norm: bool = False,
    dropout: float = 0.0,
    l2: float = 0.0,
) -> list[Any]:
    """A dense layer with ReLU, then normalization and dropout as wanted.

    It has inputs * units + units parameters, and 4 * units with normalization.

    Args:
        spec: whose precision the layers take.
        name: of the dense layer; the other layers are called after it.
        units: numbers it gives.
        norm: whether batch normalization follows.
        dropout: share of numbers that are dropped in training.
        l2: factor of the squared kernel in the loss.
    """
    from keras import layers

    dtype = spec.precision
    block: list[Any] = [
        layers.Dense(units, activation="relu", kernel_regularizer=_l2(l2), dtype=dtype, name=name)
    ]
    if norm:
        block.append(norm_layer(spec, name))
    if dropout:
        block.append(layers.Dropout(dropout, dtype=dtype, name=f"{name}_dropout"))
    return block


def softmax_head(spec: NetworkSpec) -> list[Any]:
    """The probabilities, float32 (B, num_classes) whatever the precision of the others."""
    from keras import layers

    return [
        layers.Dense(spec.num_classes, activation="softmax", dtype="float32", name="probabilities")
    ]


def stack(parts: Sequence[Any], name: str) -> Any:
    """The network that is one layer after the other, the input first.

    A `keras.Model` of inputs and outputs, since a `keras.Sequential` is put together anew at each
    of its layers when it is loaded.
    """
    import keras

    pixels, *layers = parts
    x = pixels
    for layer in layers:
        x = layer(x)
    return keras.Model(pixels, x, name=name)


def norm_layer(spec: NetworkSpec, name: str) -> Any:
    """Batch normalization, called after the layer before it; 4 * channels parameters."""
    from keras import layers

    return layers.BatchNormalization(
        momentum=_NORM_MOMENTUM, dtype=spec.precision, name=f"{name}_norm"
    )


def _l2(factor: float) -> Any:
    from keras import regularizers

    return regularizers.L2(factor) if factor else None

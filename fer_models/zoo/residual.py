"""Parts of residual networks: functions from one Keras tensor to the next.

Convolutions have no bias where a normalization follows, which has one. Keras is imported when a
part is made, as in `fer_models.zoo.blocks`.
"""

from __future__ import annotations

from typing import Any

from fer_models.zoo.blocks import norm_layer, softmax_head
from fer_models.zoo.network import NetworkSpec


def convolve(
    spec: NetworkSpec, x: Any, name: str, filters: int, *, size: int = 3, stride: int = 1
) -> Any:
    """A convolution that keeps height and width, or divides them by its stride, rounded up.

    It has size * size * channels * filters parameters.
    """
    from keras import layers

    return layers.Conv2D(
        filters,
        size,
        strides=stride,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        dtype=spec.precision,
        name=name,
    )(x)


def norm_relu(spec: NetworkSpec, x: Any, name: str) -> Any:
    """Batch normalization and ReLU; 4 * channels parameters."""
    from keras import layers

    x = norm_layer(spec, name)(x)
    return layers.Activation("relu", dtype=spec.precision, name=f"{name}_relu")(x)


def squeeze_excite(spec: NetworkSpec, x: Any, name: str, *, ratio: int = 16) -> Any:
    """Each channel times a factor that all channels' means decide (Hu et al., arXiv:1709.01507).

    It has 2 * channels * n + channels + n parameters, n = channels / ratio.
    """
    from keras import layers

    channels, dtype = x.shape[-1], spec.precision
    factors = layers.GlobalAveragePooling2D(keepdims=True, dtype=dtype, name=f"{name}_mean")(x)
    for part, units, activation in (
        ("squeeze", channels // ratio, "relu"),
        ("excite", channels, "sigmoid"),
    ):
        factors = layers.Dense(units, activation=activation, dtype=dtype, name=f"{name}_{part}")(
            factors
        )
    return layers.Multiply(dtype=dtype, name=f"{name}_weigh")([x, factors])


def residual_block(spec: NetworkSpec, x: Any, name: str, filters: int, *, stride: int) -> Any:
    """Two convolutions of 3x3 with squeeze-and-excitation, added to what came in.

    The basic block of ResNet-18 (He et al., arXiv:1512.03385). What came in goes through a
    convolution of 1x1 where its shape changes. Every normalization begins with a factor of 1: where
    each block's last one began with 0 (Goyal et al., arXiv:1706.02677), `fer-resnet18` had learned
    next to nothing after its first thousand steps.
    """
    from keras import layers

    dtype = spec.precision
    shortcut = x
    if stride != 1 or x.shape[-1] != filters:
        shortcut = convolve(spec, x, f"{name}_short", filters, size=1, stride=stride)
        shortcut = norm_layer(spec, f"{name}_short")(shortcut)
    x = convolve(spec, x, f"{name}_conv1", filters, stride=stride)
    x = norm_relu(spec, x, f"{name}_conv1")
    x = convolve(spec, x, f"{name}_conv2", filters)
    x = norm_layer(spec, f"{name}_conv2")(x)
    x = squeeze_excite(spec, x, name)
    x = layers.Add(dtype=dtype, name=f"{name}_add")([shortcut, x])
    return layers.Activation("relu", dtype=dtype, name=f"{name}_relu")(x)


def pooled_head(spec: NetworkSpec, x: Any, *, dropout: float) -> Any:
    """The means of the channels over the whole picture, dropout, and the probabilities."""
    from keras import layers

    x = layers.GlobalAveragePooling2D(dtype=spec.precision, name="mean")(x)
    x = layers.Dropout(dropout, dtype=spec.precision, name="dropout")(x)
    (head,) = softmax_head(spec)
    return head(x)

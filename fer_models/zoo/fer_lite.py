"""`fer-lite`: a small residual network for people who train on two cores.

Ours, on 48x48 grey pictures of 7 classes: under 100 MFLOPs forward (an operation for each
multiplication and each addition), and little else, because on a processor normalization costs more
than convolutions that are quick with bfloat16. The first convolution halves the picture at once;
the second one is pooled before it is normalized; two of the five convolutions are residual.

Multiplications forward at 48x48x1, and parameters with 7 classes:

    stem      24 * 24 * 16 * 32           294,912        16 * 32 + 32          544
    conv2     24 * 24 * 9 * 32 * 64    10,616,832        18,432 + 256       18,688
    conv3     12 * 12 * 9 * 64 * 96     7,962,624        55,296 + 384       55,680
    conv4     12 * 12 * 9 * 96 * 96    11,943,936        82,944 + 384       83,328
    conv5     6 * 6 * 9 * 96 * 192      5,971,968       165,888 + 768      166,656
    conv6     6 * 6 * 9 * 192 * 192    11,943,936       331,776 + 768      332,544
    head      192 * 7                       1,344        192 * 7 + 7         1,351
                                       48,735,552                          658,791

It takes images of any side from 8 on, so its first epochs are learned on smaller ones.
"""

from __future__ import annotations

from typing import Any

from fer_models.augmentation import AugmentSettings
from fer_models.settings import TrainSettings
from fer_models.zoo.blocks import pixels_in
from fer_models.zoo.network import NetworkSpec
from fer_models.zoo.residual import convolve, norm_relu, pooled_head

_STEM, _SECOND = 32, 64
_STAGES = (96, 192)  # filters; the picture is halved between them
_DROPOUT = 0.3

DEFAULTS = TrainSettings(
    model="fer-lite",
    epochs=60,
    batch_size=128,
    optimizer="adamw",
    learning_rate=4e-3,
    weight_decay=0.05,
    schedule="one-cycle",
    warmup=10,
    ema=0.995,
    label_smoothing=0.1,
    first_side=32,
    grow_epochs=36,
    augment=AugmentSettings(
        rotation=10.0, shift=0.1, zoom=0.12, brightness=0.1, contrast=0.2, erasing=0.25
    ),
    class_weights="none",
    patience=0,
)


def build(spec: NetworkSpec) -> Any:
    """The network, from raw pixels to probabilities."""
    import keras
    from keras import layers

    dtype = spec.precision
    pixels, standardize = pixels_in(spec)
    x = layers.Conv2D(
        _STEM, 4, strides=2, padding="same", activation="relu", dtype=dtype, name="conv1"
    )(standardize(pixels))
    x = convolve(spec, x, "conv2", _SECOND)
    x = layers.MaxPooling2D(2, dtype=dtype, name="conv2_pool")(x)
    x = norm_relu(spec, x, "conv2")
    for number, filters in zip((3, 5), _STAGES, strict=True):
        x = norm_relu(spec, convolve(spec, x, f"conv{number}", filters), f"conv{number}")
        name = f"conv{number + 1}"
        y = norm_relu(spec, convolve(spec, x, name, filters), name)
        x = layers.Add(dtype=dtype, name=f"{name}_add")([x, y])
        if filters != _STAGES[-1]:
            x = layers.MaxPooling2D(2, dtype=dtype, name=f"{name}_pool")(x)
    return keras.Model(pixels, pooled_head(spec, x, dropout=_DROPOUT), name="fer_lite")

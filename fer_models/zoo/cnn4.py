"""`cnn4`: four convolutions, two dense layers, and batch normalization after each.

The network of the course projects on an AffectNet subset of 48x48 colour images and 8 classes,
that ferkit grew from: 594,888 parameters there. 32, 64, 128 and 256 filters of 3x3 without
padding, each with ReLU, batch normalization, 2x2 max-pooling and dropout of a quarter; dense
layers of 256 and 512 with ReLU, batch normalization and dropout of a quarter; softmax.
"""

from __future__ import annotations

from typing import Any

from fer_models.augmentation import AugmentSettings
from fer_models.settings import TrainSettings
from fer_models.zoo import NetworkSpec

_FILTERS = (32, 64, 128, 256)
_UNITS = (256, 512)
_DROPOUT = 0.25
# Keras' own .99 forgets so slowly that on a few thousand images an epoch the first eight epochs are
# judged by statistics of the first weights; .9 catches up within one.
_NORM_MOMENTUM = 0.9

#: Published: Adam at a constant 1e-3, batches of 64, class weights, rotation 20 degrees, shift .1,
#: zoom .2, flip. Here half of the movement and a rate that falls: the network ends in a single
#: place, has no slack for shifts, and learns far more slowly under the published ones.
DEFAULTS = TrainSettings(
    model="cnn4",
    schedule="cosine",
    augment=AugmentSettings(rotation=10.0, shift=0.05, zoom=0.1),
)


def build(spec: NetworkSpec) -> Any:
    """The network, from raw pixels to probabilities."""
    import keras
    from keras import layers

    dtype = spec.precision
    network = [
        keras.Input(spec.image_shape, dtype="uint8", name="pixels"),
        # 0..255 -> mean 0 and deviation 1 over the training pixels; no parameters
        layers.Rescaling(
            [1.0 / (255.0 * max(std, 1e-3)) for std in spec.pixel_std],
            [-m / max(s, 1e-3) for m, s in zip(spec.pixel_mean, spec.pixel_std, strict=True)],
            dtype=dtype,
            name="standardize",
        ),
    ]
    for number, filters in enumerate(_FILTERS, 1):
        network += [
            layers.Conv2D(filters, 3, activation="relu", dtype=dtype, name=f"conv{number}"),
            layers.BatchNormalization(
                momentum=_NORM_MOMENTUM, dtype=dtype, name=f"conv{number}_norm"
            ),
            layers.MaxPooling2D(2, dtype=dtype, name=f"conv{number}_pool"),
            layers.Dropout(_DROPOUT, dtype=dtype, name=f"conv{number}_dropout"),
        ]
    network.append(layers.Flatten(dtype=dtype, name="flatten"))
    for number, units in enumerate(_UNITS, 1):
        network += [
            layers.Dense(units, activation="relu", dtype=dtype, name=f"dense{number}"),
            layers.BatchNormalization(
                momentum=_NORM_MOMENTUM, dtype=dtype, name=f"dense{number}_norm"
            ),
            layers.Dropout(_DROPOUT, dtype=dtype, name=f"dense{number}_dropout"),
        ]
    network.append(
        layers.Dense(spec.num_classes, activation="softmax", dtype="float32", name="probabilities")
    )
    return keras.Sequential(network, name="cnn4")

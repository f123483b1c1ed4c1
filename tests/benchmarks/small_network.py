"""A small network for benchmarks that train often: 8 million multiplications a picture of 48x48.

Parameters at 48x48x1 and 7 classes: 416 + 4,640 + 18,496 + 55,392 of the convolutions, 832 of their
normalizations, 679 of the head; 80,455 together.
"""

from __future__ import annotations

from typing import Any

from fer_models.settings import TrainSettings
from fer_models.zoo import NetworkSpec
from fer_models.zoo.blocks import pixels_in, softmax_head

DEFAULTS = TrainSettings(
    epochs=10,
    batch_size=128,
    learning_rate=2e-3,
    schedule="cosine",
    warmup=0.5,
    class_weights="none",
    patience=0,
)


def build(spec: NetworkSpec) -> Any:
    import keras
    from keras import layers

    network = pixels_in(spec)
    for number, filters in enumerate((16, 32, 64, 96)):
        size, strides = (5, 2) if number == 0 else (3, 1)
        network += [
            layers.Conv2D(filters, size, strides, "same", activation="relu", dtype=spec.precision),
            layers.BatchNormalization(momentum=0.9, dtype=spec.precision),
        ]
        if number in {1, 2}:
            network.append(layers.MaxPooling2D(2, dtype=spec.precision))
    network += [layers.GlobalAveragePooling2D(), layers.Dropout(0.2)]
    return keras.Sequential([*network, *softmax_head(spec)], name="small")

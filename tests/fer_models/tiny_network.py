"""A network that trains in no time, with all that makes resuming hard: dropout and norms."""

from __future__ import annotations

from typing import Any


def build_tiny(_name: str, spec: Any) -> Any:
    """In the place of `fer_models.zoo.build_network`."""
    import keras
    from keras import layers

    return keras.Sequential(
        [
            keras.Input(spec.image_shape, dtype="uint8"),
            layers.Rescaling(1 / 255.0, dtype=spec.precision),
            layers.Conv2D(6, 3, activation="relu", dtype=spec.precision),
            layers.BatchNormalization(dtype=spec.precision),
            layers.Dropout(0.25, dtype=spec.precision),
            layers.Flatten(),
            layers.Dropout(0.25, dtype=spec.precision),
            layers.Dense(spec.num_classes, activation="softmax", dtype="float32"),
        ]
    )


def build_plain(_name: str, spec: Any) -> Any:
    """Without dropout and norms: what it learns of a batch does not depend on who shares it."""
    import keras
    from keras import layers

    return keras.Sequential(
        [
            keras.Input(spec.image_shape, dtype="uint8"),
            layers.Rescaling(1 / 255.0),
            layers.Flatten(),
            layers.Dense(8, activation="relu"),
            layers.Dense(spec.num_classes, activation="softmax"),
        ]
    )

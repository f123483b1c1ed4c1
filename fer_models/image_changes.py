"""The changes that were drawn for training images, made by a layer before the network.

Runs on any Keras backend, on the accelerator if there is one.
"""

from __future__ import annotations

from typing import Any

from fer_models.augmentation import (
    ERASED,
    LIGHT,
    MIXED,
    MOVEMENT,
    NUM_CHANGES,
    AugmentSettings,
)


def change_images(images: Any, changes: Any, settings: AugmentSettings) -> Any:
    """The images, each changed as was drawn for it: moved, lit, erased and mixed, in this order.

    What comes in from outside repeats the border. An image is mixed with the one before it in the
    batch, the first one with the last.

    Args:
        images: uint8 tensor of shape (batch, height, width, channels).
        changes: float32 tensor of shape (batch, NUM_CHANGES), as `draw_changes` gives it.
        settings: that they were drawn with; what is off in them is left out.

    Returns:
        uint8 tensor of the same shape as `images`.
    """
    from keras import ops

    pixels = ops.cast(images, "float32")
    if settings.moves:
        pixels = ops.image.affine_transform(
            pixels, changes[:, MOVEMENT], fill_mode="nearest", data_format="channels_last"
        )
    if settings.lights:
        light = ops.reshape(changes[:, LIGHT], (-1, 2, 1, 1, 1))
        middle = ops.mean(pixels, axis=(1, 2, 3), keepdims=True)
        pixels = (pixels - middle) * light[:, 1] + middle + 255.0 * light[:, 0]
        pixels = ops.clip(pixels, 0.0, 255.0)
    if settings.erasing:
        erased = changes[:, ERASED]
        grey = ops.reshape(erased[:, 4], (-1, 1, 1, 1))
        pixels = ops.where(_inside(images, erased), grey, pixels)
    if settings.mixes:
        mixed = changes[:, MIXED]
        strength = ops.reshape(mixed[:, 4], (-1, 1, 1, 1))
        blended = pixels + (ops.roll(pixels, 1, axis=0) - pixels) * strength
        pixels = ops.where(_inside(images, mixed), blended, pixels)
    return ops.cast(ops.clip(ops.round(pixels), 0.0, 255.0), "uint8")


def _inside(images: Any, rectangles: Any) -> Any:
    """Which pixels lie in each image's rectangle, bool of shape (batch, height, width, 1).

    Args:
        images: tensor of shape (batch, height, width, channels).
        rectangles: float32 tensor of shape (batch, 4 or more): top, bottom, left, right.
    """
    from keras import ops

    edges = ops.reshape(rectangles[:, :4], (-1, 4, 1, 1, 1))
    rows = ops.reshape(ops.arange(images.shape[1], dtype="float32"), (1, -1, 1, 1))
    columns = ops.reshape(ops.arange(images.shape[2], dtype="float32"), (1, 1, -1, 1))
    in_rows = ops.logical_and(rows >= edges[:, 0], rows < edges[:, 1])
    return ops.logical_and(in_rows, ops.logical_and(columns >= edges[:, 2], columns < edges[:, 3]))


def with_changes(network: Any, settings: AugmentSettings) -> Any:
    """A `keras.Model` from images and their changes to what `network` says of the changed images.

    It shares the network's weights.

    Args:
        network: `keras.Model` from uint8 images of shape (batch, height, width, channels).
        settings: of the changes.
    """
    import keras

    class ChangeImages(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
        """`change_images` as a layer without weights."""

        def __init__(self) -> None:
            super().__init__(name="change_images", dtype="float32")
            self.supports_jit = has_xla_form(settings)

        def call(self, images: Any, changes: Any) -> Any:
            return change_images(images, changes, settings)

        def compute_output_spec(self, images: Any, changes: Any) -> Any:
            return keras.KerasTensor(images.shape, "uint8")

    images = keras.Input(network.input_shape[1:], dtype="uint8", name="images")
    changes = keras.Input((NUM_CHANGES,), dtype="float32", name="changes")
    outputs = network(ChangeImages()(images, changes))
    return keras.Model([images, changes], outputs, name=f"{network.name}_changed")


def has_xla_form(settings: AugmentSettings | None) -> bool:
    """Whether XLA can compile the changes: not where TensorFlow resamples."""
    import keras

    return settings is None or not settings.moves or keras.backend.backend() != "tensorflow"

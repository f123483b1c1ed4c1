"""Random turns, shifts, zooms and mirror images of training images, in one resampling.

How an image is moved depends on the seed, the epoch and the image alone: not on the batch it comes
in, on what was drawn before, or on how many train together. The stream draws the movements, a few
numbers an image; a layer before the network moves the pixels, on the accelerator if there is one.
The network that is saved is free of it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from fer_data.errors import SettingsError

_DRAWS = 6  # random numbers an image


@dataclass(frozen=True, slots=True, kw_only=True)
class AugmentSettings:
    """How far training images are moved at random.

    Attributes:
        rotation: degrees; turned by up to this much either way.
        shift: share of the height and width; moved by up to this much in each direction.
        zoom: height and width are each scaled by 1 - zoom to 1 + zoom.
        flip: whether one image in two is mirrored left to right.
    """

    rotation: float = 20.0
    shift: float = 0.1
    zoom: float = 0.2
    flip: bool = True

    def __post_init__(self) -> None:
        for name, limit in (("rotation", 180.0), ("shift", 1.0), ("zoom", 0.99)):
            value = getattr(self, name)
            if not 0.0 <= value <= limit:
                raise SettingsError(f"{name} must be 0 to {limit:g}; received {value}")


def draw_movements(
    numbers: Any, seed: tuple[int, int], size: tuple[int, int], settings: AugmentSettings
) -> Any:
    """A random movement for each image: where a pixel of the moved image comes from.

    Args:
        numbers: int64 tensor of shape (batch,): the images' numbers in their split.
        seed: two integers; of the run and the epoch.
        size: height and width of the images.
        settings: how far.

    Returns:
        float32 tensor of shape (batch, 8): rows of projective transforms without the last 1.
    """
    import tensorflow as tf

    height, width = size
    draws = tf.unstack(2.0 * _uniform(numbers, seed) - 1.0, axis=1)  # six of shape (batch,)
    angle = draws[0] * math.radians(settings.rotation)
    scale_y, scale_x = 1.0 + draws[1] * settings.zoom, 1.0 + draws[2] * settings.zoom
    if settings.flip:
        scale_x *= tf.where(draws[3] < 0.0, -1.0, 1.0)
    middle_y, middle_x = (height - 1.0) / 2.0, (width - 1.0) / 2.0
    shift_y, shift_x = (
        draws[4] * settings.shift * height,
        draws[5] * settings.shift * width,
    )
    # Scaled and turned about the middle, then moved.
    xx, xy = tf.cos(angle) * scale_x, -tf.sin(angle) * scale_y
    yx, yy = tf.sin(angle) * scale_x, tf.cos(angle) * scale_y
    offset_x = middle_x + shift_x - xx * middle_x - xy * middle_y
    offset_y = middle_y + shift_y - yx * middle_x - yy * middle_y
    nothing = tf.zeros_like(angle)
    # (8, batch) -> (batch, 8)
    return tf.stack([xx, xy, offset_x, yx, yy, offset_y, nothing, nothing], axis=1)


def _uniform(numbers: Any, seed: tuple[int, int]) -> Any:
    """Random numbers from 0 to below 1, float32 of shape (batch, _DRAWS), one counter each.

    SplitMix64 (Steele, Lea and Flood 2014): a counter that is mixed; any one can be drawn alone.
    """
    import tensorflow as tf

    def mix(counter: Any) -> Any:
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            counter = tf.bitwise.bitwise_xor(counter, tf.bitwise.right_shift(counter, u64(shift)))
            counter *= u64(factor)
        return tf.bitwise.bitwise_xor(counter, tf.bitwise.right_shift(counter, u64(31)))

    def u64(value: int) -> Any:
        return tf.constant(value, tf.uint64)

    key = mix(u64(seed[0]) * u64(0x9E3779B97F4A7C15))
    key = mix(key + u64(seed[1]) * u64(0x9E3779B97F4A7C15))
    # (batch, 1) * 6 + (1, 6) -> (batch, 6)
    counters = tf.cast(numbers, tf.uint64)[:, tf.newaxis] * u64(_DRAWS)
    counters += tf.cast(tf.range(_DRAWS), tf.uint64)[tf.newaxis]
    bits = mix(key + (counters + u64(1)) * u64(0x9E3779B97F4A7C15))
    return tf.cast(tf.bitwise.right_shift(bits, u64(40)), tf.float32) * 2.0**-24


def move_images(images: Any, movements: Any) -> Any:
    """The images, each moved; what comes in from outside repeats the border.

    Runs on any Keras backend.

    Args:
        images: uint8 tensor of shape (batch, height, width, channels).
        movements: float32 tensor of shape (batch, 8), as `draw_movements` gives them.

    Returns:
        uint8 tensor of the same shape as `images`.
    """
    from keras import ops

    moved = ops.image.affine_transform(
        ops.cast(images, "float32"), movements, fill_mode="nearest", data_format="channels_last"
    )
    return ops.cast(ops.clip(ops.round(moved), 0, 255), "uint8")


def with_movements(network: Any) -> Any:
    """A `keras.Model` from images and their movements to what `network` says of the moved images.

    It shares the network's weights.

    Args:
        network: `keras.Model` from uint8 images of shape (batch, height, width, channels).
    """
    import keras

    class MoveImages(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
        """`move_images` as a layer without weights."""

        def __init__(self) -> None:
            super().__init__(name="move_images", dtype="float32")
            # the resampling of the TensorFlow backend has no XLA form
            self.supports_jit = keras.backend.backend() != "tensorflow"

        def call(self, images: Any, movements: Any) -> Any:
            return move_images(images, movements)

        def compute_output_spec(self, images: Any, movements: Any) -> Any:
            return keras.KerasTensor(images.shape, "uint8")

    images = keras.Input(network.input_shape[1:], dtype="uint8", name="images")
    movements = keras.Input((8,), dtype="float32", name="movements")
    outputs = network(MoveImages()(images, movements))
    return keras.Model([images, movements], outputs, name=f"{network.name}_moved")

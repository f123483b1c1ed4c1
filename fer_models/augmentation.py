"""Random turns, shifts, zooms and mirror images of a batch, in one resampling.

It belongs to the training stream, not to the network: the network that is saved is free of it,
runs beside the accelerator's work, and depends on the seed alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from fer_data.errors import SettingsError


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


def augment_images(images: Any, seed: Any, settings: AugmentSettings) -> Any:
    """The images, each moved at random; what comes in from outside repeats the border.

    Args:
        images: uint8 tensor of shape (batch, height, width, channels).
        seed: int tensor of shape (2,); the same seed moves the same way.
        settings: how far.

    Returns:
        uint8 tensor of the same shape.
    """
    import tensorflow as tf

    batch, height, width = (tf.shape(images)[axis] for axis in range(3))
    draws = tf.random.stateless_uniform((6, batch), seed, -1.0, 1.0)
    angle = draws[0] * math.radians(settings.rotation)
    scale_y, scale_x = 1.0 + draws[1] * settings.zoom, 1.0 + draws[2] * settings.zoom
    if settings.flip:
        scale_x *= tf.where(draws[3] < 0.0, -1.0, 1.0)
    middle_y = (tf.cast(height, tf.float32) - 1.0) / 2.0
    middle_x = (tf.cast(width, tf.float32) - 1.0) / 2.0
    shift_y = draws[4] * settings.shift * tf.cast(height, tf.float32)
    shift_x = draws[5] * settings.shift * tf.cast(width, tf.float32)
    # Where a pixel of the output comes from: scaled and turned about the middle, then moved.
    xx, xy = tf.cos(angle) * scale_x, -tf.sin(angle) * scale_y
    yx, yy = tf.sin(angle) * scale_x, tf.cos(angle) * scale_y
    offset_x = middle_x + shift_x - xx * middle_x - xy * middle_y
    offset_y = middle_y + shift_y - yx * middle_x - yy * middle_y
    nothing = tf.zeros_like(angle)
    # (8, batch) -> (batch, 8): the rows of a projective transform without the last 1
    transforms = tf.stack([xx, xy, offset_x, yx, yy, offset_y, nothing, nothing], axis=1)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=transforms,
        output_shape=tf.stack([height, width]),
        interpolation="BILINEAR",
        fill_mode="NEAREST",
        fill_value=0.0,
    )

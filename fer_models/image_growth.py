"""Progressive resolution: the first epochs are learned on smaller images, which takes less time.

Images grow in steps to their own side (Tan & Le, arXiv:2104.00298). A layer before the network
makes them smaller; a network that takes any side shares its weights between all of them. What is
judged and saved takes whole images.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_data.errors import SettingsError
from fer_models.settings import SIDE_STEP, TrainSettings


def side_of_epoch(settings: TrainSettings, epoch: int, side: int) -> int:
    """The side of the images that an epoch learns from.

    Args:
        settings: of the run.
        epoch: counted from 0.
        side: of the images themselves.

    Example:
        >>> grown = TrainSettings(epochs=8, first_side=32, grow_epochs=6)
        >>> [side_of_epoch(grown, epoch, 48) for epoch in range(8)]
        [32, 32, 32, 40, 40, 40, 48, 48]
    """
    if epoch >= settings.grow_epochs:
        return side
    sides = range(settings.first_side, side, SIDE_STEP)
    return sides[epoch * len(sides) // settings.grow_epochs]


def shrinking_matrix(before: int, after: int) -> NDArray[np.float32]:
    """What makes a row of pixels shorter: each new pixel a mean, nearer ones weighing more.

    A triangle as wide as two new pixels, as antialiased bilinear interpolation has it.

    Returns:
        float32 array of shape (after, before); rows sum to 1.
    """
    scale = before / after
    middles = (np.arange(after) + 0.5) * scale - 0.5
    distances = np.abs(middles[:, None] - np.arange(before)) / max(scale, 1.0)
    weights = np.maximum(1.0 - distances, 0.0)
    shares: NDArray[np.float32] = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return shares


class GrowingSide:
    """The side that images have just now; steps that are compiled keep the one they began with.

    Attributes:
        now: height and width of the images that are learned from.
    """

    def __init__(self, now: int) -> None:
        self.now = now


def with_growth(network: Any, side: GrowingSide) -> Any:
    """A `keras.Model` like `network` that first makes its images as small as `side` says.

    It shares the network's weights, and takes the same images.

    Args:
        network: `keras.Model` from uint8 images of shape (batch, side, side, channels).
        side: asked whenever a step is compiled.

    Raises:
        SettingsError: the network takes no smaller images.
    """
    import keras
    from keras import ops

    height, width, channels = network.input_shape[1:]

    class ShrinkImages(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
        """Images of the side that is wanted now; without weights."""

        def __init__(self) -> None:
            super().__init__(name="shrink_images", dtype="float32")

        def call(self, images: Any) -> Any:
            if side.now == height:
                return images
            matrix = ops.convert_to_tensor(shrinking_matrix(height, side.now))
            pixels = ops.einsum("bhwc,yh,xw->byxc", ops.cast(images, "float32"), matrix, matrix)
            return ops.cast(ops.clip(ops.round(pixels), 0.0, 255.0), "uint8")

        def compute_output_spec(self, images: Any) -> Any:
            return keras.KerasTensor((images.shape[0], None, None, channels), "uint8")

    def shared(side: int | None) -> Any:
        return keras.models.clone_model(
            network,
            input_tensors=keras.Input((side, side, channels), dtype="uint8"),
            clone_function=lambda layer: layer,
        )

    try:
        shared(side.now)  # the smallest: where any side is allowed, Keras does not look
        any_side = shared(None)
    except (ValueError, TypeError):
        raise SettingsError(
            f"first_side {side.now}: {network.name} takes images of {height}x{width} only; leave "
            "--first-side out, or take a network that pools over the whole picture, as fer-lite"
        ) from None
    images = keras.Input((height, width, channels), dtype="uint8", name="images")
    return keras.Model(images, any_side(ShrinkImages()(images)), name=f"{network.name}_grown")

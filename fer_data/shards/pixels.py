"""How images stand in a shard: in one of two layouts and two dtypes. Readers give one form only."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_data.errors import DamagedShardError
from fer_data.shards.index import ArrayEntry

#: "nhwc": (n, height, width, channels); "flat": (n, height * width * channels), a row an image.
LAYOUTS = ("nhwc", "flat")
#: dtype → how NumPy writes it. "float32" is the level, 0 to 255, divided by 255 in float32.
DTYPES: Mapping[str, str] = MappingProxyType({"uint8": "|u1", "float32": "<f4"})
_LEVELS = np.arange(256, dtype=np.float32) / np.float32(255)


def stored_pixels(images: NDArray[np.uint8], layout: str, dtype: str) -> NDArray[Any]:
    """Images in the form in which a shard holds them.

    Args:
        images: uint8 array of shape (num_images, height, width, channels).
        layout: one of `LAYOUTS`.
        dtype: one of `DTYPES`.

    Example:
        >>> stored_pixels(np.full((2, 4, 4, 1), 255, np.uint8), "flat", "float32").shape
        (2, 16)
    """
    # (n, H, W, C) -> (n, H*W*C)
    row = math.prod(images.shape[1:])
    placed = images if layout == "nhwc" else images.reshape(len(images), row)
    return placed if dtype == "uint8" else np.divide(placed, 255, dtype=np.float32)


def restored_pixels(stored: NDArray[Any], image_shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """The images that `stored_pixels` was given, from what it made of them.

    Args:
        stored: array in any of the four forms.
        image_shape: height, width, channels.

    Returns:
        uint8 array of shape (num_images, height, width, channels).

    Raises:
        DamagedShardError: a float32 value is no level divided by 255.
    """
    levels = stored
    if stored.dtype != np.uint8:
        with np.errstate(invalid="ignore", over="ignore"):  # what is no level is found below
            levels = np.rint(stored * np.float32(255)).astype(np.uint8)
        wrong = np.flatnonzero(_LEVELS[levels] != stored)
        if len(wrong):
            image, value = wrong[0] // math.prod(image_shape), stored.ravel()[wrong[0]]
            raise DamagedShardError(
                f"{len(wrong)} values are no n/255, for example {value} in image {image}; "
                "expected whole levels, 0 to 255, divided by 255"
            )
    return levels.reshape(len(stored), *image_shape)


def expected_pixels(
    entry: ArrayEntry | None, num_samples: int, image_shape: tuple[int, int, int]
) -> tuple[str, tuple[int, ...]]:
    """The dtype and shape that a shard's images must have: of the form nearest to what is said.

    Args:
        entry: the images' entry in the index, if there is one.
        num_samples: of the shard.
        image_shape: height, width, channels.
    """
    floats = entry is not None and entry.dtype == DTYPES["float32"]
    flat = entry is not None and len(entry.shape) == 2
    shape = (math.prod(image_shape),) if flat else image_shape
    return DTYPES["float32" if floats else "uint8"], (num_samples, *shape)

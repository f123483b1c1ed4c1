"""The light of pictures, grey or colour."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def gray_levels(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Light of each pixel: uint8 array of shape (n, H, W) from (n, H, W, C) grey or RGB.

    RGB is weighed by ITU-R BT.601, as OpenCV does when a picture is ingested as grey.
    """
    num_images, height, width, channels = images.shape
    if channels == 1:
        return images[..., 0]
    if num_images == 0:
        return np.zeros((0, height, width), np.uint8)
    tall = np.ascontiguousarray(images).reshape(num_images * height, width, channels)
    gray = np.asarray(cv2.cvtColor(tall, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
    return gray.reshape(num_images, height, width)


def flat_levels(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """As `gray_levels`, one row an image: uint8 array of shape (n, H * W)."""
    num_pixels = images.shape[1] * images.shape[2]
    return gray_levels(images).reshape(len(images), num_pixels)  # (n, H, W, C) -> (n, H * W)

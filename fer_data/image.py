"""Bytes of a picture -> uint8 pixels of one size and colour: decode, orient, crop, resize."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_data.errors import ImageError, SettingsError
from fer_data.picture_decode import decode_pictures
from fer_data.picture_header import MAX_PIXELS, MIN_SIDE

__all__ = [
    "COLORS",
    "EQUALIZE",
    "MAX_PIXELS",
    "MIN_SIDE",
    "REASONS",
    "ImageSettings",
    "PreparedImage",
    "equalize_light",
    "fit_pixels",
    "prepare_image",
    "prepare_images",
]

#: Why a picture cannot be used; the last two where faces are looked for (`fer_data.faces`).
REASONS = (
    "empty",
    "not-an-image",
    "unsupported",
    "truncated",
    "corrupt",
    "too-small",
    "too-large",
    "no-face",
    "several-faces",
)
COLORS = ("gray", "rgb")
#: What can be done to the light: nothing, equalise the histogram, equalise it tile by tile.
EQUALIZE = ("none", "hist", "clahe")

_CLAHE_CLIP = 2.0
_CLAHE_TILES = (8, 8)

cv2.setNumThreads(0)  # pictures are small and every core has a process of its own
# a bad picture is told by its rejection, not by OpenCV on standard error
cv2.utils.logging.setLogLevel(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSettings:
    """How pictures are brought to one form.

    Attributes:
        size: height and width of the result, in pixels.
        color: "gray" (1 channel) or "rgb" (3 channels).
        equalize: "none"; "hist" equalises the histogram of the light (of Y in YCrCb for colour
            pictures); "clahe" equalises it in 8x8 tiles with a contrast limit of 2.0.
    """

    size: int = 48
    color: str = "gray"
    equalize: str = "none"

    def __post_init__(self) -> None:
        if not MIN_SIDE <= self.size <= 1024:
            raise SettingsError(f"size must be {MIN_SIDE} to 1024 pixels; received {self.size}")
        if self.color not in COLORS:
            raise SettingsError(f'color must be "gray" or "rgb"; received "{self.color}"')
        if self.equalize not in EQUALIZE:
            raise SettingsError(
                f'equalize must be "none", "hist" or "clahe"; received "{self.equalize}"'
            )

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the result."""
        return (self.size, self.size, 1 if self.color == "gray" else 3)


class PreparedImage(NamedTuple):
    """A picture in its final form.

    Attributes:
        pixels: uint8 array of shape (size, size, channels), channels in the order R, G, B.
        height: of the picture as it was stored, in pixels.
        width: likewise.
    """

    pixels: NDArray[np.uint8]
    height: int
    width: int


def prepare_image(data: bytes, settings: ImageSettings) -> PreparedImage:
    """The picture that `data` holds, in the form that `settings` ask for; see `prepare_images`.

    Raises:
        ImageError: the picture cannot be used.
    """
    (prepared,) = prepare_images([data], settings)
    if isinstance(prepared, ImageError):
        raise prepared
    return prepared


def prepare_images(
    pictures: Sequence[bytes], settings: ImageSettings
) -> list[PreparedImage | ImageError]:
    """Pictures in the form that `settings` ask for; many small ones at once are cheaper.

    The picture is turned as its EXIF orientation says, put on white where it is transparent, cut
    to its centre square, and resized by area averaging where it shrinks and linear interpolation
    where it grows: both give the same bytes on every processor, which cubic interpolation does
    not. Of 16 bits the upper 8 are kept, of an animation the first picture.

    Args:
        pictures: each a whole PNG, JPEG, GIF, BMP, TIFF, WebP or PNM file.
        settings: the form.

    Returns:
        For each, the picture, or why it cannot be used: `reason` is one of `REASONS`.
    """
    return [
        picture
        if isinstance(picture, ImageError)
        else PreparedImage(fit_pixels(picture.pixels, settings), picture.height, picture.width)
        for picture in decode_pictures(pictures, settings.color, settings.size)
    ]


def fit_pixels(pixels: NDArray[np.uint8], settings: ImageSettings) -> NDArray[np.uint8]:
    """Pixels cut to their centre square, resized and equalised as `settings` ask.

    Args:
        pixels: uint8 array of shape (height, width) or (height, width, channels).
        settings: the form; its colour must be that of the pixels.

    Returns:
        uint8 array of shape (size, size, channels).
    """
    height, width = pixels.shape[:2]
    side = min(height, width)
    if height != width:
        top, left = (height - side) // 2, (width - side) // 2
        pixels = pixels[top : top + side, left : left + side]
    if side != settings.size:
        method = cv2.INTER_AREA if side > settings.size else cv2.INTER_LINEAR_EXACT
        target = (settings.size, settings.size)
        pixels = np.asarray(cv2.resize(pixels, target, interpolation=method), dtype=np.uint8)
    if settings.equalize != "none":
        pixels = equalize_light(pixels, settings.equalize)
    return np.ascontiguousarray(pixels.reshape(settings.image_shape))


def equalize_light(pixels: NDArray[np.uint8], equalize: str) -> NDArray[np.uint8]:
    """Pixels with their light spread over the whole range.

    Args:
        pixels: uint8 array of shape (height, width) or (height, width, channels), RGB if three.
        equalize: "hist" or "clahe", as in `ImageSettings`.

    Returns:
        uint8 array of the same height and width.
    """
    if pixels.ndim == 3 and pixels.shape[2] == 3:
        light = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2YCrCb), dtype=np.uint8)
        light[..., 0] = equalize_light(light[..., 0], equalize)
        return np.asarray(cv2.cvtColor(light, cv2.COLOR_YCrCb2RGB), dtype=np.uint8)
    levels = np.ascontiguousarray(pixels)
    if equalize == "clahe":
        return np.asarray(cv2.createCLAHE(_CLAHE_CLIP, _CLAHE_TILES).apply(levels), dtype=np.uint8)
    return np.asarray(cv2.equalizeHist(levels), dtype=np.uint8)

"""Test-time augmentation: several views of each image, whose probabilities are averaged.

Ten crops after Krizhevsky, Sutskever and Hinton, "ImageNet Classification with Deep Convolutional
Neural Networks", 2012, of the size that Pramerdorfer and Kampel, "Facial Expression Recognition
using Convolutional Neural Networks: State of the Art", 2016, cut out of FER2013's 48 pixels: 44. A
network here takes images of one size, so each crop is enlarged to the whole again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_data.errors import SettingsError, UnknownNameError

#: Test-time augmentation → views of each image.
NUM_VIEWS = {"none": 1, "flip": 2, "ten-crop": 10}
_VIEWS = {
    "flip": "each image and its mirror image",
    "ten-crop": "ten views of each image: its four corners and its middle, 11/12 of the sides "
    "enlarged to the whole again, and their mirror images",
}
#: Where crops begin, in margins from the top and the left: the corners, and the middle.
_PLACES = ((0, 0), (0, 2), (2, 0), (2, 2), (1, 1))


def check_tta(tta: str, image_shape: tuple[int, ...] | None = None) -> None:
    """Refuses a test-time augmentation that there is not, or not of such images.

    Args:
        tta: name of it.
        image_shape: height, width and more; None: not known yet.

    Raises:
        UnknownNameError: there is none of this name.
        SettingsError: the images are too small to be cropped.
    """
    if tta not in NUM_VIEWS:
        raise UnknownNameError("test-time augmentation", tta, NUM_VIEWS)
    if tta == "ten-crop" and image_shape is not None and not all(map(_margin, image_shape[:2])):
        raise SettingsError(
            f"ten-crop: images of {image_shape[0]}x{image_shape[1]} pixels are too small to be "
            "cropped; expected sides of 12 at least, or take flip"
        )


def describe_tta(tta: str) -> list[str]:
    """What a reader of the probabilities should know; nothing where there is one view."""
    if tta not in _VIEWS:
        return []
    return [f"Test-time augmentation, {tta}: probabilities are the mean over {_VIEWS[tta]}."]


def name_judged(split: str, tta: str) -> str:
    """What was judged on in a few words, told apart by its test-time augmentation.

    Example:
        >>> name_judged("test", "none"), name_judged("test", "flip")
        ('test', 'test, flip')
    """
    return split if tta == "none" else f"{split}, {tta}"


def image_views(images: NDArray[np.uint8], tta: str) -> Iterator[NDArray[np.uint8]]:
    """The views of images, one after another; the first one of `none` and `flip` is the images.

    Those of mirrored images are the same to the bit, in another order.

    Args:
        images: uint8 array of shape (num_images, height, width, channels).
        tta: one of `NUM_VIEWS`.

    Yields:
        uint8 arrays of the same shape, as many as `NUM_VIEWS` says.

    Raises:
        UnknownNameError: there is no such test-time augmentation.
        SettingsError: the images are too small to be cropped.
    """
    check_tta(tta, images.shape[1:])
    for view in _five_crops(images) if tta == "ten-crop" else (images,):
        yield view
        if tta != "none":
            yield np.ascontiguousarray(view[:, :, ::-1])  # (B, H, W, C), columns turned around


def mean_probabilities(parts: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """The mean of several predictions on the same images; of one it is that one to the bit.

    Args:
        parts: float32 arrays of shape (num_images, num_classes).
    """
    return np.asarray(np.mean(parts, axis=0, dtype=np.float64), np.float32)


def _margin(side: int) -> int:
    """What the crop in the middle leaves out at either end: a 24th, in whole pixels."""
    return (side + 12) // 24


def _five_crops(images: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    height, width = images.shape[1:3]
    from_top, from_left = _margin(height), _margin(width)
    for down, right in _PLACES:
        rows = slice(down * from_top, height + (down - 2) * from_top)
        columns = slice(right * from_left, width + (right - 2) * from_left)
        crop = np.empty_like(images)
        for number, image in enumerate(images):
            # the exact form rounds a mirrored image alike, and so does every machine
            found = cv2.resize(
                image[rows, columns], (width, height), interpolation=cv2.INTER_LINEAR_EXACT
            )
            crop[number] = found.reshape(image.shape)  # OpenCV drops a single channel
        yield crop

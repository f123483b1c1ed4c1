"""The light of a picture is that of its colours, and grey is left alone."""

from __future__ import annotations

import cv2
import numpy as np

from fer_data.luma import gray_levels


def test_gray_levels_are_the_light_of_the_colours() -> None:
    colours = np.array([[255, 255, 255], [0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255]])
    images = colours.astype(np.uint8).reshape(5, 1, 1, 3)
    np.testing.assert_allclose(gray_levels(images).ravel(), [255, 0, 76, 150, 29], atol=1)


def test_grey_of_colour_is_opencvs_and_grey_stays_as_it_is() -> None:
    images = np.random.default_rng(2).integers(0, 256, (3, 8, 9, 3), dtype=np.uint8)
    expected = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in images]
    np.testing.assert_array_equal(gray_levels(images), expected)
    np.testing.assert_array_equal(gray_levels(images[..., :1]), images[..., 0])
    assert gray_levels(images[:0]).shape == (0, 8, 9)

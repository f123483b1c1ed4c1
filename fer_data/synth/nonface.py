"""Pictures without a face: what a crawler also finds."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_data.synth.scene import paint_background

NON_FACES = ("shapes", "texture", "stripes", "text")
_WORDS = ("SALE", "No 42", "photo", "NEWS", "loading", "404", "menu", "Tel.")


def draw_non_face(rng: np.random.Generator, image_size: int, channels: int) -> NDArray[np.uint8]:
    """A picture that shows anything but a face.

    Returns:
        uint8 array of shape (image_size, image_size, channels).

    Example:
        >>> draw_non_face(np.random.default_rng(0), 48, 1).shape
        (48, 48, 1)
    """
    side = 2 * image_size
    canvas = np.empty((side, side) if channels == 1 else (side, side, 3), np.uint8)
    paint_background(canvas, rng)
    kind = NON_FACES[int(rng.integers(len(NON_FACES)))]
    if kind == "shapes":
        for _ in range(3):
            x, y, radius = (int(v) for v in rng.integers(side // 10, side, size=3))
            shade = rng.integers(0, 255, size=channels).tolist()
            cv2.circle(canvas, (x, y), radius // 3, shade, -1)
            cv2.line(canvas, (y, x), (radius, y), shade, max(1, side // 20))
    elif kind == "texture":
        coarse = rng.integers(0, 255, size=(12, 12, channels), dtype=np.uint8)
        large = cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)
        canvas = np.asarray(large, dtype=np.uint8).reshape(canvas.shape)
    elif kind == "stripes":
        period, angle = rng.uniform(0.05, 0.3), rng.uniform(0, np.pi)
        y, x = np.mgrid[:side, :side] / side
        wave = np.sin((x * np.cos(angle) + y * np.sin(angle)) * 2 * np.pi / period) > 0
        canvas[wave] = canvas[wave] // 3
    else:
        ink = 0 if canvas.mean() > 110 else 255
        for row in range(5):
            word = _WORDS[int(rng.integers(len(_WORDS)))]
            place = (side // 16, (2 * row + 3) * side // 13)
            cv2.putText(
                canvas, word, place, cv2.FONT_HERSHEY_SIMPLEX, side / 150, (ink,) * channels, 1
            )
    small = cv2.resize(canvas, (image_size, image_size), interpolation=cv2.INTER_AREA)
    return np.asarray(small, dtype=np.uint8).reshape(image_size, image_size, channels)

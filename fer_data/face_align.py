"""Where faces are put in a sample, and how they are brought there."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_data.errors import SettingsError
from fer_data.face_detector import Face, Point
from fer_data.image import ImageSettings, equalize_light

SEVERAL_RULES = ("largest", "all", "reject")
NONE_RULES = ("reject", "keep")
# Beside the eyes' 1: of a mouth that is farther from them than their distance lets expect, as of
# a head turned aside, and of one that is nearer.
_FAR_MOUTH_WEIGHT, _NEAR_MOUTH_WEIGHT = 0.5, 0.1
# Where the cascade's box has the face: it is centred below the eyes and wider than the face.
_BOX_EYE_HEIGHT, _BOX_EYE_DISTANCE = 0.38, 0.42


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceSettings:
    """How faces are looked for, and where they are put in the result.

    The places are shares of the size of the result, so they hold at any size. As they stand by
    default, they are those of FER2013: aligned faces are framed as its pictures are.

    Attributes:
        detector_weights: ONNX file of YuNet; None: scikit-image's LBP cascade, without landmarks.
        min_confidence: faces of less are not faces, above 0 to 1.
        several: where there are several faces take the "largest", "all", or "reject" the picture.
        none: where there is none "reject" the picture, or "keep" it as it would be without faces.
        margin: room added on each side, as a share of the result's size, 0 to 2.
        eye_height: of both eyes below the upper edge.
        eye_distance: from eye to eye; their middle is in the middle of the width.
        mouth_height: of the middle between the corners of the mouth.
    """

    detector_weights: Path | None = None
    min_confidence: float = 0.6
    several: str = "largest"
    none: str = "reject"
    margin: float = 0.0
    eye_height: float = 0.38
    eye_distance: float = 0.36
    mouth_height: float = 0.75

    def __post_init__(self) -> None:
        if not 0 < self.min_confidence <= 1:
            raise SettingsError(
                f"min_confidence must be above 0 and at most 1; received {self.min_confidence}"
            )
        for name, rules in (("several", SEVERAL_RULES), ("none", NONE_RULES)):
            if getattr(self, name) not in rules:
                expected = ", ".join(f'"{rule}"' for rule in rules)
                raise SettingsError(
                    f'{name} must be one of {expected}; received "{getattr(self, name)}"'
                )
        if not 0 <= self.margin <= 2:
            raise SettingsError(f"margin must be 0 to 2; received {self.margin}")
        if not 0 < self.eye_height < self.mouth_height < 1 or not 0 < self.eye_distance < 1:
            raise SettingsError(
                "eye_height, mouth_height and eye_distance must be above 0 and below 1, the eyes "
                f"above the mouth; received {self.eye_height}, {self.mouth_height} and "
                f"{self.eye_distance}"
            )

    def places(self, size: int) -> tuple[Point, Point, Point]:
        """Where both eyes and the middle of the mouth are put in a result of this size.

        Example:
            >>> [(round(x, 2), round(y, 2)) for x, y in FaceSettings().places(100)]
            [(31.5, 37.5), (67.5, 37.5), (49.5, 74.5)]
        """
        half = self.eye_distance / 2
        shares = ((0.5 - half, self.eye_height), (0.5 + half, self.eye_height))
        zoom = 1 / (1 + 2 * self.margin)

        def place(x: float, y: float) -> Point:
            return (
                (0.5 + (x - 0.5) * zoom) * size - 0.5,
                (0.5 + (y - 0.5) * zoom) * size - 0.5,
            )

        return place(*shares[0]), place(*shares[1]), place(0.5, self.mouth_height)


def alignment(face: Face, settings: FaceSettings, size: int) -> NDArray[np.float64]:
    """How the picture is turned, scaled and moved: eyes level, eyes and mouth to their places.

    The line of the eyes alone says how far to turn. Scale and shift bring eyes and mouth as near
    to their places as can be (weighted least squares). The eyes count most; the mouth counts where
    it is far from them: a head turned aside has eyes that seem close, and would be made larger
    than others. A face without landmarks is cut by its box, without a turn.

    Returns:
        float64 array of shape (2, 3): from places in the picture to places in the result.

    Example:
        >>> face = Face(box=(0, 0, 10, 10), landmarks=((2, 3), (6, 3), (4, 5), (3, 7), (5, 7)))
        >>> matrix = alignment(face, FaceSettings(), 48)
        >>> float(matrix[1, 0])  # level already
        0.0
    """
    sources = np.array(_eyes_and_mouth(face, settings), np.float64) @ (1, 1j)  # (3, 2) -> (3,)
    targets = np.array(settings.places(size), np.float64) @ (1, 1j)
    is_far = _drop(sources) > _drop(targets)
    weights = np.array((1.0, 1.0, _FAR_MOUTH_WEIGHT if is_far else _NEAR_MOUTH_WEIGHT))
    source_mean = (weights * sources).sum() / weights.sum()
    target_mean = (weights * targets).sum() / weights.sum()
    eye_line = sources[1] - sources[0]
    turn = eye_line.conj() / abs(eye_line)
    turned = (sources - source_mean) * turn
    fit = (weights * (targets - target_mean) * turned.conj()).sum().real
    scale = fit / (weights * np.abs(turned) ** 2).sum()
    factor = scale * turn
    shift = target_mean - factor * source_mean
    return np.array(
        (
            (factor.real, -factor.imag, shift.real),
            (factor.imag, factor.real, shift.imag),
        )
    )


def _drop(places: NDArray[np.complexfloating[Any, Any]]) -> float:
    """Distance of the mouth from the middle of the eyes, as a share of that between the eyes."""
    left, right, mouth = places
    return float(abs(mouth - (left + right) / 2) / abs(right - left))


def align_face(
    pixels: NDArray[np.uint8], face: Face, settings: FaceSettings, image_settings: ImageSettings
) -> NDArray[np.uint8]:
    """A face cut out of its picture: eyes level, eyes and mouth at their places.

    Args:
        pixels: uint8 array of shape (height, width) or (height, width, 3), RGB if three.
        face: in these pixels.
        settings: the places.
        image_settings: size, colour and light of the result.

    Returns:
        uint8 array of shape (size, size, channels); what lies outside of the picture repeats its
        edge.
    """
    aligned = warp(pixels, alignment(face, settings, image_settings.size), image_settings.size)
    result = in_color(aligned, image_settings)
    if image_settings.equalize != "none":
        result = equalize_light(result, image_settings.equalize)
    return np.ascontiguousarray(result.reshape(image_settings.image_shape))


def warp(pixels: NDArray[np.uint8], matrix: NDArray[np.float64], size: int) -> NDArray[np.uint8]:
    """Pixels moved by `matrix` into a square of `size`, alike on every processor.

    Interpolation alone would skip pixels where the picture shrinks. So it is first shrunk by whole
    steps, by area, then drawn twice as large as asked and averaged down.

    OpenCV's own `warpAffine` counts in floats, and its pixels differ between processors; here the
    places are rounded to 1/32 pixel, and `remap` interpolates in whole numbers.
    """
    zoom = 2 if math.hypot(matrix[0, 0], matrix[1, 0]) < 1 else 1
    drawn = size * zoom
    cosine, sine = matrix[:, 0] / (matrix[:, 0] ** 2).sum()  # of the way back
    axis = (np.arange(drawn) + 0.5) / zoom - 0.5
    across, down = axis - matrix[0, 2], (axis - matrix[1, 2])[:, None]
    x = cosine * across + sine * down  # (drawn, drawn): places in the picture
    y = cosine * down - sine * across
    height, width = pixels.shape[:2]
    step = max(1, min(int(1 / math.hypot(matrix[0, 0], matrix[1, 0])), height, width))
    # Only the part that is seen, and a little around it.
    left, right = _span(x, width, step)
    top, bottom = _span(y, height, step)
    part = pixels[top:bottom, left:right]
    if step > 1:
        target = ((right - left) // step, (bottom - top) // step)
        part = np.asarray(cv2.resize(part, target, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        x, y = (x - left + 0.5) / step - 0.5, (y - top + 0.5) / step - 0.5
    else:
        x, y = x - left, y - top
    steps_x, steps_y = (np.rint(places * 32).clip(-32, 32 * 32_766) for places in (x, y))
    whole, rest = _remap_places(steps_x.astype(np.int32), steps_y.astype(np.int32))
    moved = cv2.remap(part, whole, rest, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    if zoom > 1:
        moved = cv2.resize(moved, (size, size), interpolation=cv2.INTER_AREA)
    return np.asarray(moved, dtype=np.uint8)


def _span(places: NDArray[np.float64], length: int, step: int) -> tuple[int, int]:
    """First and last pixel that is seen along one side, a multiple of `step` apart."""
    first = min(max(int(places.min()) - 2 * step, 0), length - step)
    last = max(min(int(places.max()) + 2 + 2 * step, length), first + step)
    return first, last - (last - first) % step


def _remap_places(
    x: NDArray[np.int32], y: NDArray[np.int32]
) -> tuple[NDArray[np.int16], NDArray[np.uint16]]:
    """Places in 1/32 pixels as `cv2.remap` wants them: whole pixels, and the rest of both."""
    whole = np.stack((x >> 5, y >> 5), axis=-1).clip(-1, 32_766).astype(np.int16)  # (H, W, 2)
    rest = ((y & 31) << 5 | (x & 31)).astype(np.uint16)  # (H, W)
    return whole, rest


def _eyes_and_mouth(face: Face, settings: FaceSettings) -> tuple[Point, Point, Point]:
    """Both eyes and the middle of the mouth; by the box where they are not known."""
    if face.landmarks:
        left, right, _, mouth_left, mouth_right = face.landmarks
        if left != right:
            mouth = (
                (mouth_left[0] + mouth_right[0]) / 2,
                (mouth_left[1] + mouth_right[1]) / 2,
            )
            return left, right, mouth
    x, y, width, height = face.box
    middle, eye_y = x + width / 2 - 0.5, y + _BOX_EYE_HEIGHT * height - 0.5
    distance = _BOX_EYE_DISTANCE * width
    drop = distance * (settings.mouth_height - settings.eye_height) / settings.eye_distance
    return (middle - distance / 2, eye_y), (middle + distance / 2, eye_y), (middle, eye_y + drop)


def in_color(pixels: NDArray[np.uint8], settings: ImageSettings) -> NDArray[np.uint8]:
    """Grey or RGB pixels in the colour that the settings ask for."""
    is_gray = pixels.ndim == 2
    if is_gray == (settings.color == "gray"):
        return pixels
    code = cv2.COLOR_GRAY2RGB if is_gray else cv2.COLOR_RGB2GRAY
    return np.asarray(cv2.cvtColor(pixels, code), dtype=np.uint8)

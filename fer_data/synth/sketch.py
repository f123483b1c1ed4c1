"""A list of coloured shapes in face units, and how they become pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_data.synth.geometry import Point, Points
from fer_data.synth.identity import Colour

_SHIFT = 4  # cv2 draws at sixteenths of a pixel
_FAR = 30_000.0  # cv2 takes coordinates as int32 sixteenths; keep far from its limits
_HEAD_WIDTH, _HEAD_HEIGHT, _HEAD_DEPTH = 1.05, 1.3, 0.75
_ANGLES = np.linspace(0.0, 2.0 * np.pi, 20, endpoint=False)
_CIRCLE = np.column_stack((np.cos(_ANGLES), np.sin(_ANGLES)))
_S = np.linspace(0.0, 1.0, 9)
# Quadratic through three points, taken at s = 0, 1/2 and 1.
_THROUGH = np.column_stack((2 * (_S - 0.5) * (_S - 1), -4 * _S * (_S - 1), 2 * _S * (_S - 0.5)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pose:
    """How the head is held. Angles in degrees; lengths as shares of the picture's size.

    Attributes:
        roll: turned in the plane of the picture, clockwise.
        yaw: turned to the right of the picture.
        pitch: looking down (+) or up (-).
        scale: length of one face unit (half a head).
        x: the middle of the head, from left.
        y: the middle of the head, from the top.
    """

    roll: float = 0.0
    yaw: float = 0.0
    pitch: float = 0.0
    scale: float = 0.44
    x: float = 0.5
    y: float = 0.5


@dataclass(frozen=True, slots=True)
class _Shape:
    points: Points
    colour: Colour
    width: float  # 0: filled
    depth: float


class Sketch:
    """Shapes in the order they are drawn, later ones on top.

    A shape's depth says how it moves when the head turns: 1 lies on the face, 0 at the
    outline, below 0 behind it.
    """

    def __init__(self) -> None:
        self._shapes: list[_Shape] = []

    def fill(self, points: Points, colour: Colour, depth: float = 1.0) -> None:
        """Adds a filled polygon; points of shape (n, 2) in face units."""
        self._shapes.append(_Shape(points, colour, 0.0, depth))

    def line(self, points: Points, colour: Colour, width: float, depth: float = 1.0) -> None:
        """Adds an open line `width` face units thick; points of shape (n, 2)."""
        self._shapes.append(_Shape(points, colour, width, depth))

    def rasterise(self, canvas: NDArray[np.uint8], pose: Pose) -> None:
        """Draws all shapes onto `canvas`, in place.

        Args:
            canvas: uint8 array of shape (side, side) or (side, side, 3), RGB.
            pose: how the head is held.
        """
        if not self._shapes:
            return
        side = canvas.shape[0]
        lengths = [len(shape.points) for shape in self._shapes]
        depths = np.repeat([shape.depth for shape in self._shapes], lengths)
        pixels = _project(np.concatenate([s.points for s in self._shapes]), depths, pose, side)
        # cv2 puts (0, 0) at the centre of the first pixel; ours is its corner.
        fixed = np.rint(np.clip(pixels - 0.5, -_FAR, _FAR) * (1 << _SHIFT)).astype(np.int32)
        grey = canvas.ndim == 2
        start = 0
        for shape, length in zip(self._shapes, lengths, strict=True):
            points = fixed[start : start + length]
            start += length
            colour = (luma(shape.colour),) if grey else shape.colour
            if shape.width:
                thickness = max(1, round(shape.width * pose.scale * side))
                cv2.polylines(canvas, [points], False, colour, thickness, cv2.LINE_8, _SHIFT)
            else:
                cv2.fillPoly(canvas, [points], colour, cv2.LINE_8, _SHIFT)


def _project(points: Points, depths: Points, pose: Pose, side: int) -> Points:
    """Face units -> pixels: an ellipsoid head, turned, then seen from far away."""
    x, y = points[:, 0], points[:, 1]
    surface = 1.0 - (x / _HEAD_WIDTH) ** 2 - (y / _HEAD_HEIGHT) ** 2
    z = depths * _HEAD_DEPTH * np.sqrt(np.maximum(surface, 0.0))
    yaw, pitch, roll = math.radians(pose.yaw), math.radians(pose.pitch), math.radians(pose.roll)
    turned_x = x * math.cos(yaw) + z * math.sin(yaw)
    turned_y = y * math.cos(pitch) + z * math.sin(pitch)
    c, s = math.cos(roll) * pose.scale * side, math.sin(roll) * pose.scale * side
    return np.column_stack(
        (
            turned_x * c - turned_y * s + pose.x * side,
            turned_x * s + turned_y * c + pose.y * side,
        )
    )


def luma(colour: Colour) -> float:
    """The grey level of an RGB colour (ITU-R BT.601), in [0, 255].

    Example:
        >>> luma((100, 100, 100))
        100.0
    """
    return round(0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2], 6)


def ellipse(center: Point, half_width: float, half_height: float) -> Points:
    """An upright ellipse as a polygon of shape (20, 2)."""
    return _CIRCLE * (half_width, half_height) + center


def arc(start: Point, middle: Point, end: Point) -> Points:
    """A smooth curve through three points, of shape (9, 2)."""
    return np.asarray(_THROUGH @ np.array((start, middle, end)))


def polygon(*points: Point) -> Points:
    """Corners as an array of shape (n, 2)."""
    return np.array(points, dtype=np.float64)

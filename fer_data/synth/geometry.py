"""Identity and action units -> where brows, lids, nose and mouth are.

Face units: the origin is the middle of the head, x goes right in the image, y goes down, the
crown is at y = -1 and the chin near y = 1. Side 0 is left in the image, side 1 right.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fer_data.synth.identity import Identity

Point = tuple[float, float]
Points = NDArray[np.float64]

_SIGNS = (-1.0, 1.0)
_T = np.linspace(-1.0, 1.0, 17)
_PARABOLA = 1.0 - _T**2
_BOX = 1.0 - np.abs(_T) ** 4.5
_ROUND = np.sqrt(_PARABOLA)
_CORNER_PULL = np.abs(_T) ** 1.7
_CUPID = _PARABOLA * (1.0 - 0.22 * np.exp(-((_T / 0.22) ** 2)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Brow:
    """One brow: its inner end, middle and outer end."""

    inner: Point
    middle: Point
    outer: Point


@dataclass(frozen=True, slots=True, kw_only=True)
class Eye:
    """One eye; `top` and `bottom` are how far the lids stand from the line of the corners.

    Attributes:
        slant: how much lower (-) or higher (+) the upper lid is at the inner end.
        tilt: height of the outer corner below the inner one.
    """

    side: int
    center: Point
    half_width: float
    top: float
    bottom: float
    slant: float
    tilt: float

    def lids(self, t: Points) -> tuple[Points, Points]:
        """Heights y of the upper and lower lid at t, -1 (left corner) to 1 (right corner)."""
        outward = t * _SIGNS[self.side]
        arch = np.maximum(1.0 - t**2, 0.0) ** 0.72
        line = self.center[1] + self.tilt * outward
        upper = line - self.top * arch * (1.0 - self.slant * outward)
        lower = line + self.bottom * arch
        return np.minimum(upper, lower), lower

    @property
    def openness(self) -> float:
        """Distance between the lids in the middle of the eye, in face units."""
        return self.top + self.bottom


@dataclass(frozen=True, slots=True, kw_only=True)
class Mouth:
    """The mouth: its corners and how it opens in the middle.

    Attributes:
        middle_y: height of the line between the lips, in the middle.
        opening_up: how far the upper lip is above that line.
        opening_down: how far the lower lip is below it.
        squareness: 0 for lips that meet in a point, 1 for a box.
        roundness: 0 for lips that meet in a point, 1 for an O.
        tongue: how far the tongue hangs out, in face units.
        lip_upper: thickness of the upper lip.
        lip_lower: thickness of the lower lip.
    """

    left: Point
    right: Point
    middle_y: float
    opening_up: float
    opening_down: float
    squareness: float
    roundness: float
    tongue: float
    lip_upper: float
    lip_lower: float

    @property
    def opening(self) -> float:
        """Distance between the lips in the middle, in face units."""
        return self.opening_up + self.opening_down

    def contours(self) -> tuple[Points, Points, Points, Points]:
        """Outer upper, inner upper, inner lower and outer lower edge: each of shape (17, 2)."""
        half = 0.5 * (self.right[0] - self.left[0])
        x = 0.5 * (self.left[0] + self.right[0]) + half * _T
        corner_y = np.where(_T < 0, self.left[1], self.right[1])
        line = self.middle_y + (corner_y - self.middle_y) * _CORNER_PULL
        box, circle = self.squareness * (1 - self.roundness), self.roundness
        profile = (1 - box - circle) * _PARABOLA + box * _BOX + circle * _ROUND
        upper = line - self.opening_up * profile
        lower = line + self.opening_down * profile
        return (
            np.column_stack((x, upper - self.lip_upper * _CUPID)),
            np.column_stack((x, upper)),
            np.column_stack((x, lower)),
            np.column_stack((x, lower + self.lip_lower * _PARABOLA)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceGeometry:
    """Where everything is, and how deep the lines in the skin are (0 to 1, left and right).

    Attributes:
        chin_y: the lowest point of the face.
        nose_y: height of the nostrils.
        nose_flare: how much wider the nostrils are than at rest, in face units.
        nose_wrinkles: lines across the bridge (AU9).
        frown_lines: upright lines between the brows (AU4).
        forehead_lines: level lines above the brows (AU1, AU2).
        cheek_lines: lines under the eyes (AU6).
        folds: lines from the nostrils to the corners of the mouth (AU9, AU10, AU12).
        chin_boss: the raised chin (AU17).
        dimples: dents beside the corners of the mouth (AU14).
    """

    brows: tuple[Brow, Brow]
    eyes: tuple[Eye, Eye]
    mouth: Mouth
    chin_y: float
    nose_y: float
    nose_flare: float
    nose_wrinkles: float
    frown_lines: float
    forehead_lines: tuple[float, float]
    cheek_lines: tuple[float, float]
    folds: tuple[float, float]
    chin_boss: float
    dimples: tuple[float, float]


def make_geometry(identity: Identity, units: NDArray[np.float64]) -> FaceGeometry:
    """The geometry of a person who moves these action units.

    Args:
        identity: the person.
        units: float64 array of shape (2, 44): intensity in [0, 1] of AU n left and right.

    Example:
        >>> from fer_data.synth.action_units import full_expression
        >>> from fer_data.synth.identity import make_identity
        >>> smile = make_geometry(make_identity(0, 1), full_expression("happiness"))
        >>> smile.mouth.left[1] < smile.mouth.middle_y
        True
    """
    left, right = units.tolist()
    both = [0.5 * (a + b) for a, b in zip(left, right, strict=True)]
    age = identity.age
    return FaceGeometry(
        brows=(_brow(identity, left, 0), _brow(identity, right, 1)),
        eyes=(_eye(identity, left, 0), _eye(identity, right, 1)),
        mouth=_mouth(identity, left, right, both),
        chin_y=0.98 + 0.13 * both[26] - 0.03 * both[17],
        nose_y=identity.eye_y + identity.nose_length - 0.07 * both[9] - 0.02 * both[10],
        nose_flare=0.055 * both[9] + 0.015 * both[10],
        nose_wrinkles=min(1.0, 1.25 * both[9]),
        frown_lines=min(1.0, 0.9 * both[4] + 0.25 * age),
        forehead_lines=(
            min(1.0, 0.45 * (left[1] + left[2]) + 0.35 * age),
            min(1.0, 0.45 * (right[1] + right[2]) + 0.35 * age),
        ),
        cheek_lines=(
            min(1.0, 0.8 * left[6] + 0.3 * left[9] + 0.3 * age),
            min(1.0, 0.8 * right[6] + 0.3 * right[9] + 0.3 * age),
        ),
        folds=(
            min(1.0, 0.9 * left[9] + 0.5 * left[10] + 0.55 * left[12] + 0.35 * age),
            min(1.0, 0.9 * right[9] + 0.5 * right[10] + 0.55 * right[12] + 0.35 * age),
        ),
        chin_boss=both[17],
        dimples=(left[14], right[14]),
    )


def _brow(identity: Identity, au: list[float], side: int) -> Brow:
    sign = _SIGNS[side]
    x = sign * identity.eye_spacing
    y = identity.eye_y - 0.235 + identity.brow_y
    slant = identity.brow_slant
    # Raised and drawn together (AU1+4), the inner end goes up: AU1 wins over AU4.
    inner_y = y + 0.03 + slant - 0.15 * au[1] + 0.125 * au[4] * (1 - 0.75 * au[1]) + 0.04 * au[9]
    middle_y = y - 0.045 - 0.07 * au[1] - 0.10 * au[2] + 0.085 * au[4] + 0.05 * au[9]
    outer_y = y + 0.02 - slant - 0.11 * au[2] + 0.015 * au[4] + 0.01 * au[1]
    return Brow(
        inner=(x - sign * (0.165 + 0.055 * au[4] + 0.02 * au[9]), inner_y),
        middle=(x + sign * 0.02, middle_y),
        outer=(x + sign * 0.205, outer_y),
    )


def _eye(identity: Identity, au: list[float], side: int) -> Eye:
    size = identity.eye_size
    shut = 1.0 - au[43]
    top = 0.098 * size * (1 + 0.60 * au[5] - 0.28 * au[7] - 0.15 * au[6] - 0.25 * au[9]) * shut
    squeeze = min(0.85, 0.45 * au[6] + 0.40 * au[7] + 0.30 * au[9])
    bottom = 0.068 * size * (1 + 0.25 * au[5]) * (1 - squeeze) * shut
    sorrow = au[1] * au[4]
    return Eye(
        side=side,
        center=(
            _SIGNS[side] * identity.eye_spacing,
            identity.eye_y - 0.02 * au[6] + 0.03 * au[43],
        ),
        half_width=0.165 * size,
        top=max(0.0, top - 0.02 * sorrow),
        bottom=max(0.004, bottom),
        # A slant > 0 lowers the lid at the outer end, as under raised inner brows.
        slant=0.65 * sorrow - 0.40 * au[4] * (1 - au[1]) - 0.2 * au[9],
        tilt=identity.eye_tilt + 0.015 * au[1] - 0.015 * au[4],
    )


def _mouth(identity: Identity, left: list[float], right: list[float], au: list[float]) -> Mouth:
    y = identity.mouth_y + 0.03 * au[26] - 0.02 * au[9] - 0.02 * au[17]
    apart = au[25]
    # A dropped jaw rounds the mouth unless something pulls at its corners.
    rounding = au[26] * max(0.0, 1 - au[12] - au[20])

    def corner(au: list[float], sign: float) -> Point:
        reach = 1 + 0.34 * au[12] + 0.42 * au[20] + 0.12 * au[14] - 0.24 * au[23]
        reach -= 0.32 * rounding + 0.06 * au[24] + 0.1 * au[17] * (1 - au[12])
        rise = identity.mouth_corner - 0.155 * au[12] + 0.135 * au[15] + 0.05 * au[20]
        rise += -0.03 * au[14] + 0.03 * au[9] + 0.02 * au[26]
        return sign * identity.mouth_width * max(0.45, reach), y + rise

    pressed = max(au[23], au[24])
    opening_up = 0.025 * apart + 0.11 * au[10] * (0.4 + apart) + 0.05 * au[9] * apart
    opening_up += 0.075 * rounding
    opening_down = 0.06 * apart + 0.24 * au[26] * (0.35 + 0.65 * apart) + 0.10 * au[16] * apart
    opening_down += 0.13 * au[12] * apart + 0.02 * au[20] * apart
    shut = 1.0 - 0.8 * pressed
    thickness = identity.lip_thickness * (1 - 0.6 * pressed) * (1 - 0.25 * au[12])
    return Mouth(
        left=corner(left, -1.0),
        right=corner(right, 1.0),
        middle_y=y + 0.035 * au[12] - 0.05 * au[15] - 0.06 * au[17] - 0.06 * au[10],
        opening_up=opening_up * shut,
        opening_down=opening_down * shut,
        squareness=min(1.0, 0.8 * au[20] + 0.6 * au[10] + 0.6 * au[16] + 0.3 * au[4]),
        roundness=min(1.0, 1.3 * rounding * apart),
        tongue=0.16 * au[19],
        lip_upper=thickness,
        lip_lower=thickness * (1.3 + 0.5 * au[16] + 0.3 * au[17]),
    )

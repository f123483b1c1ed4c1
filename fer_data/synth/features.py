"""Draws what moves with the emotion: brows, eyes, nose, mouth and the lines in the skin."""

from __future__ import annotations

import numpy as np

from fer_data.synth.geometry import Brow, Eye, FaceGeometry, Mouth, Points
from fer_data.synth.identity import Colour, Identity, mix
from fer_data.synth.sketch import Sketch, arc, ellipse, luma, polygon

_BLACK: Colour = (18, 14, 14)
_EYE_WHITE: Colour = (246, 244, 240)
_TEETH: Colour = (248, 246, 238)
_MOUTH_INSIDE: Colour = (66, 18, 22)
_TONGUE: Colour = (190, 88, 88)
_LIP: Colour = (168, 62, 62)
_T = np.linspace(-1.0, 1.0, 13)
_MIN_CONTRAST = 55.0  # grey levels between brow and skin


def draw_features(
    sketch: Sketch, identity: Identity, geometry: FaceGeometry, gaze: tuple[float, float]
) -> None:
    """Adds the moving features of a face to a sketch.

    Args:
        sketch: takes the shapes.
        identity: the person.
        geometry: where everything is.
        gaze: where the eyes look, right and down, each in [-1, 1].
    """
    _draw_lines(sketch, identity, geometry)
    for eye in geometry.eyes:
        _draw_eye(sketch, identity, eye, gaze)
    _draw_nose(sketch, identity, geometry)
    _draw_mouth(sketch, identity, geometry.mouth)
    for brow in geometry.brows:
        _draw_brow(sketch, identity, brow)


def _shadow(identity: Identity, strength: float) -> Colour:
    """The skin in a fold: the stronger, the darker."""
    return mix(identity.skin, _BLACK, 0.55 * strength)


def _draw_brow(sketch: Sketch, identity: Identity, brow: Brow) -> None:
    spine = arc(brow.inner, brow.middle, brow.outer)
    taper = np.linspace(1.0, 0.35, len(spine)) * identity.brow_thickness * 0.75
    edge = np.column_stack((np.zeros(len(spine)), taper))
    colour = mix(identity.hair, _BLACK, 0.25)
    if abs(luma(colour) - luma(identity.skin)) < _MIN_CONTRAST:
        colour = mix(identity.skin, _BLACK, 0.75)
    sketch.fill(np.concatenate((spine - edge, (spine + edge)[::-1])), colour, 1.05)


def _draw_eye(sketch: Sketch, identity: Identity, eye: Eye, gaze: tuple[float, float]) -> None:
    x, y = eye.center
    upper, lower = eye.lids(_T)
    xs = x + eye.half_width * _T
    top_edge = np.column_stack((xs, upper))
    bottom_edge = np.column_stack((xs, lower))
    if eye.openness > 0.025:
        white = np.concatenate((top_edge, bottom_edge[::-1]))
        sketch.fill(white, mix(_EYE_WHITE, identity.skin, 0.12))
        center = (x + 0.05 * gaze[0], y - 0.012 + 0.03 * gaze[1])
        radius = 0.088 * identity.eye_size
        sketch.fill(_within_lids(ellipse(center, radius, radius), eye), identity.iris)
        sketch.fill(_within_lids(ellipse(center, 0.55 * radius, 0.55 * radius), eye), _BLACK)
        glint = ellipse((center[0] - 0.3 * radius, center[1] - 0.35 * radius), 0.02, 0.02)
        sketch.fill(_within_lids(glint, eye), _EYE_WHITE)
    sketch.line(top_edge, mix(identity.skin, _BLACK, 0.85), 0.034)
    sketch.line(bottom_edge, _shadow(identity, 0.6), 0.014)
    crease = np.column_stack((xs, upper - 0.045 - 0.015 * eye.top / 0.1))[2:-2]
    sketch.line(crease, _shadow(identity, 0.35), 0.014)


def _within_lids(points: Points, eye: Eye) -> Points:
    t = np.clip((points[:, 0] - eye.center[0]) / eye.half_width, -1.0, 1.0)
    upper, lower = eye.lids(t)
    x = eye.center[0] + eye.half_width * t
    return np.column_stack((x, np.clip(points[:, 1], upper, lower)))


def _draw_nose(sketch: Sketch, identity: Identity, geometry: FaceGeometry) -> None:
    y, width = geometry.nose_y, identity.nose_width + geometry.nose_flare
    bridge = identity.eye_y + 0.02
    sketch.line(
        arc((0.045, bridge), (0.05, 0.5 * (bridge + y)), (0.8 * width, y - 0.03)),
        _shadow(identity, 0.35),
        0.022,
        1.15,
    )
    sketch.line(
        arc((-width, y - 0.03), (0.0, y + 0.035), (width, y - 0.03)),
        _shadow(identity, 0.75),
        0.024,
        1.25,
    )
    for sign in (-1.0, 1.0):
        nostril = ellipse((sign * 0.55 * width, y), 0.034, 0.02)
        sketch.fill(nostril, _shadow(identity, 1.2), 1.25)
        wing = arc(
            (sign * (width - 0.01), y - 0.085),
            (sign * (width + 0.025), y - 0.04),
            (sign * (width - 0.01), y + 0.005),
        )
        sketch.line(wing, _shadow(identity, 0.5 + 6 * geometry.nose_flare), 0.02, 1.2)


def _draw_lines(sketch: Sketch, identity: Identity, geometry: FaceGeometry) -> None:
    """Lines that come and go with the action units."""
    eye_y, spacing = identity.eye_y, identity.eye_spacing
    nose_y, nose_width = geometry.nose_y, identity.nose_width + geometry.nose_flare
    if geometry.nose_wrinkles > 0.1:
        colour = _shadow(identity, 1.15 * geometry.nose_wrinkles)
        for k in range(3):
            y = eye_y - 0.05 + 0.065 * k
            half = 0.085 + 0.012 * k
            wrinkle = arc((-half, y - 0.02), (0.0, y + 0.025), (half, y - 0.02))
            sketch.line(wrinkle, colour, 0.028, 1.15)
        for sign in (-1.0, 1.0):  # the skin beside the nose is bunched up
            bunch = arc(
                (sign * 0.11, eye_y + 0.06),
                (sign * 0.17, eye_y + 0.11),
                (sign * 0.20, eye_y + 0.19),
            )
            sketch.line(bunch, colour, 0.022)
    if geometry.frown_lines > 0.15:
        colour = _shadow(identity, 0.9 * geometry.frown_lines)
        for sign in (-1.0, 1.0):
            frown = arc(
                (sign * 0.065, eye_y - 0.30), (sign * 0.05, eye_y - 0.2), (sign * 0.06, eye_y - 0.1)
            )
            sketch.line(frown, colour, 0.022)
    for side, sign in enumerate((-1.0, 1.0)):
        if (depth := geometry.forehead_lines[side]) > 0.15:
            for y in (eye_y - 0.47, eye_y - 0.55):
                line = arc((sign * 0.02, y), (sign * 0.2, y - 0.025), (sign * 0.38, y + 0.01))
                sketch.line(line, _shadow(identity, 0.6 * depth), 0.016)
        if (depth := geometry.cheek_lines[side]) > 0.12:
            y = eye_y + 0.135
            pouch = arc(
                (sign * (spacing - 0.14), y),
                (sign * spacing, y + 0.05),
                (sign * (spacing + 0.15), y),
            )
            sketch.line(pouch, _shadow(identity, 0.55 * depth), 0.02)
        if (depth := geometry.folds[side]) > 0.12:
            corner = (geometry.mouth.left, geometry.mouth.right)[side]
            end = (corner[0] + sign * 0.08, corner[1] + 0.01)
            start = (sign * (nose_width + 0.035), nose_y - 0.05)
            bend = (0.5 * (start[0] + end[0]) + sign * 0.05, 0.5 * (start[1] + end[1]) - 0.02)
            sketch.line(arc(start, bend, end), _shadow(identity, 0.85 * depth), 0.022)
        if (depth := geometry.dimples[side]) > 0.15:
            corner = (geometry.mouth.left, geometry.mouth.right)[side]
            x = corner[0] + sign * 0.045
            dent = arc((x, corner[1] - 0.06), (x + sign * 0.03, corner[1]), (x, corner[1] + 0.06))
            sketch.line(dent, _shadow(identity, 1.2 * depth), 0.028)
    if geometry.chin_boss > 0.15:
        y = geometry.chin_y - 0.2
        boss = arc((-0.13, y + 0.03), (0.0, y - 0.035), (0.13, y + 0.03))
        sketch.line(boss, _shadow(identity, 0.8 * geometry.chin_boss), 0.022)


def _draw_mouth(sketch: Sketch, identity: Identity, mouth: Mouth) -> None:
    outer_upper, upper, lower, outer_lower = mouth.contours()
    lip = mix(identity.skin, _LIP, 0.55)
    sketch.fill(np.concatenate((outer_upper, upper[::-1])), mix(lip, _BLACK, 0.18))
    sketch.fill(np.concatenate((lower, outer_lower[::-1])), lip)
    opening = mouth.opening
    if opening > 0.022:
        sketch.fill(np.concatenate((upper, lower[::-1])), _MOUTH_INSIDE)
        gap = lower[:, 1] - upper[:, 1]
        if opening > 0.16:
            tongue = upper[3:-3].copy()
            tongue[:, 1] = lower[3:-3, 1] - np.minimum(0.3 * opening, 0.45 * gap[3:-3])
            sketch.fill(np.concatenate((tongue, lower[3:-3][::-1])), _TONGUE)
        # Spread or raised lips show the teeth, a mouth that only drops open hardly does.
        bared = min(
            1.0, (mouth.right[0] - mouth.left[0]) * 1.7 - 0.55 + mouth.squareness - mouth.roundness
        )
        if bared > 0.1:
            edge = upper[1:-1].copy()
            edge[:, 1] += np.minimum((0.03 + 0.06 * bared), 0.75 * gap[1:-1])
            sketch.fill(np.concatenate((upper[1:-1], edge[::-1])), _TEETH)
            if mouth.squareness > 0.45 and opening > 0.08:
                edge = lower[2:-2].copy()
                edge[:, 1] -= np.minimum(0.05, 0.3 * gap[2:-2])
                sketch.fill(np.concatenate((edge, lower[2:-2][::-1])), mix(_TEETH, _BLACK, 0.12))
        rim = mix(identity.skin, _BLACK, 0.75)
        sketch.line(np.concatenate((upper, lower[::-1])), rim, 0.018)
    else:
        sketch.line(upper, mix(identity.skin, _BLACK, 0.85), 0.034)
    if mouth.tongue > 0.03:
        middle = 0.5 * (mouth.left[0] + mouth.right[0])
        half = 0.42 * (mouth.right[0] - middle)
        root = float(lower[len(lower) // 2, 1]) - 0.03
        tip = root + mouth.tongue
        sketch.fill(ellipse((middle, tip), half, 0.75 * half), _TONGUE)
        sketch.fill(
            polygon(
                (middle - half, root),
                (middle + half, root),
                (middle + half, tip),
                (middle - half, tip),
            ),
            _TONGUE,
        )
        crease = polygon((middle, root + 0.02), (middle, tip))
        sketch.line(crease, mix(_TONGUE, _BLACK, 0.35), 0.02)
    for corner in (mouth.left, mouth.right):
        dot = polygon((corner[0] - 0.012, corner[1]), (corner[0] + 0.012, corner[1]))
        sketch.line(dot, mix(identity.skin, _BLACK, 0.7), 0.034)

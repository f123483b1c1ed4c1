"""Draws what does not move: head, hair, ears, neck, beard and glasses."""

from __future__ import annotations

import numpy as np

from fer_data.synth.geometry import FaceGeometry, Points
from fer_data.synth.identity import Colour, Identity, mix
from fer_data.synth.sketch import Sketch, arc, ellipse, luma, polygon

_BLACK: Colour = (18, 14, 14)
_ANGLES = np.linspace(0.0, 2.0 * np.pi, 32, endpoint=False)
_SIN, _COS = np.sin(_ANGLES), np.cos(_ANGLES)
_TOP = np.linspace(-1.0, 1.0, 15)  # from the left temple over the crown to the right one
_CURLS = np.linspace(-1.75, 1.75, 11)


def face_outline(identity: Identity, chin_y: float) -> Points:
    """The outline of the face from the crown clockwise, shape (32, 2)."""
    y = -_COS
    below = np.maximum(y, 0.0)
    # Squarer than an ellipse below, or the chin would be a point.
    curve = np.sign(_SIN) * np.where(y > 0, np.abs(_SIN) ** 0.72, np.abs(_SIN))
    x = identity.face_width * curve * (1.0 - (1.0 - identity.jaw) * below**1.5)
    return np.column_stack((x, np.where(y > 0, y * chin_y, y * 0.98)))


def draw_behind(sketch: Sketch, identity: Identity) -> None:
    """Adds neck, shoulders and the hair behind the head."""
    width, hair = identity.face_width, identity.hair
    if identity.hair_style == "long":
        mane = polygon(
            (-width * 0.9, -0.8), (-width - 0.22, -0.2), (-width - 0.2, 1.15),
            (width + 0.2, 1.15), (width + 0.22, -0.2), (width * 0.9, -0.8),
        )  # fmt: skip
        sketch.fill(mane, mix(hair, _BLACK, 0.25), -0.2)
        sketch.fill(ellipse((0.0, -0.25), width + 0.2, 0.92), mix(hair, _BLACK, 0.25), -0.2)
    elif identity.hair_style == "curly":
        for angle in _CURLS.tolist():
            spot = (0.98 * width * np.sin(angle), -0.12 - 0.82 * np.cos(angle))
            sketch.fill(ellipse(spot, 0.27, 0.27), mix(hair, _BLACK, 0.15), -0.1)
    elif identity.hair_style == "bun":
        sketch.fill(ellipse((0.0, -1.1), 0.32, 0.26), mix(hair, _BLACK, 0.15), -0.3)
    elif identity.hair_style == "headscarf":
        sketch.fill(ellipse((0.0, 0.0), width + 0.2, 1.2), identity.fabric, -0.1)
    neck = mix(identity.skin, _BLACK, 0.22)
    sketch.fill(polygon((-0.36, 0.5), (0.36, 0.5), (0.42, 1.5), (-0.42, 1.5)), neck, -0.1)
    shoulders = arc((-1.5, 1.6), (0.0, 1.02), (1.5, 1.6))
    sketch.fill(shoulders, mix(identity.fabric, _BLACK, 0.15), 0.0)


def draw_head(sketch: Sketch, identity: Identity, geometry: FaceGeometry) -> None:
    """Adds ears, the skin of the face and the beard."""
    skin, width = identity.skin, identity.face_width
    if identity.hair_style not in ("headscarf", "long"):
        for sign in (-1.0, 1.0):
            ear = (sign * (width + 0.02), 0.04)
            sketch.fill(ellipse(ear, 0.11, 0.19), mix(skin, _BLACK, 0.12), -0.15)
            sketch.fill(ellipse(ear, 0.055, 0.11), mix(skin, _BLACK, 0.3), -0.15)
    outline = face_outline(identity, geometry.chin_y)
    sketch.fill(outline, skin, 0.0)
    sketch.line(np.concatenate((outline, outline[:1])), mix(skin, _BLACK, 0.4), 0.022, 0.0)
    for side, sign in enumerate((-1.0, 1.0)):
        # Raised cheeks (AU6) catch the light and redden.
        cheek = ellipse((sign * 0.47, 0.27), 0.17, 0.12)
        glow = 0.10 + 0.14 * geometry.cheek_lines[side]
        sketch.fill(cheek, mix(skin, (232, 120, 110), glow))
    _draw_beard(sketch, identity, geometry)


def _draw_beard(sketch: Sketch, identity: Identity, geometry: FaceGeometry) -> None:
    if identity.beard == "none":
        return
    colour = mix(identity.hair, identity.skin, 0.22)
    mouth = geometry.mouth
    if identity.beard == "full":
        outline = face_outline(identity, geometry.chin_y)
        lower = outline[(outline[:, 1] > 0.15)]
        inner = arc(
            (lower[-1][0] * 0.86, 0.2), (0.0, mouth.middle_y - 0.12), (lower[0][0] * 0.86, 0.2)
        )
        sketch.fill(np.concatenate((lower, inner)), colour, 0.35)
    if identity.beard == "goatee":
        goatee = ellipse((0.0, geometry.chin_y - 0.15), 0.2, 0.17)
        sketch.fill(goatee, colour, 0.9)
    if identity.beard != "goatee":
        y = geometry.nose_y + 0.075
        ends = mouth.left[0] * 0.95, mouth.right[0] * 0.95
        low = mouth.middle_y - mouth.opening_up - 0.05
        moustache = np.concatenate(
            (
                arc((ends[0], low + 0.03), (0.0, y - 0.01), (ends[1], low + 0.03)),
                arc((ends[1], low + 0.03), (0.0, low), (ends[0], low + 0.03)),
            )
        )
        sketch.fill(moustache, colour, 1.05)


def draw_hair(sketch: Sketch, identity: Identity) -> None:
    """Adds the hair, scarf or hat in front of the head."""
    width, hair, style = identity.face_width, identity.hair, identity.hair_style
    if style == "headscarf":
        dark = mix(identity.fabric, _BLACK, 0.12)
        angles = np.concatenate((_ANGLES, _ANGLES[:1]))
        outer = np.column_stack((np.sin(angles), -np.cos(angles))) * (width + 0.16, 1.16)
        hole = np.column_stack((np.sin(angles), -np.cos(angles))) * (width - 0.05, 0.9)
        sketch.fill(np.concatenate((outer, hole[::-1] + np.array((0.0, 0.1)))), dark, 0.15)
    elif style == "beanie":
        _draw_cap(sketch, identity, identity.fabric, (-0.42, -0.52, -0.42), 1.1)
        band = arc((-width, -0.42), (0.0, -0.53), (width, -0.42))
        sketch.line(band, mix(identity.fabric, (255, 255, 255), 0.3), 0.14, 0.4)
    elif style == "bald":
        shine = ellipse((-0.2, -0.72), 0.14, 0.07)
        sketch.fill(shine, mix(identity.skin, (255, 255, 255), 0.3), 0.7)
    elif style == "receding":
        _draw_cap(sketch, identity, hair, (-0.15, -0.92, -0.15), 1.02)
    elif style == "side":
        _draw_cap(sketch, identity, hair, (-0.22, -0.66, -0.5), 1.1)
    elif style == "fringe":
        _draw_cap(sketch, identity, hair, (-0.12, -0.52, -0.12), 1.1)
    elif style == "curly":
        _draw_cap(sketch, identity, hair, (-0.2, -0.66, -0.2), 1.08)
    else:
        _draw_cap(sketch, identity, hair, (-0.2, -0.72, -0.2), 1.08)


def _draw_cap(
    sketch: Sketch,
    identity: Identity,
    colour: Colour,
    hairline: tuple[float, float, float],
    height: float,
) -> None:
    """Hair from temple to temple; `hairline` is its lower edge left, in the middle and right."""
    width = identity.face_width + 0.05
    left, middle, right = hairline
    start = np.where(_TOP < 0, left, right)
    crown = np.column_stack(
        (width * np.sin(_TOP * np.pi / 2), start - (height + start) * np.cos(_TOP * np.pi / 2))
    )
    edge = arc((width - 0.07, right), (0.0, middle), (-width + 0.07, left))
    bowed = 0.12 * np.sin(np.linspace(0.0, np.pi, len(edge))) ** 2
    edge[:, 1] -= bowed * np.abs(np.linspace(-1, 1, len(edge)))
    sketch.fill(np.concatenate((crown, edge)), colour, 0.25)


def draw_glasses(sketch: Sketch, identity: Identity) -> None:
    """Adds the person's glasses, if any."""
    if identity.glasses == "none":
        return
    x, y = identity.eye_spacing, identity.eye_y
    frame: Colour = (40, 36, 40) if luma(identity.skin) > 110 else (206, 200, 190)
    for sign in (-1.0, 1.0):
        if identity.glasses == "round":
            rim = ellipse((sign * x, y + 0.01), 0.225, 0.205)
        else:
            rim = polygon(
                (sign * x - 0.23, y - 0.16), (sign * x + 0.23, y - 0.16),
                (sign * x + 0.2, y + 0.18), (sign * x - 0.2, y + 0.18),
            )  # fmt: skip
        sketch.line(np.concatenate((rim, rim[:1])), frame, 0.03, 1.1)
        temple = polygon(
            (sign * (x + 0.22), y - 0.03), (sign * identity.face_width * 0.97, y - 0.02)
        )
        sketch.line(temple, frame, 0.026, 0.6)
    sketch.line(arc((0.225 - x, y - 0.02), (0, y - 0.05), (x - 0.225, y - 0.02)), frame, 0.03, 1.2)

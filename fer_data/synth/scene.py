"""What the photographer adds: pose, light, background, things in the way, noise."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_data.synth.geometry import FaceGeometry
from fer_data.synth.identity import Colour, Identity, mix
from fer_data.synth.sketch import Pose, Sketch, arc, ellipse, polygon

OCCLUSIONS = ("none", "hand", "hair", "scarf", "bar")
_OCCLUSION_SHARES = (0.91, 0.025, 0.03, 0.015, 0.02)
_GREY: Colour = (128, 128, 128)


@dataclass(frozen=True, slots=True, kw_only=True)
class Light:
    """How the picture is lit and taken.

    Attributes:
        brightness: factor on all pixels, 1 being neutral.
        contrast: factor on the distance to mid-grey.
        gamma: exponent on pixels in [0, 1].
        slope_x: change of brightness from the middle to the right edge, as a share.
        slope_y: change of brightness from the middle to the bottom, as a share.
        blur: standard deviation of the blur, as a share of the picture's size.
        noise: standard deviation of the noise, in [0, 1].
    """

    brightness: float
    contrast: float
    gamma: float
    slope_x: float
    slope_y: float
    blur: float
    noise: float


def draw_pose(rng: np.random.Generator) -> Pose:
    """How the head is held on one picture."""
    a = rng.normal(0.0, 1.0, size=3).clip(-2.3, 2.3).tolist()
    b = rng.uniform(-1.0, 1.0, size=3).tolist()
    return Pose(
        roll=6.0 * a[0],
        yaw=7.5 * a[1],
        pitch=5.0 * a[2],
        scale=0.47 * (1 + 0.09 * b[0]),
        x=0.5 + 0.05 * b[1],
        y=0.51 + 0.045 * b[2],
    )


def draw_light(rng: np.random.Generator) -> Light:
    """How one picture is lit and taken."""
    a = rng.normal(0.0, 1.0, size=5).clip(-2.3, 2.3).tolist()
    b = rng.random(2).tolist()
    return Light(
        brightness=1.0 + 0.13 * a[0],
        contrast=0.98 + 0.11 * a[1],
        gamma=1.0 + 0.15 * a[2],
        slope_x=0.20 * a[3],
        slope_y=0.12 * a[4],
        blur=0.015 * max(0.0, b[0] - 0.45),
        noise=0.006 + 0.024 * b[1] ** 2,
    )


def draw_occlusion(rng: np.random.Generator) -> str:
    """What is in the way on one picture; mostly nothing."""
    return OCCLUSIONS[int(rng.choice(len(OCCLUSIONS), p=_OCCLUSION_SHARES))]


def paint_background(canvas: NDArray[np.uint8], rng: np.random.Generator) -> None:
    """Fills a canvas with a wall and some clutter, in place.

    Args:
        canvas: uint8 array of shape (side, side) or (side, side, 3), RGB.
        rng: gives wall and clutter.
    """
    side = canvas.shape[0]
    wall = rng.uniform(40, 225, size=3)
    wall += (wall.mean() - wall) * 0.6  # walls are seldom vivid
    canvas[:] = wall if canvas.ndim == 3 else wall.mean()
    sketch = Sketch()
    for _ in range(int(rng.integers(0, 7))):
        x, y, width, height = (rng.random(4) * (2.0, 2.0, 0.5, 0.7)).tolist()
        shade = rng.uniform(20, 240, size=3)
        r, g, b = (0.5 * shade + 0.5 * wall).tolist()
        if rng.random() < 0.4:
            shape = ellipse((x - 1, y - 1), 0.1 + width, 0.1 + height)
        else:
            x, y = x - 1.2, y - 1.2
            lean = 0.4 * (rng.random() - 0.5)
            shape = polygon(
                (x, y), (x + 0.1 + width, y), (x + 0.1 + width + lean, y + 0.2 + 2 * height),
                (x + lean, y + 0.2 + 2 * height),
            )  # fmt: skip
        sketch.fill(shape, (r, g, b), 0.0)
    sketch.rasterise(canvas, Pose(scale=side / 2 / side))


def add_occlusion(
    sketch: Sketch,
    identity: Identity,
    geometry: FaceGeometry,
    kind: str,
    rng: np.random.Generator,
) -> None:
    """Adds what is in the way to a sketch."""
    sign = 1.0 if rng.random() < 0.5 else -1.0
    height = float(rng.random())
    if kind == "hand":  # four fingers over one cheek or the chin
        skin = mix(identity.skin, (18, 14, 14), 0.08)
        x, y = sign * 0.62, 0.30 + 0.35 * height
        sketch.fill(ellipse((x + sign * 0.22, y + 0.35), 0.3, 0.42), skin, 1.1)
        for k in range(4):
            tip = (x - sign * (0.1 + 0.03 * k * (3 - k)), y - 0.16 + 0.15 * k)
            root = (x + sign * 0.2, y + 0.1 + 0.13 * k)
            sketch.line(polygon(root, tip), mix(skin, (18, 14, 14), 0.35), 0.15, 1.1)
            sketch.line(polygon(root, tip), skin, 0.12, 1.1)
    elif kind == "hair":  # a strand over one eye
        tip = (sign * 0.72, 0.1 + 0.4 * height)
        outer = arc((sign * 0.2, -0.9), (sign * 0.72, -0.5), tip)
        inner = arc(tip, (sign * 0.42, -0.25), (sign * 0.05, -0.75))
        strand = np.concatenate((outer, inner))
        sketch.fill(strand, mix(identity.hair, _GREY, 0.1), 0.9)
    elif kind == "scarf":  # over chin and part of the mouth
        top = geometry.mouth.middle_y - 0.02 + 0.2 * height
        scarf = polygon(
            (-1.1, top - 0.08), (0.0, top + 0.05), (1.1, top - 0.08), (1.1, 1.6), (-1.1, 1.6)
        )
        sketch.fill(scarf, identity.fabric, 0.3)
        fold = polygon((-1.0, top + 0.2), (0.1, top + 0.3), (1.0, top + 0.15))
        sketch.line(fold, mix(identity.fabric, (18, 14, 14), 0.35), 0.03, 0.3)
    elif kind == "bar":  # a banner, a microphone, a watermark
        y = -1.0 + 2.0 * height
        shade = float(rng.uniform(20, 235))
        bar = polygon(
            (-1.6, y), (1.6, y + 0.25 * sign), (1.6, y + 0.12 + 0.25 * sign), (-1.6, y + 0.12)
        )
        sketch.fill(bar, (shade, shade, shade), 0.0)


def expose(pixels: NDArray[np.uint8], light: Light, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The picture as the camera took it: light, blur and noise.

    Args:
        pixels: uint8 array of shape (side, side) or (side, side, 3).
        light: how it is lit and taken.
        rng: gives the noise.

    Returns:
        uint8 array of the same shape.
    """
    side = pixels.shape[0]
    ramp = np.linspace(-1.0, 1.0, side, dtype=np.float32)
    slope = 1.0 + light.slope_x * ramp[None, :] + light.slope_y * ramp[:, None]
    if pixels.ndim == 3:
        slope = slope[:, :, None]  # (H, W) -> (H, W, 1)
    values = pixels.astype(np.float32) * np.float32(light.brightness / 255.0) * slope
    values = (values - 0.5) * np.float32(light.contrast) + 0.5
    values = np.clip(values, 0.0, 1.0) ** np.float32(light.gamma)
    if light.blur * side > 0.2:
        values = cv2.GaussianBlur(values, (0, 0), light.blur * side)
    noise = rng.standard_normal(values.shape, dtype=np.float32)
    values = values + np.float32(light.noise) * noise
    return np.asarray(np.rint(np.clip(values, 0.0, 1.0) * 255.0), dtype=np.uint8)

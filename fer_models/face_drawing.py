"""Boxes and labels on pictures: a colour a class, legible at any size."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor, ImageDraw, ImageFont

from fer_models.predict import FacePrediction

#: Of the classes in order, over and over; dark enough for white text.
CLASS_COLORS = (
    "#3552c8", "#c2611a", "#1f8a5b", "#c4383a", "#8a4fc9", "#0d8496", "#97780a", "#6b7280",
)  # fmt: skip
_FONT_SIDES = (1 / 60, 1 / 34)  # least and most height of text, as shares of the longer side
_FONT_OF_FACE = 0.15  # of the width of its face
_LEAST_FONT = 11  # pixels


class Rectangle(NamedTuple):
    """A part of a picture, in pixels; right and bottom are not in it."""

    left: int
    top: int
    right: int
    bottom: int

    def overlaps(self, other: Rectangle) -> bool:
        """Whether both have pixels in common."""
        across = self.left < other.right and other.left < self.right
        return across and self.top < other.bottom and other.top < self.bottom


def draw_faces(
    pixels: NDArray[np.uint8],
    faces: Sequence[FacePrediction],
    class_names: Sequence[str],
    people: Sequence[int] = (),
) -> NDArray[np.uint8]:
    """A copy of a picture with each face in a box, its class and probability beside it.

    A face without a box is the whole picture: it gets its label alone.

    Args:
        pixels: uint8 array of shape (height, width, 3), channels in the order R, G, B.
        faces: in these pixels.
        class_names: in the order of the bundle; they give the colours.
        people: of each face the number of its person, for its label; none: they have no numbers.

    Returns:
        uint8 array of the same shape.
    """
    image = Image.fromarray(pixels)
    draw = ImageDraw.Draw(image)
    longer = max(image.size)
    line = max(2, round(longer / 320))
    boxes = [_inside(face, image.size) for face in faces]
    colors = [class_color(face.class_name, class_names) for face in faces]
    for face, box, color in zip(faces, boxes, colors, strict=True):
        if face.box is not None:
            edges = (box.left, box.top, box.right - 1, box.bottom - 1)
            draw.rectangle(edges, outline="white", width=line + 1)
            draw.rectangle(edges, outline=color, width=line)
    taken: list[Rectangle] = []
    for number, (face, box, color) in enumerate(zip(faces, boxes, colors, strict=True)):
        person = f"{people[number]}: " if people else ""
        text = f"{person}{face.class_name} {face.probability:.0%}"
        font = _fitting_font(text, box, image.size, is_whole=face.box is None)
        taken.append(_draw_label(draw, text, font, color, box, taken))
    return np.asarray(image, dtype=np.uint8)


def class_color(class_name: str, class_names: Sequence[str]) -> str:
    """The colour of a class, as `#rrggbb`."""
    return CLASS_COLORS[list(class_names).index(class_name) % len(CLASS_COLORS)]


def _inside(face: FacePrediction, size: tuple[int, int]) -> Rectangle:
    """The part of a face's box that lies in the picture."""
    if face.box is None:
        return Rectangle(0, 0, *size)
    left, top, width, height = face.box
    x, y = (
        [round(min(max(v, 0), size[0])) for v in (left, left + width)],
        [round(min(max(v, 0), size[1])) for v in (top, top + height)],
    )
    return Rectangle(x[0], y[0], max(x[1], x[0] + 1), max(y[1], y[0] + 1))


def _fitting_font(
    text: str, box: Rectangle, size: tuple[int, int], *, is_whole: bool
) -> ImageFont.FreeTypeFont:
    """As large as suits the face and the picture, and fits into the picture's width."""
    least, most = (share * max(size) for share in _FONT_SIDES)
    wanted = most if is_whole else (box.right - box.left) * _FONT_OF_FACE
    points = max(_LEAST_FONT, round(min(max(wanted, least), most)))
    while points > 6 and _font(points).getlength(text) + points > size[0]:
        points -= 1
    return _font(points)


@functools.lru_cache(maxsize=64)
def _font(points: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which Matplotlib brings along: it has the letters of most alphabets."""
    import matplotlib as mpl

    path = Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans-Bold.ttf"
    return ImageFont.truetype(str(path), points)


def _draw_label(
    draw: ImageDraw.ImageDraw,
    text: str,
    font: ImageFont.FreeTypeFont,
    color: str,
    box: Rectangle,
    taken: Sequence[Rectangle],
) -> Rectangle:
    """Draws a label above the box, below it or inside: where it lies on no other one."""
    ascent, descent = font.getmetrics()
    padding = max(2, round(font.size * 0.3))
    width = round(font.getlength(text)) + 2 * padding
    height = ascent + descent + padding // 2
    picture_width, picture_height = draw.im.size
    left = max(0, min(box.left, picture_width - width))
    places = [
        Rectangle(left, top, left + width, top + height)
        for top in (box.top - height, box.bottom, box.top, box.bottom - height)
    ]
    fitting = [p for p in places if p.top >= 0 and p.bottom <= picture_height] or places[2:3]
    label = next((p for p in fitting if not any(map(p.overlaps, taken))), fitting[0])
    draw.rectangle((label.left, label.top, label.right - 1, label.bottom - 1), fill=color)
    middle = (label.left + padding, (label.top + label.bottom) / 2)
    draw.text(middle, text, fill=_text_color(color), font=font, anchor="lm")
    return label


def _text_color(color: str) -> str:
    red, green, blue = ImageColor.getrgb(color)[:3]
    return "white" if 0.299 * red + 0.587 * green + 0.114 * blue < 160 else "#1c2430"

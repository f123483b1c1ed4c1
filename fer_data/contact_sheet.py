"""A picture of many small pictures, in rows with a title each, a caption below each picture."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

_SIDE = 96  # pixels of a picture on the sheet, at least
_GAP = 6
_TITLE_SIZE, _CAPTION_SIZE = 15, 11
_INK, _MUTED = "#18202c", "#667085"


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetRow:
    """Pictures of one kind.

    Attributes:
        title: what they have in common.
        images: uint8 array of shape (n, H, W, C), grey or RGB.
        captions: one a picture; lines apart by a line end.
    """

    title: str
    images: NDArray[np.uint8]
    captions: Sequence[str]


def draw_sheet(rows: Sequence[SheetRow], *, columns: int = 12) -> bytes:
    """The sheet as PNG; rows without pictures say so.

    Args:
        rows: from top to bottom; each goes on in the next line where it is longer.
        columns: pictures side by side.
    """
    height, width = rows[0].images.shape[1:3] if rows else (_SIDE, _SIDE)
    factor = max(1, -(-_SIDE // width))
    height, width = height * factor, width * factor
    num_lines = max((c.count("\n") + 1 for row in rows for c in row.captions), default=1)
    cell = height + num_lines * (_CAPTION_SIZE + 3) + _GAP
    lines = [max(1, -(-len(row.images) // columns)) for row in rows]
    title = _TITLE_SIZE + 3 * _GAP
    sheet = Image.new(
        "RGB",
        (columns * (width + _GAP) + _GAP, sum(title + n * cell for n in lines) + _GAP),
        "white",
    )
    draw = ImageDraw.Draw(sheet)
    large, small = (ImageFont.load_default(size) for size in (_TITLE_SIZE, _CAPTION_SIZE))
    top = 0
    for row, count in zip(rows, lines, strict=True):
        text = row.title if len(row.images) else f"{row.title}: none"
        draw.text((_GAP, top + _GAP), text, fill=_INK, font=large)
        top += title
        for number, (pixels, caption) in enumerate(zip(row.images, row.captions, strict=True)):
            x = _GAP + (number % columns) * (width + _GAP)
            y = top + number // columns * cell
            image = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
            sheet.paste(image.resize((width, height), Image.Resampling.NEAREST), (x, y))
            draw.text((x, y + height + 1), caption, fill=_MUTED, font=small, spacing=1)
        top += count * cell
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()

"""Many small pictures as a few large JPEGs, small enough for a page that people send around."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

#: Longest side of a picture and JPEG quality, the best first.
_LEVELS = ((96, 75), (64, 75), (48, 75), (48, 60), (40, 60), (32, 60), (24, 60), (24, 40), (16, 40))
_BLOCK = 8  # pixels that JPEG works on together: tiles that start elsewhere would mix
_COLUMNS = 32  # tiles in a row, and rows in a sheet: browsers decode a sheet when it is looked at


@dataclass(frozen=True, slots=True, kw_only=True)
class Sprites:
    """Pictures on sheets, row by row, in the order they came in.

    Attributes:
        width: of a picture, in pixels.
        height: of a picture.
        step_x: from the left of a picture to the left of the next.
        step_y: from the top of a row to the top of the next.
        columns: pictures in a row.
        per_sheet: pictures on a sheet.
        sheets: each a JPEG as the text of a `data:` address.
    """

    width: int
    height: int
    step_x: int
    step_y: int
    columns: int
    per_sheet: int
    sheets: tuple[str, ...]


def make_sprites(images: NDArray[np.uint8], max_bytes: int) -> Sprites | None:
    """Pictures as large and as good as they can be; None where even the smallest are too much.

    Args:
        images: uint8 array of shape (num_images, height, width, channels), 1 or 3 channels.
        max_bytes: of the text of all sheets.
    """
    longest = max(images.shape[1:3])
    sides = [min(side, longest) for side, _ in _LEVELS]
    for side, (_, quality) in zip(sides, _LEVELS, strict=True):
        found = _sheets(images, side / longest, quality)
        if sum(map(len, found.sheets)) <= max_bytes:
            return found
    return None


def _sheets(images: NDArray[np.uint8], scale: float, quality: int) -> Sprites:
    height, width = (max(1, round(side * scale)) for side in images.shape[1:3])
    step_y, step_x = (-(-side // _BLOCK) * _BLOCK for side in (height, width))
    per_sheet = _COLUMNS * _COLUMNS
    return Sprites(
        width=width,
        height=height,
        step_x=step_x,
        step_y=step_y,
        columns=_COLUMNS,
        per_sheet=per_sheet,
        sheets=tuple(
            _sheet(images[start : start + per_sheet], (width, height), (step_x, step_y), quality)
            for start in range(0, len(images), per_sheet)
        ),
    )


def _sheet(
    images: NDArray[np.uint8], size: tuple[int, int], step: tuple[int, int], quality: int
) -> str:
    (width, height), (step_x, step_y) = size, step
    num_rows = -(-len(images) // _COLUMNS)
    sheet = np.zeros((num_rows * step_y, _COLUMNS * step_x, images.shape[3]), np.uint8)
    for number, picture in enumerate(images):
        if picture.shape[:2] != (height, width):
            picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)  # noqa: PLW2901
            picture = picture.reshape(height, width, -1)  # noqa: PLW2901
        row, column = divmod(number, _COLUMNS)
        # the last pixels go on to the end of the tile, so that no edge stains them
        padding = ((0, step_y - height), (0, step_x - width), (0, 0))
        tile = np.pad(picture, padding, mode="edge")
        top, left = row * step_y, column * step_x
        sheet[top : top + step_y, left : left + step_x] = tile
    file = io.BytesIO()
    shown = sheet[:, :, 0] if sheet.shape[2] == 1 else sheet
    Image.fromarray(shown).save(file, "JPEG", quality=quality, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode("ascii")

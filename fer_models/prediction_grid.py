"""Predicted files -> one sheet of new pictures with what was predicted, three by three."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_data.errors import SettingsError
from fer_data.files import write_file
from fer_data.picture_decode import decode_picture
from fer_data.sources.listing import readable_text
from fer_models.face_drawing import class_color
from fer_models.picture_files import PictureFile
from fer_models.predict import FacePrediction, PicturePrediction

COLUMNS, NUM_CELLS = 3, 9
_SIDE = 360  # pixels of a cell
_ROOM = 0.35  # around a face, as a share of its box
_WHOLE = 2**16
_NAME_LETTERS, _NUM_OTHERS = 34, 2


class _Cell(NamedTuple):
    pixels: NDArray[np.uint8]
    face: FacePrediction
    name: str


class PredictionGrid:
    """Gathers up to nine faces of all files, from each ninth of the files the first one.

    Where fewer pictures have a face, further faces of those pictures take the places that are left.

    Args:
        num_files: files in all.
        class_names: in the order of the bundle.
    """

    def __init__(self, num_files: int, class_names: Sequence[str]) -> None:
        self._num_files = num_files
        self._class_names = class_names
        self._firsts: dict[int, _Cell] = {}
        self._spare: list[_Cell] = []

    def take(
        self, number: int, file: PictureFile, data: bytes, prediction: PicturePrediction
    ) -> None:
        """Looks at the next file, `number` of them before it."""
        part = number * NUM_CELLS // max(self._num_files, NUM_CELLS)
        num_free = NUM_CELLS - len(self._spare) if part in self._firsts else NUM_CELLS
        if not prediction.faces or not num_free:
            return
        pixels = decode_picture(data, "rgb", _WHOLE).pixels
        name = readable_text(file.path.name)
        cells = [_Cell(_cut(pixels, face), face, name) for face in prediction.faces[:num_free]]
        if part not in self._firsts:
            self._firsts[part] = cells.pop(0)
        self._spare += cells[: NUM_CELLS - len(self._spare)]

    def to_png(self) -> bytes:
        """The sheet as PNG."""
        from fer_models.report.figures import INK, MUTED, new_figure, to_png

        cells = [*self._firsts.values(), *self._spare][:NUM_CELLS]
        rows = max(1, -(-len(cells) // COLUMNS))
        # what stands below a picture is not laid out: there must be room for it
        figure = new_figure(2.6 * COLUMNS, 3.1 * rows)
        figure.set_layout_engine("constrained", w_pad=0.1, h_pad=0.24)
        panels = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
        for axes in panels:
            axes.set_axis_off()
        for axes, cell in zip(panels, cells, strict=False):
            axes.imshow(cell.pixels)
            color = class_color(cell.face.class_name, self._class_names)
            title = f"{cell.face.class_name}  {cell.face.probability:.0%}"
            below: dict[str, Any] = {"transform": axes.transAxes, "ha": "center"}
            others = self._others(cell.face)
            texts = [
                axes.set_title(title, color=color, fontsize=11, fontweight="bold", pad=5),
                axes.text(0.5, -0.065, others, color=INK, fontsize=7.5, **below),
                axes.text(0.5, -0.12, _short(cell.name), color=MUTED, fontsize=6.5, **below),
            ]
            for text in texts:
                text.set_parse_math(False)  # a dollar sign in a name is a dollar sign
        if not cells:
            panels[1].text(0.5, 0.5, "no face was found", color=MUTED, ha="center")
        return to_png(figure)

    def write(self, path: Path) -> None:
        """Writes the sheet, whole or not at all."""
        write_file(path, self.to_png())

    def _others(self, face: FacePrediction) -> str:
        order = sorted(zip(face.probabilities, self._class_names, strict=True), reverse=True)
        return ", ".join(f"{name} {value:.0%}" for value, name in order[1 : 1 + _NUM_OTHERS])


def check_grid_name(path: Path) -> None:
    """Refuses a name that is not that of a PNG file.

    Raises:
        SettingsError: it is not.
    """
    if path.suffix.lower() != ".png":
        raise SettingsError(f"{path}: expected a name that ends with .png")


def _short(name: str) -> str:
    return name if len(name) <= _NAME_LETTERS else f"{name[: _NAME_LETTERS - 9]}…{name[-8:]}"


def _cut(pixels: NDArray[np.uint8], face: FacePrediction) -> NDArray[np.uint8]:
    """A face with room around it, or the middle of the picture: a square of `_SIDE`."""
    height, width = pixels.shape[:2]
    if face.box is None:
        side = float(min(height, width))
        x, y = width / 2, height / 2
    else:
        left, top, box_width, box_height = face.box
        side = max(box_width, box_height) * (1 + 2 * _ROOM)
        x, y = left + box_width / 2, top + box_height / 2
    side = min(side, height, width)
    left, top = (min(max(m - side / 2, 0), n - side) for m, n in ((x, width), (y, height)))
    size = max(1, round(side))
    square = pixels[round(top) : round(top) + size, round(left) : round(left) + size]
    method = cv2.INTER_AREA if size > _SIDE else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(square, (_SIDE, _SIDE), interpolation=method), dtype=np.uint8)

"""Predicted files -> copies of their pictures with boxes and labels, never over an original."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fer_data.errors import SettingsError
from fer_data.files import write_file
from fer_data.picture_decode import decode_picture
from fer_models.face_drawing import draw_faces
from fer_models.picture_files import PictureFile
from fer_models.predict import FacePrediction, PicturePrediction

_LEAST_SIDE = 320  # of the longer side: below it no label can be read
_WHOLE = 2**16  # a side that no picture reaches: decode it without shrinking
#: Ending → Pillow's format and how it is written; other files become .png.
_FORMATS: dict[str, tuple[str, dict[str, Any]]] = {
    **dict.fromkeys((".jpg", ".jpeg", ".jpe"), ("JPEG", {"quality": 92, "subsampling": 0})),
    ".png": ("PNG", {"compress_level": 4}),
    ".webp": ("WEBP", {"quality": 92}),
    ".bmp": ("BMP", {}),
    **dict.fromkeys((".tif", ".tiff"), ("TIFF", {"compression": "tiff_deflate"})),
}


class AnnotatedFolder:
    """A folder of annotated copies, laid out as the files are, under the same names.

    Args:
        folder: where the copies go; made where it is not there.
        files: all that may be written, which say where the layout begins.
        class_names: in the order of the bundle.

    Raises:
        SettingsError: a file could be written over, as it lies in the folder.
    """

    def __init__(
        self, folder: Path, files: Sequence[PictureFile], class_names: Sequence[str]
    ) -> None:
        roots = {file.root for file in files}
        check_apart(folder, roots)
        self._folder = folder
        self._class_names = class_names
        self._start = os.path.commonpath([Path.absolute(root) for root in roots])
        self._written: set[Path] = set()

    def write(self, file: PictureFile, data: bytes, prediction: PicturePrediction) -> Path | None:
        """The path of the copy; None where there is no face to show."""
        if not prediction.faces:
            return None
        pixels, faces = enlarged(decode_picture(data, "rgb", _WHOLE).pixels, prediction.faces)
        drawn = draw_faces(pixels, faces, self._class_names)
        path = self._free_path(file)
        format_, options = _FORMATS[path.suffix.lower()]
        encoded = io.BytesIO()
        Image.fromarray(drawn).save(encoded, format_, **options)
        write_file(path, encoded.getbuffer())
        return path

    def _free_path(self, file: PictureFile) -> Path:
        path = self._folder / Path.absolute(file.path).relative_to(self._start)
        if path.suffix.lower() not in _FORMATS:
            path = path.with_name(f"{path.name}.png")
        free, number = path, 1
        while free in self._written:  # of an archive, or from several folders
            number += 1
            free = path.with_stem(f"{path.stem}-{number}")
        self._written.add(free)
        return free


def check_apart(folder: Path, roots: set[Path]) -> None:
    """Refuses a folder that holds pictures which are read.

    Raises:
        SettingsError: it does.
    """
    for root in roots:
        if root.resolve().is_relative_to(folder.resolve()):
            raise SettingsError(
                f"{folder}: holds the pictures of {root}, which would be written over; name "
                "another folder with --annotate"
            )


def enlarged(
    pixels: NDArray[np.uint8], faces: Sequence[FacePrediction]
) -> tuple[NDArray[np.uint8], Sequence[FacePrediction]]:
    """A small picture a whole number of times as large, and its faces there; a large one as it is.

    Args:
        pixels: uint8 array of shape (height, width, 3).
        faces: in these pixels.
    """
    factor = -(-_LEAST_SIDE // max(pixels.shape[:2]))
    if factor == 1:
        return pixels, faces
    size = (pixels.shape[1] * factor, pixels.shape[0] * factor)
    large = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_CUBIC), dtype=np.uint8)
    moved = []
    for face in faces:
        left, top, width, height = face.box or (0.0, 0.0, 0.0, 0.0)
        box = (left * factor, top * factor, width * factor, height * factor)
        moved.append(replace(face, box=box if face.box is not None else None))
    return large, moved

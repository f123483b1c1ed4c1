"""Predicted files -> copies of their pictures with boxes and labels, never over an original."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fer_data.files import write_file
from fer_data.picture_decode import decode_picture
from fer_models.face_drawing import draw_faces
from fer_models.mirrored_folder import MirroredFolder
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


def write_annotated(
    folder: MirroredFolder,
    file: PictureFile,
    data: bytes,
    prediction: PicturePrediction,
    class_names: Sequence[str],
) -> Path | None:
    """Writes an annotated copy of a picture, under the same name.

    Args:
        folder: where the copy goes.
        file: the picture.
        data: its bytes.
        prediction: on its faces.
        class_names: in the order of the bundle.

    Returns:
        The path of the copy; None where there is no face to show.
    """
    if not prediction.faces:
        return None
    pixels, faces = enlarged(decode_picture(data, "rgb", _WHOLE).pixels, prediction.faces)
    drawn = draw_faces(pixels, faces, class_names)
    is_known = file.path.suffix.lower() in _FORMATS
    path = folder.free_path(file, file.path.name if is_known else f"{file.path.name}.png")
    format_, options = _FORMATS[path.suffix.lower()]
    encoded = io.BytesIO()
    Image.fromarray(drawn).save(encoded, format_, **options)
    write_file(path, encoded.getbuffer())
    return path


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

"""Faces in pictures: detected, aligned and cut out, each as one sample's pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from fer_data.errors import ImageError
from fer_data.face_align import (
    NONE_RULES,
    SEVERAL_RULES,
    FaceSettings,
    align_face,
    alignment,
    in_color,
    warp,
)
from fer_data.face_detector import LOOK_SIDE, Detector, Face, Point
from fer_data.face_weights import (
    WEIGHTS_SHA256,
    WEIGHTS_URL,
    download_detector_weights,
    find_detector_weights,
)
from fer_data.image import ImageSettings, fit_pixels
from fer_data.picture_decode import decode_picture

__all__ = [
    "NONE_RULES",
    "SEVERAL_RULES",
    "WEIGHTS_SHA256",
    "WEIGHTS_URL",
    "Detector",
    "Face",
    "FaceSettings",
    "Point",
    "PreparedFace",
    "align_face",
    "alignment",
    "detector_for",
    "download_detector_weights",
    "find_detector_weights",
    "prepare_faces",
    "settle_landmarks",
]

# A photograph is decoded to no less than 1.5 times this shorter side: enough to find faces in and
# to cut them from.
_DECODE_SIDE = 640
_LOOK_SETTINGS = FaceSettings(margin=0.25)
_MAX_LOOKS = 6
_LEVEL_DEGREES = 1.5  # eyes that are level to this are level


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedFace:
    """A face in its final form.

    Attributes:
        pixels: uint8 array of shape (size, size, channels), channels in the order R, G, B.
        box: left, top, width and height, in pixels of the picture held upright; None where no face
            was found and the picture was kept.
        landmarks: as of `Face`, in the same pixels; empty where there are none.
        confidence: 0 to 1; None where the method gives none, or no face was found.
        method: "yunet", "lbp", or "none" where no face was found.
        height: of the picture as it was stored, in pixels.
        width: likewise.
    """

    pixels: NDArray[np.uint8]
    box: tuple[float, float, float, float] | None
    landmarks: tuple[Point, ...]
    confidence: float | None
    method: str
    height: int
    width: int


@lru_cache(maxsize=2)
def detector_for(settings: FaceSettings) -> Detector:
    """The detector that the settings ask for, the same one each time within a process.

    Raises:
        SettingsError: the weights are none of YuNet.
    """
    return Detector(settings.detector_weights, settings.min_confidence)


def prepare_faces(
    data: bytes, image_settings: ImageSettings, settings: FaceSettings, detector: Detector
) -> list[PreparedFace]:
    """The faces in a picture, aligned and cut out, in the form that the settings ask for.

    Args:
        data: a whole picture file, as for `fer_data.image.prepare_image`.
        image_settings: the form of the result.
        settings: which faces, and where they are put.
        detector: as `detector_for` gives it.

    Returns:
        One face; with `several="all"` as many as were found, the largest first.

    Raises:
        ImageError: the picture cannot be used; its `reason` is one of `fer_data.image.REASONS`,
            among them no-face and several-faces.
    """
    pixels, height, width = decode_picture(data, "rgb", max(_DECODE_SIDE, image_settings.size))
    faces = detector.detect(pixels, every=settings.several != "largest")
    if not faces and settings.none == "reject":
        raise ImageError("no-face", f"{detector.method} finds none in {width}x{height} pixels")
    if len(faces) > 1 and settings.several == "reject":
        raise ImageError("several-faces", f"{detector.method} finds {len(faces)}; expected one")
    if not faces:
        return [
            PreparedFace(
                pixels=fit_pixels(in_color(pixels, image_settings), image_settings),
                box=None,
                landmarks=(),
                confidence=None,
                method="none",
                height=height,
                width=width,
            )
        ]
    chosen = faces if settings.several == "all" else faces[:1]
    # A JPEG may have been shrunk in decoding; both sides by the same factor, whichever way it lies.
    factor = max(height, width) / max(pixels.shape[:2])
    return [
        PreparedFace(
            pixels=align_face(pixels, face, settings, image_settings),
            box=_scaled_box(face.box, factor),
            landmarks=tuple(
                ((x + 0.5) * factor - 0.5, (y + 0.5) * factor - 0.5) for x, y in face.landmarks
            ),
            confidence=face.confidence,
            method=face.method,
            height=height,
            width=width,
        )
        for face in (settle_landmarks(pixels, face, detector) for face in chosen)
    ]


def settle_landmarks(pixels: NDArray[np.uint8], face: Face, detector: Detector) -> Face:
    """A face with its landmarks found anew after it was turned upright, until nothing turns more.

    YuNet reads a tilted face too level: of 30 degrees it may see 8, or none. Turned by what it saw
    and looked at again, the face is upright after a few looks; one that was upright needs one.

    Args:
        pixels: uint8 array of shape (height, width, 3), channels in the order R, G, B.
        face: in these pixels; without landmarks it is given back as it is.
        detector: that found it.
    """
    if not face.landmarks:
        return face
    for _ in range(_MAX_LOOKS):
        matrix = alignment(face, _LOOK_SETTINGS, LOOK_SIDE)
        found = detector.look(warp(pixels, matrix, LOOK_SIDE))
        if found is None:
            break
        face = replace(face, landmarks=_moved_back(found.landmarks, matrix))
        (left_x, left_y), (right_x, right_y) = found.landmarks[:2]
        if abs(math.degrees(math.atan2(right_y - left_y, right_x - left_x))) < _LEVEL_DEGREES:
            break
    return face


def _moved_back(points: Sequence[Point], matrix: NDArray[np.float64]) -> tuple[Point, ...]:
    """Places in the picture of points in the result of an alignment."""
    factor, shift = complex(matrix[0, 0], matrix[1, 0]), complex(matrix[0, 2], matrix[1, 2])
    places = [(complex(x, y) - shift) / factor for x, y in points]
    return tuple((place.real, place.imag) for place in places)


def _scaled_box(
    box: tuple[float, float, float, float], factor: float
) -> tuple[float, float, float, float]:
    return (box[0] * factor, box[1] * factor, box[2] * factor, box[3] * factor)

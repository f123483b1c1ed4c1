"""Faces in pictures: detected, aligned and cut out, each as one sample's pixels."""

from __future__ import annotations

import cmath
import math
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

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
    WEIGHTS_URLS,
    download_detector_weights,
    find_detector_weights,
)
from fer_data.image import ImageSettings, PreparedImage, fit_pixels
from fer_data.picture_decode import Decoded, decode_picture

__all__ = [
    "NONE_RULES",
    "SEVERAL_RULES",
    "WEIGHTS_SHA256",
    "WEIGHTS_URLS",
    "CutFace",
    "Decoded",
    "Detector",
    "Face",
    "FaceSettings",
    "Point",
    "align_face",
    "alignment",
    "cut_faces",
    "decode_for_faces",
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
_TURNS = (-40.0, -20.0, 20.0, 40.0)  # degrees, tried where a look is not sure of an upright face
_SURE, _NEARLY_LEVEL_DEGREES = 0.88, 4.0
_GAIN = 1.5  # what is to be turned for each degree seen, as YuNet sees tilted faces too level


@lru_cache(maxsize=2)
def detector_for(settings: FaceSettings) -> Detector:
    """The detector that the settings ask for, the same one each time within a process.

    Raises:
        SettingsError: the weights are none of YuNet.
    """
    return Detector(settings.detector_weights, settings.min_confidence)


def prepare_faces(
    data: bytes, image_settings: ImageSettings, settings: FaceSettings, detector: Detector
) -> list[PreparedImage]:
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
    picture = decode_for_faces(data, image_settings)
    return [
        PreparedImage(cut.pixels, picture.height, picture.width)
        for cut in cut_faces(picture, image_settings, settings, detector)
    ]


def decode_for_faces(data: bytes, image_settings: ImageSettings) -> Decoded:
    """The picture that faces are looked for in: RGB, a large one shrunk.

    Raises:
        ImageError: the picture cannot be used.
    """
    return decode_picture(data, "rgb", max(_DECODE_SIDE, image_settings.size))


class CutFace(NamedTuple):
    """A face as a sample, and where it is.

    Attributes:
        pixels: uint8 array of shape (size, size, channels).
        face: in pixels of the upright picture at its full size; None: the sample is the whole
            picture.
    """

    pixels: NDArray[np.uint8]
    face: Face | None


def cut_faces(
    picture: Decoded,
    image_settings: ImageSettings,
    settings: FaceSettings,
    detector: Detector,
    *,
    every: bool = False,
) -> list[CutFace]:
    """The faces in a decoded picture, aligned and cut out, the largest first.

    Args:
        picture: upright, its pixels of shape (height, width, 3).
        image_settings: the form of the result.
        settings: which faces, and where they are put.
        detector: as `detector_for` gives it.
        every: all faces whatever `settings.several` says; those that it takes come out the same.

    Raises:
        ImageError: `reason` is no-face or several-faces.
    """
    pixels = picture.pixels
    if every and settings.several == "largest":
        faces = detector.detect_all(pixels)
    else:
        faces = detector.detect(pixels, every=settings.several != "largest")
    if not faces and settings.none == "reject":
        size = f"{picture.width}x{picture.height}"
        raise ImageError("no-face", f"{detector.method} finds none in {size} pixels")
    if len(faces) > 1 and settings.several == "reject" and not every:
        raise ImageError("several-faces", f"{detector.method} finds {len(faces)}; expected one")
    if not faces:
        return [CutFace(fit_pixels(in_color(pixels, image_settings), image_settings), None)]
    chosen = faces if every or settings.several == "all" else faces[:1]
    settled = [settle_landmarks(pixels, face, detector) for face in chosen]
    return [
        CutFace(align_face(pixels, face, settings, image_settings), _at_full_size(face, picture))
        for face in settled
    ]


def _at_full_size(face: Face, picture: Decoded) -> Face:
    """A face in the picture as it was before it was shrunk while it was decoded."""
    height, width = picture.pixels.shape[:2]
    longer, shorter = sorted((picture.height, picture.width), reverse=True)
    x, y = (
        (longer / width, shorter / height) if width > height else (shorter / width, longer / height)
    )
    left, top, box_width, box_height = face.box
    return replace(
        face,
        box=(left * x, top * y, box_width * x, box_height * y),
        landmarks=tuple(((a + 0.5) * x - 0.5, (b + 0.5) * y - 0.5) for a, b in face.landmarks),
    )


def settle_landmarks(pixels: NDArray[np.uint8], face: Face, detector: Detector) -> Face:
    """A face with its landmarks found anew after it was turned upright, until nothing turns more.

    YuNet reads a tilted face too level, or does not see it at all. But it is surest of faces that
    are upright. So where it is in doubt the face is looked at in several turns, and
    the surest one is turned on by what is seen in it. After that it is looked at in a mirror as
    well: what YuNet reads too far to one side there is too far to the other here.

    Args:
        pixels: uint8 array of shape (height, width, 3), channels in the order R, G, B.
        face: in these pixels; without landmarks it is given back as it is.
        detector: that found it.
    """
    if not face.landmarks:
        return face
    best = _look(pixels, face, detector)
    if best is None or best.confidence < _SURE or abs(best.roll) > _NEARLY_LEVEL_DEGREES:
        looks = [_look(pixels, _turned(face, turn), detector) for turn in _TURNS]
        seen = [look for look in (best, *looks) if look is not None]
        best = max(seen, key=lambda look: look.confidence, default=None)
    for _ in range(_MAX_LOOKS):
        if best is None:
            break
        face = _turned(best.face, best.roll * (_GAIN - 1))
        if best.in_mirror and abs(best.roll) < _LEVEL_DEGREES:
            break
        best = _look(pixels, face, detector, in_mirror=True)
    return face


class _Look(NamedTuple):
    """What is seen of a face in a square cut around it."""

    face: Face  # with the landmarks that were found, in the picture
    confidence: float
    roll: float  # degrees by which the eyes are not level in the square
    in_mirror: bool


def _look(
    pixels: NDArray[np.uint8], face: Face, detector: Detector, *, in_mirror: bool = False
) -> _Look | None:
    """The face looked at after it was turned upright by its landmarks; None where it is lost."""
    matrix = alignment(face, _LOOK_SETTINGS, LOOK_SIDE)
    square = warp(pixels, matrix, LOOK_SIDE)
    found = detector.look(square)
    if found is None:
        return None
    points = found.landmarks
    mirrored = detector.look(np.ascontiguousarray(square[:, ::-1])) if in_mirror else None
    if mirrored is not None:
        points = _between(points, _unmirrored(mirrored.landmarks))
    (left_x, left_y), (right_x, right_y) = points[:2]
    return _Look(
        face=replace(face, landmarks=_moved_back(points, matrix)),
        confidence=found.confidence or 0.0,
        roll=math.degrees(math.atan2(right_y - left_y, right_x - left_x)),
        in_mirror=in_mirror,
    )


def _unmirrored(points: Sequence[Point]) -> tuple[Point, ...]:
    """Landmarks of a mirrored square, in the square: left and right change places."""
    left, right, nose, mouth_left, mouth_right = [(LOOK_SIDE - 1 - x, y) for x, y in points]
    return right, left, nose, mouth_right, mouth_left


def _between(first: Sequence[Point], second: Sequence[Point]) -> tuple[Point, ...]:
    return tuple(((a[0] + b[0]) / 2, (a[1] + b[1]) / 2) for a, b in zip(first, second, strict=True))


def _turned(face: Face, degrees: float) -> Face:
    """A face with its landmarks turned about their middle."""
    points = [complex(x, y) for x, y in face.landmarks]
    middle = sum(points) / len(points)
    turn = cmath.rect(1, math.radians(degrees))
    places = [middle + (point - middle) * turn for point in points]
    return replace(face, landmarks=tuple((place.real, place.imag) for place in places))


def _moved_back(points: Sequence[Point], matrix: NDArray[np.float64]) -> tuple[Point, ...]:
    """Places in the picture of points in the result of an alignment."""
    factor, shift = complex(matrix[0, 0], matrix[1, 0]), complex(matrix[0, 2], matrix[1, 2])
    places = [(complex(x, y) - shift) / factor for x, y in points]
    return tuple((place.real, place.imag) for place in places)

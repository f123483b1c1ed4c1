"""Finds faces in pixels: YuNet where there are weights, an LBP cascade where there are none."""

from __future__ import annotations

import importlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_data.errors import SettingsError

#: A place in a picture: x to the right, y down, in pixels; (0, 0) is the centre of the first one.
Point = tuple[float, float]

#: Height and width of what `Detector.look` takes.
LOOK_SIDE = 128
#: Pictures up to this size, in pixels, are taken to be faces already cut out.
TINY_SIDE = 128
_OVERLAP = 0.3  # of YuNet's own boxes: intersection over union of two that are one face
_SHARED = 0.5  # part of the smaller of two boxes that also lies in the other: they are one face
_STEPS = 16  # a pixel: places are rounded to them
_GRAY = (128, 128, 128)


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """A face that was found.

    Attributes:
        box: left, top, width and height, in pixels of the picture.
        landmarks: eye, eye, tip of the nose, corner of the mouth, corner of the mouth; of each
            pair first the one that is left in the picture. Empty where the method finds none.
        confidence: 0 to 1; None where the method gives none.
        method: "yunet" or "lbp".
    """

    box: tuple[float, float, float, float]
    landmarks: tuple[Point, ...] = ()
    confidence: float | None = None
    method: str = "yunet"

    @property
    def area(self) -> float:
        """Of the box, in square pixels."""
        return self.box[2] * self.box[3]


class _Level(NamedTuple):
    """One look at a picture: its longer side is brought to `side`, on a grey square `canvas`."""

    side: int
    canvas: int


# YuNet finds faces of about 10 to 300 pixels, and wants to see around them. One size of canvas a
# level: a network that is fed another size has to be laid out anew.
_TINY_LEVELS = (_Level(96, 128), _Level(240, 320))
_LEVELS = (_Level(256, 320), _Level(640, 704))


class Detector:
    """Finds faces; holds the network, so one is enough for a process.

    Args:
        weights: ONNX file of YuNet; None: scikit-image's LBP cascade, which finds fewer faces and
            no landmarks.
        min_confidence: faces of less are not faces, 0 to 1; the cascade gives none.

    Raises:
        SettingsError: the file holds no weights of YuNet.
    """

    def __init__(self, weights: Path | None = None, min_confidence: float = 0.6) -> None:
        self.method = "yunet" if weights is not None else "lbp"
        self._weights = weights
        self._min_confidence = min_confidence
        self._nets: dict[int, Any] = {}
        self._cascade: Any = None
        if weights is not None:
            self._net(_TINY_LEVELS[0].canvas)

    def detect(self, pixels: NDArray[np.uint8], *, every: bool = False) -> list[Face]:
        """The faces in a picture, the largest first.

        Args:
            pixels: uint8 array of shape (height, width, 3), channels in the order R, G, B.
            every: look for small ones beside large ones; otherwise the search ends where a face
                was found.
        """
        if self.method == "lbp":
            return _sorted_faces(_distinct(self._detect_lbp(pixels)))
        found: list[Face] = []
        for level in _levels(pixels):
            found += self._detect_yunet(pixels, level)
            if found and not every:
                break
        return _sorted_faces(_distinct(found))

    def detect_all(self, pixels: NDArray[np.uint8]) -> list[Face]:
        """The faces that `detect` gives without `every`, the same to the bit, and all others.

        Args:
            pixels: as for `detect`.
        """
        if self.method == "lbp":
            return self.detect(pixels)
        found: list[Face] = []
        for level in _levels(pixels):
            more = _distinct(self._detect_yunet(pixels, level))
            found += [face for face in more if _is_beside(face, found)]
        return _sorted_faces(found)

    def look(self, square: NDArray[np.uint8]) -> Face | None:
        """The face in the middle of a square that was cut around it; None where YuNet sees none.

        Args:
            square: uint8 array of shape (LOOK_SIDE, LOOK_SIDE, 3), channels in the order R, G, B.
        """
        if self.method == "lbp":
            return None
        middle = LOOK_SIDE / 2
        near = {
            math.hypot(
                face.box[0] + face.box[2] / 2 - middle, face.box[1] + face.box[3] / 2 - middle
            ): face
            for face in self._detect_yunet(square, _Level(LOOK_SIDE, LOOK_SIDE))
        }
        nearest = min(near, default=math.inf)
        return near[nearest] if nearest < LOOK_SIDE / 4 else None

    def _net(self, canvas: int) -> Any:
        if canvas not in self._nets:
            assert self._weights is not None
            self._nets[canvas] = open_yunet(self._weights, canvas, self._min_confidence, 1000)
        return self._nets[canvas]

    def _detect_yunet(self, pixels: NDArray[np.uint8], level: _Level) -> list[Face]:
        height, width = pixels.shape[:2]
        scale = level.side / max(height, width)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR_EXACT
        small = cv2.resize(pixels, size, interpolation=method)
        left, top = (level.canvas - size[0]) // 2, (level.canvas - size[1]) // 2
        right, bottom = level.canvas - size[0] - left, level.canvas - size[1] - top
        canvas = cv2.copyMakeBorder(
            small, top, bottom, left, right, cv2.BORDER_CONSTANT, value=_GRAY
        )
        rows = self._net(level.canvas).detect(cv2.cvtColor(canvas, cv2.COLOR_RGB2BGR))[1]
        factors = (width / size[0], height / size[1])
        return [_to_face(row, (left, top), factors) for row in (rows if rows is not None else ())]

    def _detect_lbp(self, pixels: NDArray[np.uint8]) -> list[Face]:
        if self._cascade is None:
            self._cascade = _load_cascade()
        height, width = pixels.shape[:2]
        side = 120 if max(height, width) <= TINY_SIDE else 320
        scale = side / max(height, width)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR_EXACT
        gray = cv2.cvtColor(cv2.resize(pixels, size, interpolation=method), cv2.COLOR_RGB2GRAY)
        margin = side // 8  # faces that fill the picture lack the surroundings it was taught with
        gray = cv2.copyMakeBorder(gray, margin, margin, margin, margin, cv2.BORDER_REPLICATE)
        smallest, largest = max(24, side // 8), min(gray.shape[:2])
        found = self._cascade.detect_multi_scale(
            img=gray,
            scale_factor=1.1,
            step_ratio=1,
            min_size=(smallest, smallest),
            max_size=(largest, largest),
        )
        return [
            Face(
                box=(
                    (box["c"] - margin) / scale,
                    (box["r"] - margin) / scale,
                    box["width"] / scale,
                    box["height"] / scale,
                ),
                method="lbp",
            )
            for box in found
        ]


def open_yunet(weights: Path, side: int, min_confidence: float, max_faces: int) -> Any:
    """The network, for squares of one side: OpenCV's `FaceDetectorYN`.

    Args:
        weights: ONNX file of YuNet.
        side: of the pictures it will see, in pixels.
        min_confidence: faces of less are not faces, 0 to 1.
        max_faces: the most it looks at, the surest first.

    Raises:
        SettingsError: the file holds no weights of YuNet.
    """
    try:
        net = cv2.FaceDetectorYN.create(
            str(weights), "", (side, side), min_confidence, _OVERLAP, max_faces
        )
        net.detect(np.zeros((side, side, 3), np.uint8))
    except cv2.error as error:
        reason = str(error.err).splitlines()[0] if error.err else "OpenCV refuses it"
        raise SettingsError(
            f"{weights}: not weights of YuNet ({reason}); "
            "expected a file such as yunet_n_640_640.onnx"
        ) from None
    return net


def _levels(pixels: NDArray[np.uint8]) -> tuple[_Level, ...]:
    return _TINY_LEVELS if max(pixels.shape[:2]) <= TINY_SIDE else _LEVELS


def _load_cascade() -> Any:
    # by name: scikit-image is large, only needed here, and only half typed
    skimage_data: Any = importlib.import_module("skimage.data")
    skimage_feature: Any = importlib.import_module("skimage.feature")
    return skimage_feature.Cascade(skimage_data.lbp_frontal_face_cascade_filename())


def _to_face(row: NDArray[np.float32], offset: tuple[int, int], factors: Point) -> Face:
    """The face of a row as YuNet gives it: box, five points, confidence; in the picture's pixels.

    Processors differ in the last digits of a network's result: they are rounded away.
    """
    values = (np.round(row.astype(np.float64) * _STEPS) / _STEPS).tolist()
    # The centre of pixel x is x + 0.5 from the edge, in the small picture as in the large one.
    points = [
        ((x - offset[0] + 0.5) * factors[0] - 0.5, (y - offset[1] + 0.5) * factors[1] - 0.5)
        for x, y in zip(values[4:14:2], values[5:14:2], strict=True)
    ]
    return Face(
        box=(
            (values[0] - offset[0]) * factors[0],
            (values[1] - offset[1]) * factors[1],
            values[2] * factors[0],
            values[3] * factors[1],
        ),
        landmarks=tuple(points),
        confidence=round(float(row[14]), 3),
    )


def _distinct(faces: Sequence[Face]) -> list[Face]:
    """The faces without those that lie in a surer or, where nothing says which, a larger one."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda face: (-(face.confidence or 0.0), -face.area, face.box)):
        if _is_beside(face, kept):
            kept.append(face)
    return kept


def _is_beside(face: Face, others: Sequence[Face]) -> bool:
    """Whether a face is none of the others."""
    return all(_shared(face, other) <= _SHARED for other in others)


def _shared(first: Face, second: Face) -> float:
    """Part of the smaller box that also lies in the other."""
    a, b = first.box, second.box
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    smaller = min(first.area, second.area)
    return max(0.0, width) * max(0.0, height) / smaller if smaller > 0 else 0.0


def _sorted_faces(faces: Sequence[Face]) -> list[Face]:
    return sorted(faces, key=lambda face: (-face.area, face.box))

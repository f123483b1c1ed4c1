"""How surely a picture shows an upright face that fills it, by a face detector."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_data.face_detector import open_yunet

#: Pictures are brought to this side. Of 48x48 pictures it is the smallest at which YuNet tells
#: faces from other things: at 64 it misses real ones, and larger sides are only slower.
SIDE = 96
#: A face whose box is this share of the picture's side, or more, counts in full.
FULL_SHARE = 2 / 3

_MIN_CONFIDENCE = 0.01  # what is less counts as nothing
_MAX_FACES = 50
_DECIMALS = 3  # processors differ in the last digits of a network's result


def face_scores(images: NDArray[np.uint8], weights: Path) -> NDArray[np.float64]:
    """The face score of each image: float64 (n,), 0 to 1.

    Of every face that YuNet sees, its confidence times how much of two thirds of the picture's side
    its box takes (at most 1); the largest of these. Data sets of cut-out faces hold one large face
    each: a small one in a larger scene, a face lying on its side, a hand, a sign all score low.
    Image by image, without a border around it: on FER2013 a border of grey, of the last pixel or
    of the mirrored picture told faces from other things no better.

    Args:
        images: uint8 array of shape (n, H, W, C), grey or RGB.
        weights: ONNX file of YuNet.

    Raises:
        SettingsError: the file holds no weights of YuNet.
    """
    # 5 ms; of its own, for it remembers sizes and is none for two threads
    net = open_yunet(weights, SIDE, _MIN_CONFIDENCE, _MAX_FACES)
    code = cv2.COLOR_GRAY2BGR if images.shape[-1] == 1 else cv2.COLOR_RGB2BGR
    is_smaller = max(images.shape[1:3]) < SIDE
    method = cv2.INTER_LINEAR_EXACT if is_smaller else cv2.INTER_AREA
    scores = np.zeros(len(images))
    for number, image in enumerate(images):
        square = cv2.resize(np.ascontiguousarray(image), (SIDE, SIDE), interpolation=method)
        faces = net.detect(cv2.cvtColor(square, code))[1]
        if faces is not None:
            scores[number] = _best_score(np.asarray(faces, dtype=np.float64))
    return scores


def _best_score(faces: NDArray[np.float64]) -> float:
    """Of the rows that YuNet gives: left, top, width, height, five points, confidence."""
    sides = np.sqrt(np.clip(faces[:, 2] * faces[:, 3], 0.0, None))
    sizes = np.minimum(sides / (SIDE * FULL_SHARE), 1.0)
    return round(float((faces[:, 14] * sizes).max()), _DECIMALS)

"""How a face is turned: yaw and roll, from the five points that the face detector gives.

After Gee and Cipolla, "Determining the gaze of faces in images", Image and Vision Computing 12
(1994): eyes and mouth lie in a plane that is seen from far away, the tip of the nose in front of
it. Where the head turns, the tip leaves the line between the middle of the eyes and that of the
mouth. Noses differ: a yaw is right to some degrees, and better for comparing than as a number.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fer_data.face_detector import Detector, Point
from fer_data.faces import settle_landmarks

#: How far the tip of a nose stands before the plane of eyes and mouth, as a part of the distance of
#: the pupils: about 40 of 63 mm.
NOSE_LENGTH = 0.63


def face_poses(images: NDArray[np.uint8], weights: Path) -> dict[str, NDArray[np.float64]]:
    """Yaw and roll of the largest face in each image, looked at until its points have settled.

    Args:
        images: uint8 array of shape (n, H, W, C), grey or RGB.
        weights: ONNX file of YuNet.

    Returns:
        `"yaw"` and `"roll"`, float64 arrays of shape (n,), in degrees: as `measure_pose` gives
        them; NaN where no face is seen.

    Raises:
        SettingsError: the file holds no weights of YuNet.
    """
    detector = Detector(weights)
    poses = np.full((len(images), 2), np.nan)
    for number, image in enumerate(images):
        pixels = np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image
        faces = detector.detect(pixels)
        if faces and faces[0].landmarks:
            poses[number] = measure_pose(settle_landmarks(pixels, faces[0], detector).landmarks)
    return {"yaw": poses[:, 0].round(1), "roll": poses[:, 1].round(1)}


def measure_pose(landmarks: Sequence[Point]) -> tuple[float, float]:
    """Yaw and roll in degrees.

    Args:
        landmarks: five points as `fer_data.face_detector.Face` has them.

    Returns:
        The yaw, -90 to 90, above 0 where the nose points to the right of the picture; and the roll,
        above 0 where the face is turned clockwise in the picture.

    Example:
        >>> measure_pose([(10, 10), (30, 10), (20, 20), (13, 30), (27, 30)])
        (0.0, 0.0)
    """
    left, right, nose, *mouth = (np.array(point, np.float64) for point in landmarks)
    across = right - left
    eyes, lips = (left + right) / 2, (mouth[0] + mouth[1]) / 2
    # along the line from the eyes to the mouth the nose may be anywhere
    down = lips - eyes
    share = float((nose - eyes) @ down) / max(float(down @ down), 1e-9)
    beside = nose - eyes - share * down
    distance = max(float(np.hypot(*across)), 1e-9)
    offset = float(beside @ across) / distance
    yaw = math.degrees(math.atan2(offset, NOSE_LENGTH * distance))
    roll = math.degrees(math.atan2(float(across[1]), float(across[0])))
    return yaw + 0.0, roll + 0.0

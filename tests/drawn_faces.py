"""Drawn faces whose eyes, nose and mouth are known, to measure alignment by."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from numpy.typing import NDArray

from fer_data.face_align import FaceSettings
from fer_data.face_detector import Face, Point
from fer_data.synth import SynthSettings, describe_face
from fer_data.synth.face import render
from fer_data.synth.geometry import make_geometry
from fer_data.synth.sketch import Pose

ROLLS = [-30, -20, -10, 0, 10, 20, 30]


def synthetic_face(
    index: int, roll: float = 0.0, image_size: int = 192
) -> tuple[NDArray[np.uint8], Face]:
    """A drawn face, held upright but for its roll, and where its eyes, nose and mouth are."""
    facts = describe_face(SynthSettings(), index)
    pose = Pose(roll=roll, scale=0.3)
    facts = dataclasses.replace(facts, pose=pose, occlusion="none")
    geometry = make_geometry(facts.identity, facts.action_units)
    turn = complex(math.cos(math.radians(roll)), math.sin(math.radians(roll)))

    def place(point: Point) -> Point:
        moved = complex(*point) * turn * pose.scale + complex(pose.x, pose.y)
        return moved.real * image_size - 0.5, moved.imag * image_size - 0.5

    eyes = [place(eye.center) for eye in geometry.eyes]
    mouth = [place(geometry.mouth.left), place(geometry.mouth.right)]
    landmarks = (eyes[0], eyes[1], place((0.0, geometry.nose_y)), mouth[0], mouth[1])
    side = 2 * pose.scale * image_size
    box = (image_size / 2 - side / 2, image_size / 2 - side / 2, side, side)
    return render(facts, image_size, 3), Face(box=box, landmarks=landmarks)


def moved(points: tuple[Point, ...], matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Places in the result of an alignment: float64 array of shape (num_points, 2)."""
    return np.array(points) @ matrix[:, :2].T + matrix[:, 2]


def eye_error(landmarks: tuple[Point, ...], settings: FaceSettings, size: int) -> float:
    """How far the eyes are from their places, in pixels of the result."""
    targets = settings.places(size)[:2]
    return max(math.dist(eye, target) for eye, target in zip(landmarks, targets, strict=False))

"""A generated video of two people, and a ledger of where they are and what they show when."""

from __future__ import annotations

import dataclasses
import functools
import math
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_data.synth import SynthSettings, describe_face
from fer_data.synth.action_units import full_expression
from fer_data.synth.face import render
from fer_data.synth.sketch import Pose

#: What each person shows, for `HELD_SECONDS` each, over and over.
SHOWN = (
    ("neutral", "happiness", "surprise", "anger", "sadness"),
    ("surprise", "anger", "neutral", "happiness", "disgust"),
)
HELD_SECONDS = 3.0
SIZE = (640, 360)  # width and height of the frames
_FACES = (12, 40)  # drawn faces whose identities they have
_SIDE, _SCALE = 300, 0.27  # of a drawn picture, and of a face unit (half a head) in it
_SHOWN_SIDES = (200, 230)  # of the drawn picture in the frame


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What is true of one person at one moment.

    Attributes:
        box: left, top, width and height of the face.
        emotion: that is shown.
    """

    box: tuple[float, float, float, float]
    emotion: str


def truth_at(time: float, size: tuple[int, int] = SIZE) -> tuple[Truth, Truth]:
    """The ledger: of both people, at any time of the video."""
    return _truth(0, time, size), _truth(1, time, size)


def _truth(person: int, time: float, size: tuple[int, int]) -> Truth:
    place = int(time / HELD_SECONDS + 1e-6)
    x, y, side = _where(person, time, size)
    unit = _SCALE * side
    return Truth(
        box=(x - 0.8 * unit, y - unit, 1.6 * unit, 2.2 * unit),
        emotion=SHOWN[person][place % len(SHOWN[person])],
    )


def _where(person: int, time: float, size: tuple[int, int]) -> tuple[float, float, float]:
    """The middle of a face, and the side of the drawn picture; they pass each other."""
    width, height = size
    swing = math.sin(2 * math.pi * time / 20 + math.pi * person)
    bob = math.sin(2 * math.pi * time / (7 + 2 * person))
    side = (_SHOWN_SIDES[person] + 12 * math.sin(time / 3)) * height / SIZE[1]
    y = (0.27 if person == 0 else 0.72) * height + 0.03 * height * bob
    return width / 2 + 0.33 * width * swing, y, side


@functools.lru_cache(maxsize=32)
def draw_person(face: int, emotion: str) -> NDArray[np.uint8]:
    """A drawn face that looks ahead: uint8 array of shape (300, 300, 3), RGB."""
    facts = describe_face(SynthSettings(), face)
    facts = dataclasses.replace(
        facts,
        emotion=emotion,
        action_units=full_expression(emotion, 0.95),
        pose=Pose(scale=_SCALE),
        occlusion="none",
        gaze=(0.0, 0.0),
    )
    return render(facts, _SIDE, 3)


def draw_frame(time: float, size: tuple[int, int] = SIZE) -> NDArray[np.uint8]:
    """The frame at a time: uint8 array of shape (height, width, 3), RGB."""
    width, height = size
    frame = _background(size).copy()
    for person, (face, truth) in enumerate(zip(_FACES, truth_at(time, size), strict=True)):
        x, y, side = _where(person, time, size)
        share = side / _SIDE
        matrix = np.array([[share, 0, x - side / 2], [0, share, y - side / 2]])
        drawn = cv2.warpAffine(draw_person(face, truth.emotion), matrix, (width, height))
        mask = cv2.warpAffine(_mask(), matrix, (width, height))[..., None]
        frame += ((drawn - frame) * mask).astype(np.float32)
    return np.clip(frame, 0, 255).astype(np.uint8)


def write_two_faces(
    path: Path, seconds: float, fps: float = 25.0, size: tuple[int, int] = SIZE
) -> Path:
    """Writes the video as MP4; frame n is that of the time n / fps."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), fps, size)
    assert writer.isOpened()
    for number in range(round(seconds * fps)):
        writer.write(cv2.cvtColor(draw_frame(number / fps, size), cv2.COLOR_RGB2BGR))
    writer.release()
    return path


@functools.lru_cache(maxsize=4)
def _background(size: tuple[int, int]) -> NDArray[np.float32]:
    """Soft patches of grey-blue."""
    coarse = np.random.default_rng(5).normal((150, 160, 172), 14, (5, 8, 3)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC), np.float32)


@functools.lru_cache(maxsize=1)
def _mask() -> NDArray[np.float32]:
    """1 around the head, 0 at the edges of the drawn picture."""
    places = (np.arange(_SIDE) + 0.5) / _SIDE * 2 - 1
    away = np.hypot(places[None, :] * 1.1, places[:, None])
    return np.clip((0.97 - away) / 0.12, 0, 1).astype(np.float32)

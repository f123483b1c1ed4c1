"""The moments of a video -> a copy of it with boxes and labels, frame by frame."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fer_data.files import writing_path
from fer_models.annotated_files import enlarged
from fer_models.errors import VideoError
from fer_models.face_drawing import draw_faces
from fer_models.predict import FacePrediction
from fer_models.video import EVERY_FRAME, Frame, Moment, read_facts, read_frames

#: Called with one moment of a video after another.
TakeMoment = Callable[[Moment], None]
_CODEC = "mp4v"  # which every build of OpenCV has
_open_writer = cv2.VideoWriter


@contextlib.contextmanager
def annotating_video(video: Path, copy: Path, class_names: Sequence[str]) -> Iterator[TakeMoment]:
    """Takes the moments of a video into a copy, which is there when all are in it.

    The video is read once more, as far as it is written: few frames are held. Every frame is
    written; between two moments the boxes move from one to the other, and the labels stay.

    Args:
        video: that the moments are of.
        copy: path of the copy, which ends with .mp4; it has no sound.
        class_names: in the order of the bundle.

    Raises:
        OSError: the copy cannot be written, or not to its end. After this and any other error
            nothing stands at `copy` that did not stand there before.
    """
    with writing_path(copy) as beside:
        drawing = _Drawing(read_frames(video, EVERY_FRAME), class_names)
        drawing.open(beside, read_facts(video).fps)
        try:
            yield drawing.take
            drawing.finish()
        finally:
            drawing.close()
        _check_whole(beside, drawing.num_frames)


class _Drawing:
    def __init__(self, frames: Iterator[Frame], class_names: Sequence[str]) -> None:
        self._frames = frames
        self._class_names = class_names
        self._frame: Frame | None = next(frames)
        self._last = Moment(frame=0, time=0.0)
        self._writer: Any = None
        self.num_frames = 0

    def open(self, path: Path, fps: float) -> None:
        assert self._frame is not None
        height, width = enlarged(self._frame.pixels, ())[0].shape[:2]
        codec = cv2.VideoWriter.fourcc(*_CODEC)
        self._writer = _open_writer(str(path), cv2.CAP_FFMPEG, codec, fps, (width, height))
        if not self._writer.isOpened():
            raise OSError(errno.EIO, "no video can be written here", str(path))

    def take(self, moment: Moment) -> None:
        """Writes the frames before the moment."""
        while self._frame is not None and self._frame.number < moment.frame:
            share = (self._frame.number - self._last.frame) / (moment.frame - self._last.frame)
            self._write(_between(self._last, moment, share))
        self._last = moment

    def finish(self) -> None:
        """Writes the frames after the last moment."""
        while self._frame is not None:
            self._write(self._last.faces)

    def close(self) -> None:
        """Ends the file."""
        self._writer.release()
        del self._frames

    def _write(self, faces: Sequence[FacePrediction]) -> None:
        assert self._frame is not None
        pixels, moved = enlarged(np.ascontiguousarray(self._frame.pixels), faces)
        if faces:
            pixels = draw_faces(pixels, moved, self._class_names, self._last.people)
        self._writer.write(cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
        self.num_frames += 1
        self._frame = next(self._frames, None)


def _between(last: Moment, following: Moment, share: float) -> list[FacePrediction]:
    """The faces of the last moment, on their way to where they are in the following one."""
    ends = {
        person: face.box for person, face in zip(following.people, following.faces, strict=True)
    }
    moved = []
    for person, face in zip(last.people, last.faces, strict=True):
        end = ends.get(person)
        if face.box is not None and end is not None:
            left, top, width, height = (
                a + (b - a) * share for a, b in zip(face.box, end, strict=True)
            )
            face = replace(face, box=(left, top, width, height))  # noqa: PLW2901
        moved.append(face)
    return moved


def _check_whole(path: Path, num_frames: int) -> None:
    """A full disk is not told while frames are written."""
    try:
        num_found = read_facts(path).num_frames
    except VideoError:
        num_found = 0
    if num_found < num_frames:
        raise OSError(errno.ENOSPC, f"{num_found:,} of {num_frames:,} frames written", str(path))

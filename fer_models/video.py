"""Videos: what is seen on the faces in them, moment by moment, in constant memory."""

from __future__ import annotations

import itertools
import logging
import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_data.errors import SettingsError
from fer_data.picture_header import MAX_PIXELS
from fer_models.errors import VideoError
from fer_models.picture_faces import SampleCutter
from fer_models.predict import FacePrediction, OnProgress, Predictor
from fer_models.tracks import Tracker

# A file is opened by what it is, not by its name; nothing that may name further files is opened.
_SIGNATURES = {
    4: (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"),  # MP4, QuickTime, 3GP
    8: (b"AVI ",),
    0: (
        b"\x1aE\xdf\xa3",  # WebM, Matroska
        b"OggS",
        b"FLV\x01",
        b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",  # ASF, WMV
        b"\x00\x00\x01\xba",  # MPEG program stream
        b"\x00\x00\x01\xb3",
        b"G@",  # MPEG transport stream
    ),
}
_PICTURE_BRANDS = (b"avif", b"avis", b"heic", b"heix", b"mif1", b"msf1")  # in the box of an MP4
_KINDS = "MP4, MOV, WebM, MKV, AVI, OGG, FLV, WMV or MPEG"
_USUAL_FPS = 25.0  # where the file does not say
#: So many looks per second that every frame is looked at.
EVERY_FRAME = 10_000.0
_BATCH_SIZE = 16
_GUESSED = 0.1  # of the frames that a file says it has: by how much it may be wrong

_log = logging.getLogger(__name__)
# what FFmpeg says of a damaged file is told by its error; read when the first video is opened
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoFacts:
    """What a video file says of itself.

    Attributes:
        width: of a frame as it is shown, in pixels.
        height: likewise.
        fps: frames a second.
        num_frames: about how many; 0 where it does not say.
    """

    width: int
    height: int
    fps: float
    num_frames: int

    @property
    def seconds(self) -> float:
        """How long it is, about; 0 where it does not say."""
        return self.num_frames / self.fps

    def num_looks(self, looks_per_second: float) -> int:
        """How often it is looked at, about; 0 where it does not say how long it is."""
        return min(self.num_frames, math.ceil(self.seconds * looks_per_second))


class Frame(NamedTuple):
    """A frame that is looked at.

    Attributes:
        number: of the frame, from 0 on.
        time: when it is shown, in seconds.
        pixels: uint8 array of shape (height, width, 3), upright, channels in the order R, G, B.
    """

    number: int
    time: float
    pixels: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What is seen at one moment of a video.

    Attributes:
        frame: number of the frame, from 0 on.
        time: when it is shown, in seconds.
        faces: the largest first.
        people: of each face the number of its person, from 1 on, the same from moment to moment.
    """

    frame: int
    time: float
    faces: tuple[FacePrediction, ...] = ()
    people: tuple[int, ...] = ()


def read_facts(path: Path) -> VideoFacts:
    """What a video file says of itself.

    Raises:
        VideoError: it is no video, or damaged.
        OSError: it cannot be read.
    """
    capture = _open(path)
    facts = _facts_of(capture)
    capture.release()
    return facts


def read_frames(path: Path, looks_per_second: float = 5.0) -> Iterator[Frame]:
    """The frames of a video at the moments that are looked at; the first always is.

    Args:
        path: of the file.
        looks_per_second: how often to look, above 0; more than the video has frames: all of them.

    Raises:
        VideoError: it is no video, or damaged before its first frame.
        SettingsError: `looks_per_second` is not above 0.
        OSError: it cannot be read.
    """
    check_looks(looks_per_second)
    capture = _open(path)
    facts = _facts_of(capture)
    fps = facts.fps
    try:
        num_looks = 0
        for number in itertools.count():
            if not capture.grab():
                break
            time = number / fps
            if time + 0.5 / fps < num_looks / looks_per_second:
                continue
            is_good, pixels = capture.retrieve()
            if not is_good:
                continue
            num_looks = int((time + 0.5 / fps) * looks_per_second) + 1
            yield Frame(number, time, np.asarray(pixels[..., ::-1], dtype=np.uint8))
        if not num_looks:
            raise VideoError(f"{path}: not one frame can be read; the video is damaged")
        if number < (1 - _GUESSED) * facts.num_frames:
            _log.warning(
                "%s: %d of about %d frames can be read; the video is cut off or damaged",
                path,
                number,
                facts.num_frames,
            )
    finally:
        capture.release()


def read_frame(path: Path, number: int) -> bytes:
    """One frame of a video, as a picture file.

    Raises:
        VideoError: it has none of this number.
    """
    for frame in read_frames(path, EVERY_FRAME):
        if frame.number == number:
            return bytes(cv2.imencode(".bmp", frame.pixels[..., ::-1])[1])
    raise VideoError(f"{path}: has no frame {number}")


def check_looks(looks_per_second: float) -> None:
    """Refuses a rate at which nothing can be looked at.

    Raises:
        SettingsError: it is not above 0.
    """
    if not 0 < looks_per_second < math.inf:
        raise SettingsError(f"looks per second must be above 0; received {looks_per_second}")


def predict_video(
    predictor: Predictor,
    cutter: SampleCutter,
    frames: Iterable[Frame],
    on_progress: OnProgress | None = None,
) -> Iterator[Moment]:
    """What is seen on the faces of a video, as it is read.

    Args:
        predictor: that is asked.
        cutter: of the faces, as `predictor.cutter` gives it.
        frames: as `read_frames` gives them; one is held at a time, and the faces of a few.
        on_progress: told how many moments are done, and 0 as nobody knows how many there are.
    """
    tracker = Tracker()
    num_done = 0
    looks = ((frame.number, frame.time, cutter.cut_pixels([frame.pixels])[0]) for frame in frames)
    while batch := list(itertools.islice(looks, _BATCH_SIZE)):
        seen = predictor.predict_samples([samples for *_, samples in batch])
        for (number, time, _), picture in zip(batch, seen, strict=True):
            people = tracker.follow(time, [face.box for face in picture.faces])
            yield Moment(frame=number, time=time, faces=picture.faces, people=tuple(people))
        num_done += len(batch)
        if on_progress is not None:
            on_progress(num_done, 0)


def is_video(head: bytes) -> bool:
    r"""Whether a file that begins with these bytes, 16 at least, is a video that can be read.

    Example:
        >>> is_video(b"\x00\x00\x00\x20ftypisom\x00\x00"), is_video(b"#EXTM3U file:///face")
        (True, False)
    """
    if head.startswith(b"ftyp", 4) and head.startswith(_PICTURE_BRANDS, 8):
        return False
    return any(head.startswith(signs, at) for at, signs in _SIGNATURES.items())


def _open(path: Path) -> cv2.VideoCapture:
    with path.open("rb") as file:
        head = file.read(16)
    if not is_video(head):
        what = "is empty" if not head else "is no video"
        raise VideoError(f"{path}: {what}; expected {_KINDS}")
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    if not capture.isOpened():
        raise VideoError(f"{path}: the video is damaged, or in a format that is not known here")
    facts = _facts_of(capture)
    if facts.width * facts.height > MAX_PIXELS:
        size = f"{facts.width}x{facts.height}"
        expected = f"expected {MAX_PIXELS:,} at most"
        raise VideoError(f"{path}: frames of {size} pixels; {expected}", "too-large")
    return capture


def _facts_of(capture: cv2.VideoCapture) -> VideoFacts:
    fps = capture.get(cv2.CAP_PROP_FPS)
    return VideoFacts(
        width=int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)),
        height=int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)),
        fps=fps if 0 < fps < 1000 else _USUAL_FPS,
        num_frames=max(0, int(capture.get(cv2.CAP_PROP_FRAME_COUNT))),
    )

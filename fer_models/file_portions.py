"""Files -> pictures read in portions that fit any memory, and videos where they stand."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import NamedTuple

from fer_data.errors import ImageError
from fer_models.picture_files import PictureFile
from fer_models.video import is_video

_PORTION_FILES, _PORTION_BYTES = 256, 2**25
#: A picture and its bytes, or why it cannot be read.
ReadPicture = tuple[PictureFile, bytes | ImageError]


class VideoFile(NamedTuple):
    """A video among the files.

    Attributes:
        file: the file.
        data: its bytes, of a member of an archive; None: it is read where it stands.
    """

    file: PictureFile
    data: bytes | None = None

    @contextlib.contextmanager
    def on_disk(self) -> Iterator[Path]:
        """Where it can be opened by name."""
        if self.data is None:
            yield self.file.path
            return
        with NamedTemporaryFile(prefix="ferkit-video-") as copy:
            copy.write(self.data)
            copy.flush()
            yield Path(copy.name)


def read_portions(files: Iterable[PictureFile]) -> Iterator[list[ReadPicture] | VideoFile]:
    """The files in order: one video, or at most 256 pictures and little more than 32 MB."""
    portion: list[ReadPicture] = []
    num_bytes = 0
    for file in files:
        data = _read(file)
        if isinstance(data, VideoFile):
            if portion:
                yield portion
            yield data
            portion, num_bytes = [], 0
            continue
        portion.append((file, data))
        num_bytes += 0 if isinstance(data, ImageError) else len(data)
        if len(portion) >= _PORTION_FILES or num_bytes >= _PORTION_BYTES:
            yield portion
            portion, num_bytes = [], 0
    if portion:
        yield portion


def _read(file: PictureFile) -> bytes | ImageError | VideoFile:
    if is_video(file.read_head()):
        return VideoFile(file)
    try:
        data = file.read()
    except ImageError as error:
        return error.alone()
    return VideoFile(file, data) if is_video(data[:16]) else data

"""What every source gives: blocks of work, each a stream of raw samples and rejections."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

#: Why a file cannot become a sample, beside what `fer_data.image.REASONS` says of its picture.
REASONS = (
    "hidden",  # a file of the system, not of the data set
    "unreadable",  # the system refuses to read it, or the link to it is broken
    "not-a-file",  # a pipe, a socket, a device
    "link-loop",  # a link to a folder that is read already
    "no-class",  # nothing says which class it belongs to
    "unknown-class",  # its class is not one of the data set's
    "duplicate-name",  # an archive holds a later file of the same name
    "too-large",  # more bytes than a picture of a face has
    "support-file",  # a label file, or another that belongs to the set and is no picture
    "other-form",  # another form of a picture that is read
    "missing-file",  # the label file names it, and it is not there
    "outside-source",  # the label file names a place outside the source
    "unlabelled",  # the label file does not name it, or gives it no label
    "bad-label",  # its label cannot be read
    "bad-box",  # the place of its face cannot be
    "conflicting-labels",  # the label file names it twice, with different labels
    "unlabelled-sequence",  # a sequence that its authors gave no label
    "not-peak",  # a frame on the way from neutral to the peak
    "no-emotion",  # its authors saw no emotion in it
    "uncertain",  # its authors could not tell
    "not-a-face",  # its authors saw no face in it
    "no-majority",  # those who were asked did not agree
    "no-votes",  # nobody was asked
    "dropped-class",  # the mapping of classes drops its class
    "excluded",  # not among the files that were asked for
    "over-limit",  # beyond the number of files that was asked for
)
#: Rejections for these reasons are counted but hold nothing up: no one meant them as samples.
HARMLESS_REASONS = frozenset(
    {
        "hidden", "support-file", "other-form", "unlabelled-sequence", "not-peak", "no-emotion",
        "uncertain", "not-a-face", "no-majority", "dropped-class", "excluded", "over-limit",
    }
)  # fmt: skip
#: Files beyond this size are no pictures of faces, and are not read.
MAX_FILE_BYTES = 128 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is true of one sample beside its pixels.

    Attributes:
        label: class name.
        split: train, validation, test, or None where the source has none.
        attributes: subject, age, published scores …
        votes: class name → how many people chose it, where people were asked.
        box: left, top, right, bottom of the face in the picture, in pixels; None: all of it.
    """

    label: str
    split: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    votes: Mapping[str, float] | None = None
    box: tuple[int, int, int, int] | None = None


class RawSample(NamedTuple):
    """One sample as its source has it: `data` of a picture file, or `pixels` already.

    Attributes:
        path: in the source, with "/" between folders.
        facts: its label and whatever else is known.
        data: the picture file's bytes, or what `pixels` were read from.
        pixels: uint8 array of shape (height, width), where the source holds no picture files.
    """

    path: str
    facts: Facts
    data: bytes
    pixels: NDArray[np.uint8] | None = None


class Rejection(NamedTuple):
    """One file that does not become a sample, and why."""

    path: str
    reason: str
    detail: str


def sample_path(path: str, number: int) -> str:
    """The path of one of several samples of a file; the first has the path of the file.

    Example:
        >>> sample_path("a.jpg", 0), sample_path("a.jpg", 1)
        ('a.jpg', 'a.jpg#face-2')
    """
    return path if number == 0 else f"{path}#face-{number + 1}"


class SourceBlock(Protocol):
    """Some files of a source: one unit of work, picklable.

    Attributes:
        fingerprint: changes when the files do.
        num_files: what `read` will yield.
    """

    @property
    def fingerprint(self) -> str: ...  # noqa: D102

    @property
    def num_files(self) -> int: ...  # noqa: D102

    def read(self) -> Iterator[RawSample | Rejection]:
        """Each file, as a sample or a rejection, in order."""


class Source(Protocol):
    """A raw source that has been understood."""

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def kind(self) -> str: ...  # noqa: D102

    @property
    def manifest_name(self) -> str: ...  # noqa: D102

    @property
    def class_names(self) -> tuple[str, ...]:
        """Classes the manifest lists; empty where the files decide."""

    @property
    def num_files(self) -> int:
        """Files, rows or faces of the source: what all its blocks will yield."""

    @property
    def has_boxes(self) -> bool:
        """Whether it says where the face is in any picture."""

    def describe(self) -> tuple[str, ...]:
        """What it is understood to be, in lines for people."""

    def blocks(self, num_files: int) -> Sequence[SourceBlock]:
        """The whole source, `num_files` files a block."""

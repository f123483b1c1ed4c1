"""One file of a folder or an archive, as it is listed before any is read."""

from __future__ import annotations

from typing import NamedTuple

from fer_data.sources.raw import Rejection

#: How pictures are called.
PICTURE_SUFFIXES = (
    ".png", ".jpg", ".jpeg", ".jpe", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm",
)  # fmt: skip


class Entry(NamedTuple):
    """One file of a source.

    Attributes:
        path: in the source, with "/" between folders, always valid Unicode.
        place: what the reader opens: a path, a member's number, or a byte offset.
        size: in bytes; of a file in a folder -1: it is asked when it is needed.
        stamp: changes when the file does: a checksum or a time; as for `size`.
        reason: why it is not read, where the listing tells: one of
            `fer_data.sources.raw.REASONS`; "": it is read.
        detail: the same for people.
    """

    path: str
    place: str
    size: int = -1
    stamp: int = -1
    reason: str = ""
    detail: str = ""

    @property
    def rejection(self) -> Rejection | None:
        """Why it is not read, if it is not."""
        if not self.reason:
            return None
        return Rejection(path=self.path, reason=self.reason, detail=self.detail)


def readable_text(text: str) -> str:
    r"""Text as valid Unicode: bytes of a name or a cell that are not UTF-8 are written as \\xNN."""
    if text.isascii():
        return text
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")

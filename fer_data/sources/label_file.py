"""Label files: rows of cells from CSV or lists, in any encoding, of any line ends, bounded."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from typing import IO, TYPE_CHECKING

from fer_data.errors import SourceError
from fer_data.sources.archive import DAMAGED
from fer_data.sources.listing import readable_text

if TYPE_CHECKING:
    from typing_extensions import Buffer

_MAX_LINE = 2**17
_DRIVE = re.compile("[A-Za-z]:")


def read_rows(
    file: IO[bytes], where: str, delimiter: str = ",", num_columns: int = 0
) -> Iterator[tuple[int, list[str]]]:
    """Yields (number of the row, from 0, its cells); empty lines are no rows.

    Args:
        file: of text in UTF-8 or UTF-16; bytes that are neither are kept as surrogates.
        where: what the file is called in messages.
        delimiter: between two cells; " " is any white space.
        num_columns: of a list with blanks between, whose first cell may hold blanks itself.

    Raises:
        SourceError: it is no text file of lines, or breaks off.
    """
    try:
        head = file.read(2)
        encoding = "utf-16" if head in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
        whole = io.BufferedReader(_Rest(head, file))
        text = io.TextIOWrapper(whole, encoding, errors="surrogateescape", newline="")
        lines = _lines(text, where)
        parts: Iterable[list[str]] = (
            (_split_line(line, num_columns) for line in lines)
            if delimiter == " "
            else csv.reader(lines, delimiter=delimiter)
        )
        yield from enumerate(cells for cells in parts if cells)
    except csv.Error as error:
        raise SourceError(f"{where}: is no table of lines ({error})") from None
    except DAMAGED as error:
        raise SourceError(f"{where}: cannot be read ({error})") from None


class _Rest(io.RawIOBase):
    """A stream with the bytes that were read from its beginning put back."""

    def __init__(self, head: bytes, file: IO[bytes]) -> None:
        self._head = head
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        view = memoryview(buffer).cast("B")
        data = self._head or self._file.read(len(view))
        self._head = b""
        view[: len(data)] = data
        return len(data)


def _lines(text: IO[str], where: str) -> Iterator[str]:
    while line := text.readline(_MAX_LINE):
        if len(line) >= _MAX_LINE:
            raise SourceError(
                f"{where}: has a line of more than {_MAX_LINE:,} characters; expected a label file"
            )
        yield line


def _split_line(line: str, num_columns: int) -> list[str]:
    return line.rsplit(None, num_columns - 1) if num_columns else line.split()


def picture_path(word: str) -> str | None:
    r"""The path that a label file names, or None where it leads out of the source.

    Example:
        >>> picture_path("./anger\\1.png"), picture_path("../1.png"), picture_path("/etc/passwd")
        ('anger/1.png', None, None)
    """
    path = word.strip().replace("\\", "/")
    parts = path.split("/")
    if path.startswith("/") or ".." in parts or _DRIVE.match(path) or "\0" in path:
        return None
    return readable_text("/".join(part for part in parts if part not in ("", ".")))

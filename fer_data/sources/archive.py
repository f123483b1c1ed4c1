"""ZIP and tar archives: listed once, members read where they stand, nothing ever unpacked."""

from __future__ import annotations

import contextlib
import functools
import io
import lzma
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

from fer_data.errors import SourceError
from fer_data.sources.listing import Entry, readable_text

if TYPE_CHECKING:
    from typing_extensions import Buffer

#: What reading a damaged archive or one of its members raises; also where a password is needed.
DAMAGED = (
    OSError, EOFError, RuntimeError, UnicodeError, lzma.LZMAError, struct.error, tarfile.TarError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip
_MAX_TAR_GROWTH = 200  # a compressed tar that grows by more is a bomb, not a data set


def list_zip(archive: Path) -> Iterator[Entry]:
    """Every member of a ZIP archive.

    Raises:
        SourceError: the archive is damaged.
    """
    _open_zip.cache_clear()  # another archive may stand in its place by now
    try:
        members = _open_zip(str(archive)).infolist()
    except DAMAGED as error:
        raise SourceError(f"{archive}: not a readable ZIP archive ({error})") from None
    for number, member in enumerate(members):
        path = readable_text(member.filename)
        if not path.endswith("/"):  # `is_dir` fails where there is no name
            why = () if path else ("not-a-file", "a member without a name")
            yield Entry(path, str(number), member.file_size, member.CRC, *why)


def read_zip_member(archive: str, entry: Entry) -> bytes:
    """The bytes of one member.

    Raises:
        OSError: it cannot be read, or is not what the archive says.
    """
    try:
        opened = _open_zip(archive)
        return opened.read(opened.infolist()[int(entry.place)])
    except DAMAGED as error:
        raise OSError(f"archive member: {error}") from None


def open_zip_member(archive: str, entry: Entry) -> IO[bytes]:
    """One member, to be read from its beginning.

    Raises:
        OSError: it cannot be opened.
    """
    try:
        opened = _open_zip(archive)
        return opened.open(opened.infolist()[int(entry.place)])
    except DAMAGED as error:
        raise OSError(f"archive member: {error}") from None


@functools.lru_cache(maxsize=1)
def _open_zip(archive: str) -> zipfile.ZipFile:
    """The open archive; a worker reads many blocks of one, and its directory is long."""
    return zipfile.ZipFile(archive)


def is_tar(path: Path) -> bool:
    """Whether a file is a tar archive, compressed or not.

    Raises:
        SourceError: it looks like a compressed one, and ends too soon.
    """
    if not path.stat().st_size:  # a tar archive of nothing to `tarfile`
        return False
    try:
        return tarfile.is_tarfile(path)
    except DAMAGED as error:
        raise SourceError(f"{path}: not a readable tar archive ({error})") from None


def list_tar(archive: Path) -> Iterator[Entry]:
    """Every member of an uncompressed tar archive.

    Raises:
        SourceError: the archive is damaged.
    """
    try:
        with tarfile.open(archive, "r:") as opened:
            for member in opened:
                if member.isdir():
                    continue
                plain = member.isreg() and not member.issparse()
                yield Entry(
                    readable_text(member.name.removeprefix("./")),
                    str(member.offset_data),
                    member.size,
                    int(member.mtime),
                    *(() if plain else ("not-a-file", "a link or device")),
                )
    except DAMAGED as error:
        raise SourceError(f"{archive}: not a readable tar archive ({error})") from None


def read_tar_member(archive: str, entry: Entry) -> bytes:
    """The bytes of one member.

    Raises:
        OSError: the archive ends before the member does.
    """
    with Path(archive).open("rb") as file:
        file.seek(int(entry.place))
        data = file.read(entry.size)
    if len(data) != entry.size:
        raise OSError(f"the archive ends after {len(data)} of {entry.size} bytes")
    return data


def open_tar_member(archive: str, entry: Entry) -> IO[bytes]:
    """One member, to be read from its beginning.

    Raises:
        OSError: it cannot be opened.
    """
    return io.BufferedReader(_Part(archive, int(entry.place), entry.size))


class _Part(io.FileIO):
    """Some bytes of a file, as a file."""

    def __init__(self, path: str, start: int, size: int) -> None:
        super().__init__(path)
        self.seek(start)
        self._num_left = size

    def readinto(self, buffer: Buffer, /) -> int:
        view = memoryview(buffer).cast("B")[: self._num_left]
        num_read = super().readinto(view) or 0
        self._num_left -= num_read
        return num_read


@contextlib.contextmanager
def plain_tar(archive: Path) -> Iterator[Path]:
    """The archive itself, or, where it is compressed, a plain copy for as long as it is needed.

    Raises:
        SourceError: it cannot be decompressed, or grows beyond all reason.
    """
    try:
        with tarfile.open(archive, "r:"):
            pass
    except tarfile.TarError:
        with tempfile.NamedTemporaryFile(prefix="ferkit-", suffix=".tar") as copy:
            _decompress(archive, copy)
            yield Path(copy.name)
    else:
        yield archive


def _decompress(archive: Path, copy: IO[bytes]) -> None:
    limit = max(archive.stat().st_size * _MAX_TAR_GROWTH, 2**20)
    try:
        with tarfile.open(archive, "r:*") as compressed:
            stream = compressed.fileobj
            assert stream is not None
            stream.seek(0)
            while chunk := stream.read(2**20):
                copy.write(chunk)
                if copy.tell() > limit:
                    raise SourceError(
                        f"{archive}: grows to more than {_MAX_TAR_GROWTH} times its size; "
                        "expected an archive of pictures"
                    )
    except DAMAGED as error:
        if isinstance(error, OSError) and error.errno:  # no room for the copy
            raise
        raise SourceError(f"{archive}: not a readable tar archive ({error})") from None
    copy.flush()

"""One writer at a time: a folder that one command writes to, and others leave alone meanwhile."""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import socket
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from fer_data.errors import InUseError

if sys.platform != "win32":
    import fcntl

LOCK_NAME = ".lock"
_LOGGER = logging.getLogger(__name__)
#: What a folder answers that cannot be written, by this command or another.
_NOT_WRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS)


@contextlib.contextmanager
def holding(folder: Path, command: str, *, make: bool = False) -> Iterator[None]:
    """Keeps others that ask for the same folder out of it.

    It is a lock of the system on a hidden file that names its owner. The system takes it back when
    the process ends, killed or not, so none is ever left over; the file goes with it, or is taken
    by the next one. Where nothing can be written there is nothing to keep, and where the system
    knows no locks a warning is all there is. The same process may hold a folder once.

    Args:
        folder: that is written to.
        command: what the owner is called, as in "ferdata pack".
        make: make the folder where it is not there; it goes again where nothing came into it.

    Raises:
        InUseError: another one is at work there.
        OSError: the disk is full.
    """
    made = _make(folder) if make else []
    try:
        file = _take(folder / LOCK_NAME, command)
    except OSError as error:
        if error.errno not in _NOT_WRITABLE:
            raise
        file = None
    try:
        yield
    finally:
        if file is not None:
            try:
                with contextlib.suppress(OSError):
                    (folder / LOCK_NAME).unlink()
            finally:
                os.close(file)
        with contextlib.suppress(OSError):  # something is in it
            for empty in made:
                empty.rmdir()


def _make(folder: Path) -> list[Path]:
    """The folders that were made, the innermost first."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    with contextlib.suppress(OSError):  # the command says better what is wrong there
        folder.mkdir(parents=True, exist_ok=True)
        return missing
    return []


def _take(path: Path, command: str) -> int | None:
    """The open and locked file; None where the system knows no locks."""
    if sys.platform == "win32":  # which keeps files that are open from being replaced
        return None
    while True:
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except (FileNotFoundError, NotADirectoryError):  # no folder: the command will say so
            return None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_same(file, path):  # or the one before took it away when it ended
                _sign(file, command)
                return file
        except BlockingIOError:
            owner = _owner(file)
            os.close(file)
            raise InUseError(
                f"{path.parent}: {owner} is at work there; wait until it has ended"
            ) from None
        except OSError as error:
            os.close(file)
            if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
                error.filename = str(path)  # a full disk names no file by itself
                raise
            _LOGGER.warning(
                "%s: this file system knows no locks; let one command at a time work there",
                path.parent,
            )
            path.unlink(missing_ok=True)
            return None
        os.close(file)


def _is_same(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False


def _sign(file: int, command: str) -> None:
    owner = {
        "command": command,
        "process": os.getpid(),
        "host": socket.gethostname(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    os.ftruncate(file, 0)
    os.pwrite(file, f"{json.dumps(owner)}\n".encode(), 0)


def _owner(file: int) -> str:
    """Who holds it, as far as it has said so."""
    try:
        owner = json.loads(os.pread(file, 4096, 0))
        name, process, host = owner["command"], owner["process"], owner["host"]
        return f"`{name}` (process {process} on {host}, since {owner['since']})"
    except (OSError, ValueError, KeyError, TypeError):
        return "another command"

"""Goes wrong on purpose: Python reads this as it starts where its folder is on PYTHONPATH.

FERKIT_FAULT is JSON: `what` goes wrong, at the how many-th (`at`) change below the folder `root`
this process makes (a file opened to be written, renamed, removed; a folder made or removed) and,
where `stays` is true, at all that follow; `who`: "main", "worker" (a process that another one
started to share its work) or "any".
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

_CHANGES = {"os.rename": 1, "os.remove": 0, "os.mkdir": 0, "os.rmdir": 0}  # event: which argument
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def install(fault: dict[str, Any]) -> None:
    """Hooks into what this process does to its disk."""
    is_worker = any("spawn_main" in word for word in sys.orig_argv)
    if fault["who"] != "any" and is_worker != (fault["who"] == "worker"):
        return
    num_changes = 0

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal num_changes
        path = _changed(event, arguments)
        if path is None or not path.is_relative_to(fault["root"]):
            return
        num_changes += 1
        if num_changes == fault["at"] or (fault["stays"] and num_changes > fault["at"]):
            go_wrong(path)

    chance = Random(fault["seed"])

    def go_wrong(path: Path) -> None:
        match fault["what"]:
            case "error":
                raise OSError(fault["errno"], os.strerror(fault["errno"]), str(path))
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "interrupt":
                signal.signal(signal.SIGINT, signal.default_int_handler)
                os.kill(os.getpid(), signal.SIGINT)
            case "wait":
                time.sleep(chance.uniform(0, fault["seconds"]))
            case "source":
                _change(Path(fault["source"]), fault["bytes"])

    sys.addaudithook(_watch_order(Path(fault["found"])) if fault["what"] == "order" else hook)


def _changed(event: str, arguments: tuple[Any, ...]) -> Path | None:
    """What an event changes; None where nothing."""
    if event == "open":
        path, _, flags = arguments
        is_change = isinstance(path, str | bytes | os.PathLike) and flags & _WRITES
    else:
        is_change = event in _CHANGES
        path = arguments[_CHANGES[event]] if is_change else None
    return Path.cwd() / os.fsdecode(path) if is_change else None


def _watch_order(found: Path) -> Callable[[str, tuple[Any, ...]], None]:
    """What notes files that are renamed before they were flushed to the disk."""
    flushed: set[int] = set()
    flush = os.fsync

    def fsync(file: int) -> None:
        flush(file)
        flushed.add(os.fstat(file).st_ino)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "os.rename":
            source = Path(os.fsdecode(arguments[0]))
            if source.is_file() and source.stat().st_ino not in flushed:
                with found.open("a", encoding="utf-8") as file:
                    file.write(f"{source}\n")

    os.fsync = fsync
    return hook


def _change(source: Path, content: str | None) -> None:
    if content is None:
        source.unlink(missing_ok=True)
    else:
        source.write_bytes(bytes.fromhex(content))


if "FERKIT_FAULT" in os.environ:
    install(json.loads(os.environ["FERKIT_FAULT"]))

"""The folder that an export writes: there whole or not at all, and never in place of others' files.

Everything is written into a hidden folder beside the target, which is renamed when `export.json`
stands in it. That file is the mark of an export: only a folder that has it, and holds as many files
and bytes as it says, is replaced by another export.
"""

from __future__ import annotations

import glob
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fer_data.errors import SettingsError
from fer_data.files import write_file

MARK_NAME = "export.json"
MARK_FORMAT = "ferkit-export"


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What stands in the target: files and bytes, without the mark."""

    num_files: int
    num_bytes: int


def write_target(
    out_dir: Path, write: Callable[[Path], None], facts: Callable[[], dict[str, Any]]
) -> Written:
    """Makes the folder `out_dir`, in one step, of what `write` puts into a folder.

    Args:
        out_dir: of the export; an earlier export there is replaced.
        write: fills an empty folder.
        facts: what to write into the mark, asked when all is written.

    Raises:
        SettingsError: something stands at `out_dir` that is no export, or holds other files too.
        OSError: the disk is full or the folder cannot be written.
    """
    check_target(out_dir)
    out_dir.parent.mkdir(parents=True, exist_ok=True)
    for leftover in out_dir.parent.glob(f".{glob.escape(out_dir.name)}.*.export-tmp"):
        shutil.rmtree(leftover, ignore_errors=True)
    beside = out_dir.with_name(f".{out_dir.name}.{os.getpid()}.export-tmp")
    before = out_dir.with_name(f".{out_dir.name}.{os.getpid()}-before.export-tmp")
    try:
        beside.mkdir()
        write(beside)
        written = _measure(beside)
        mark = {
            "format": MARK_FORMAT,
            **facts(),
            "files": written.num_files,
            "bytes": written.num_bytes,
        }
        text = json.dumps(mark, indent=1, ensure_ascii=False) + "\n"
        write_file(beside / MARK_NAME, text.encode())
        if out_dir.exists():
            out_dir.rename(before)
        try:
            beside.rename(out_dir)
        except OSError:
            if before.exists():
                before.rename(out_dir)
            raise
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        shutil.rmtree(before, ignore_errors=True)
    return written


def check_target(out_dir: Path) -> None:
    """Refuses a place where something stands that an export may not replace.

    Raises:
        SettingsError: something does.
    """
    if not out_dir.exists() and not out_dir.is_symlink():
        return
    advice = "remove it, or name another folder (--out)"
    if not out_dir.is_dir() or out_dir.is_symlink():
        raise SettingsError(f"{out_dir}: is no folder; {advice}")
    if not any(out_dir.iterdir()):
        return
    try:
        mark = json.loads((out_dir / MARK_NAME).read_bytes())
        is_export = mark["format"] == MARK_FORMAT
        said = Written(num_files=mark["files"], num_bytes=mark["bytes"])
    except (OSError, ValueError, KeyError, TypeError):
        is_export = False
    if not is_export:
        raise SettingsError(f"{out_dir}: is not empty, and no export; {advice}")
    found = _measure(out_dir)
    if found != said:
        raise SettingsError(
            f"{out_dir}: holds {found.num_files:,} files of {found.num_bytes:,} bytes; its export "
            f"wrote {said.num_files:,} of {said.num_bytes:,}; {advice}"
        )


def _measure(folder: Path) -> Written:
    num_files = num_bytes = 0
    waiting = [str(folder)]
    while waiting:
        with os.scandir(waiting.pop()) as found:
            for entry in found:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                elif entry.path != str(folder / MARK_NAME):
                    num_files += 1
                    num_bytes += entry.stat(follow_symlinks=False).st_size
    return Written(num_files=num_files, num_bytes=num_bytes)

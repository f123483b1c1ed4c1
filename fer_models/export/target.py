"""Where an export is put: there whole or not at all, and never in place of others' files.

Each file or folder has its metadata beside it, `NAME.json`. That is the mark of an export: only
what has it, and holds as many files and bytes as it says, is replaced by another export.
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fer_data.errors import SettingsError
from fer_models.files import write_json

MARK = "ferkit-network"


def about_path(path: Path) -> Path:
    """Where the metadata of an exported file or folder stands."""
    return path.with_name(f"{path.name}.json")


def check_target(path: Path) -> None:
    """Refuses a place where something stands that an export may not replace.

    Raises:
        SettingsError: something does.
    """
    beside = about_path(path)
    if not (_stands(path) or _stands(beside)):
        return
    advice = "remove it, or name another folder (--out)"
    try:
        about = json.loads(beside.read_bytes())
        if about["format"] != MARK:
            raise ValueError(about["format"])
        said = (about["files"], about["bytes"])
    except (OSError, ValueError, KeyError, TypeError):
        taken = path if _stands(path) else beside
        raise SettingsError(f"{taken}: was not written by an export; {advice}") from None
    if _stands(path) and measure(path) != said:
        raise SettingsError(f"{path}: is not as its export wrote it; {advice}")


@contextlib.contextmanager
def hidden_folder(path: Path) -> Iterator[Path]:
    """An empty folder beside `path`, which is gone afterwards; those of killed exports go too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.*.export-tmp"):
        shutil.rmtree(leftover, ignore_errors=True)
    folder = path.with_name(f".{path.name}.{os.getpid()}.export-tmp")
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def publish(written: Path, path: Path, about: Mapping[str, Any]) -> None:
    """Puts a file or folder, written in a hidden folder beside `path`, in its place.

    What stood there is moved away first, so that a kill in between leaves no file under the name.

    Raises:
        OSError: the folder cannot be written; what stood there stands there again.
    """
    _flush(written)
    num_files, num_bytes = measure(written)
    facts = {"format": MARK, **about, "files": num_files, "bytes": num_bytes}
    if written.is_file():
        facts["sha256"] = hashlib.sha256(written.read_bytes()).hexdigest()
    before = written.with_name("before")
    if path.exists():
        path.rename(before)
    try:
        write_json(about_path(path), facts)
        written.rename(path)
    except OSError:
        if before.exists():
            before.rename(path)
        raise


def measure(path: Path) -> tuple[int, int]:
    """Number of files and bytes, of one file or in a folder."""
    files = [path] if path.is_file() else [part for part in path.rglob("*") if part.is_file()]
    return len(files), sum(part.stat().st_size for part in files)


def _stands(path: Path) -> bool:
    return path.exists() or path.is_symlink()


def _flush(written: Path) -> None:
    """Sees to it that what was written is on the disk before it gets its name."""
    for path in [written] if written.is_file() else written.rglob("*"):
        if path.is_file():
            with path.open("r+b") as file:
                os.fsync(file.fileno())

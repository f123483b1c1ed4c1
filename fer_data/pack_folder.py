"""The folder that shards are packed into: what in it is ours, and what may be removed."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection
from pathlib import Path

from fer_data.errors import DamagedShardError, MissingShardsError, SettingsError
from fer_data.pack_shard import WORK_DIR, file_sha256
from fer_data.shards.index import INDEX_NAME, PAPERS, SPLITS, ShardIndex, read_index

_SHARD = rf"(?:{'|'.join(SPLITS)})-\d{{5}}-of-\d{{5}}\.(?:npz|h5)"
_SHARD_NAME = re.compile(_SHARD)
# what a killed writer left, see `fer_data.files.write_file`
_OTHERS = "|".join(re.escape(name) for name in (INDEX_NAME, *PAPERS))
_LEFTOVER_NAME = re.compile(rf"\.(?:{_SHARD}|{_OTHERS})(?:\.json)?\.\d+\.tmp")


def check_folder(shards_dir: Path) -> None:
    """Makes sure that pack may write here: a new folder, an empty one, or one it wrote before.

    Raises:
        SettingsError: the folder holds something else.
    """
    if shards_dir.exists() and not shards_dir.is_dir():
        raise SettingsError(f"{shards_dir}: is a file; expected a folder for the shards (--out)")
    names = [path.name for path in shards_dir.iterdir()] if shards_dir.exists() else []
    if not names or WORK_DIR in names or old_index(shards_dir) is not None:
        return
    foreign = sorted(name for name in names if not _is_ours(name))
    shards = [name for name in names if _SHARD_NAME.fullmatch(name)]
    if foreign or not shards:
        shown = ", ".join((foreign or names)[:3])
        raise SettingsError(
            f"{shards_dir}: holds {len(foreign or names)} files that are no shards ({shown}) and "
            "no shard index; expected a new or empty folder (--out)"
        )


def old_index(shards_dir: Path) -> ShardIndex | None:
    """The index that stands in the folder, or None where there is none that can be read."""
    with contextlib.suppress(MissingShardsError, DamagedShardError):
        return read_index(shards_dir)
    return None


def is_whole(shards_dir: Path, index: ShardIndex) -> bool:
    """Whether every shard of the index stands there, byte for byte."""
    return all(file_sha256(shards_dir / shard.file) == shard.sha256 for shard in index.shards)


def begin_work(shards_dir: Path, files: Collection[str]) -> None:
    """Takes the index away, and every shard that will not be among `files`."""
    (shards_dir / WORK_DIR).mkdir(parents=True, exist_ok=True)  # first: it marks the folder as ours
    (shards_dir / INDEX_NAME).unlink(missing_ok=True)
    for path in list(shards_dir.iterdir()):
        if _SHARD_NAME.fullmatch(path.name) and path.name not in files:
            path.unlink()


def end_work(shards_dir: Path) -> None:
    """Removes the notes of the work and what killed writers left."""
    work_dir = shards_dir / WORK_DIR
    for folder in (work_dir, shards_dir):
        for path in list(folder.iterdir()) if folder.is_dir() else []:
            if _LEFTOVER_NAME.fullmatch(path.name):
                path.unlink(missing_ok=True)
    if work_dir.is_dir():
        for path in work_dir.iterdir():
            if _SHARD_NAME.fullmatch(path.name.removesuffix(".json")):
                path.unlink()
        with contextlib.suppress(OSError):  # somebody else's file in it
            work_dir.rmdir()


def _is_ours(name: str) -> bool:
    return (
        name in (INDEX_NAME, *PAPERS)
        or _SHARD_NAME.fullmatch(name) is not None
        or _LEFTOVER_NAME.fullmatch(name) is not None
    )

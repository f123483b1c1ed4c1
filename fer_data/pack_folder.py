"""The folder that shards are packed into: what in it is ours, and what may be removed."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection
from pathlib import Path

from fer_data.errors import DamagedShardError, MissingShardsError, SettingsError
from fer_data.files import write_file
from fer_data.lock import LOCK_NAME
from fer_data.shards.index import INDEX_NAME, PAPERS, SPLITS, WORK_DIR, ShardIndex, read_index

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
    names = [name for name in names if name != LOCK_NAME]
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
    """The index of an earlier run: in its place, or set aside by one that was cut short; or None.

    One whose text is not as this version writes it is as good as none.
    """
    for folder in (shards_dir, shards_dir / WORK_DIR):
        with contextlib.suppress(MissingShardsError, DamagedShardError):
            index = read_index(folder)
            if (folder / INDEX_NAME).read_bytes() == index.to_json().encode():
                return index
    return None


def begin_work(shards_dir: Path, files: Collection[str], old: ShardIndex | None) -> None:
    """Takes the index away, and every shard that will not be among `files`.

    Args:
        shards_dir: the folder; made where there is none.
        files: names of the shards that will stand there.
        old: the index to set aside, as what it says of its shards still holds.
    """
    work_dir = shards_dir / WORK_DIR
    work_dir.mkdir(parents=True, exist_ok=True)  # first: it marks the folder as ours
    if old is None:
        (work_dir / INDEX_NAME).unlink(missing_ok=True)
    else:
        write_file(work_dir / INDEX_NAME, old.to_json().encode())
    (shards_dir / INDEX_NAME).unlink(missing_ok=True)
    for path in list(shards_dir.iterdir()):
        if _SHARD_NAME.fullmatch(path.name) and path.name not in files:
            path.unlink()


def remove_leftovers(shards_dir: Path) -> None:
    """Removes what killed writers left; to be done before there is an index."""
    for folder in (shards_dir / WORK_DIR, shards_dir):
        for path in list(folder.iterdir()) if folder.is_dir() else []:
            if _LEFTOVER_NAME.fullmatch(path.name):
                path.unlink(missing_ok=True)


def end_work(shards_dir: Path) -> None:
    """Removes the notes of the work, which is done."""
    remove_leftovers(shards_dir)
    work_dir = shards_dir / WORK_DIR
    if work_dir.is_dir():
        for path in list(work_dir.iterdir()):
            name = path.name
            if name == INDEX_NAME or _SHARD_NAME.fullmatch(name.removesuffix(".json")):
                path.unlink()
        with contextlib.suppress(OSError):  # somebody else's file in it
            work_dir.rmdir()


def _is_ours(name: str) -> bool:
    return (
        name in (INDEX_NAME, *PAPERS)
        or _SHARD_NAME.fullmatch(name) is not None
        or _LEFTOVER_NAME.fullmatch(name) is not None
    )

"""Exports shards into a folder, in one of the formats."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fer_data.errors import SettingsError, UnknownNameError
from fer_data.export.csv_pixels import check_csv, write_csv
from fer_data.export.imagefolder import write_imagefolder
from fer_data.export.parquet import write_parquet
from fer_data.export.source import ExportSource
from fer_data.export.target import check_target, write_target
from fer_data.export.tfrecord import write_tfrecord
from fer_data.export.webdataset import write_webdataset
from fer_data.shards.index import ShardIndex, read_index

_WRITERS: dict[str, Callable[[ExportSource, Path], None]] = {
    "imagefolder": write_imagefolder,
    "csv": write_csv,
    "webdataset": write_webdataset,
    "tfrecord": write_tfrecord,
    "parquet": write_parquet,
}
FORMATS = tuple(_WRITERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportSettings:
    """What to export, and how.

    Attributes:
        format: one of `FORMATS`.
        splits: those to export; none: all that hold samples.
        originals_only: leave augmented samples out.
    """

    format: str
    splits: tuple[str, ...] = ()
    originals_only: bool = False

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise UnknownNameError("format", self.format, FORMATS)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportReport:
    """What was exported.

    Attributes:
        out_dir: the folder.
        counts: split → class name → samples.
        num_files: in the folder, `export.json` not among them.
        num_bytes: of these files.
    """

    out_dir: Path
    counts: Mapping[str, Mapping[str, int]]
    num_files: int
    num_bytes: int


def export_shards(
    shards_dir: Path | str,
    out_dir: Path | str,
    settings: ExportSettings,
    *,
    on_progress: Callable[[int, int], None] | None = None,
) -> ExportReport:
    """Writes shards in another format; the same shards and settings give the same bytes.

    The folder is there whole or not at all: it is filled beside its place and renamed.

    Args:
        shards_dir: folder of shards.
        out_dir: of the export; an earlier export there is replaced.
        settings: what, and how.
        on_progress: called with (samples written, samples in all).

    Raises:
        SettingsError: the format cannot hold these samples, or something else stands at `out_dir`.
        UnknownNameError: the shards have no such split.
        MissingShardsError: the folder or its index is not there.
        DamagedShardError: the index, or a shard, is not what it should be.
        OSError: the disk is full or the folder cannot be written.
    """
    shards, out = Path(shards_dir), Path(out_dir)
    index = read_index(shards)
    for split in settings.splits:
        index.split_shards(split)
    if settings.format == "csv":
        check_csv(index)
    if shards.resolve() in (out.resolve(), *out.resolve().parents):
        raise SettingsError(f"{out}: lies in the folder of the shards; name another (--out)")
    check_target(out)
    source = ExportSource(
        shards_dir=shards,
        index=index,
        splits=tuple(s for s in index.splits if s in settings.splits or not settings.splits),
        originals_only=settings.originals_only,
        on_progress=on_progress,
    )
    counts: dict[str, dict[str, int]] = {}

    def write(folder: Path) -> None:
        _WRITERS[settings.format](source, folder)
        for split, taken in source.taken.items():
            counts[split] = {name: taken[name] for name in index.class_names}

    written = write_target(out, write, lambda: _facts(index, settings, counts))
    return ExportReport(
        out_dir=out, counts=counts, num_files=written.num_files, num_bytes=written.num_bytes
    )


def _facts(
    index: ShardIndex, settings: ExportSettings, counts: Mapping[str, Mapping[str, int]]
) -> dict[str, Any]:
    """What `export.json` says of the export."""
    return {
        "export_format": settings.format,
        "name": index.name,
        "class_names": list(index.class_names),
        "image_shape": list(index.image_shape),
        "originals_only": settings.originals_only,
        "counts": {split: dict(classes) for split, classes in counts.items()},
        "shards": hashlib.sha256(index.to_json().encode()).hexdigest(),
    }

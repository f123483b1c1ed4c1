"""Reads raw sources into the data set: every file becomes a sample or a rejection with a reason."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from fer_data.dataset import (
    INFO_NAME,
    Dataset,
    DatasetInfo,
    SourceRecord,
    faces_to_json,
)
from fer_data.errors import (
    DatasetError,
    EmptySourceError,
    SettingsError,
    TooManyRejectionsError,
)
from fer_data.executors import Workers, run_tasks, starting_workers
from fer_data.face_align import FaceSettings
from fer_data.files import is_leftover, remove_leftovers
from fer_data.image import ImageSettings
from fer_data.ingest_block import (
    BlockTask,
    finished_block,
    ingest_block,
    read_metadata,
)
from fer_data.ingest_report import IngestReport, check_rejections, count_blocks, log_rejections
from fer_data.lock import LOCK_NAME
from fer_data.manifest import manifest_names
from fer_data.sources.listing import readable_text
from fer_data.sources.opening import SourceSettings, is_large, open_source
from fer_data.sources.raw import Source

BLOCK_FILES = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestSettings:
    """How raw files become samples.

    Attributes:
        image: size and colour of every sample; None: as the data set has them, else the default.
        faces: how faces are found, aligned and cut out; None: pictures are taken as they are.
        source: manifest and name of the source, where they are not to be found out.
        max_rejected: share of the files that may be rejected before it is an error, 0 to 1.
        on_error: "reject" a file that cannot be used, or "raise" at the first.
    """

    image: ImageSettings | None = None
    faces: FaceSettings | None = None
    source: SourceSettings = field(default_factory=SourceSettings)
    max_rejected: float = 0.05
    on_error: str = "reject"

    def __post_init__(self) -> None:
        if not 0 <= self.max_rejected <= 1:
            raise SettingsError(f"max_rejected must be 0 to 1; received {self.max_rejected}")
        if self.on_error not in ("reject", "raise"):
            raise SettingsError(f'on_error must be "reject" or "raise"; received "{self.on_error}"')


def inspect_source(
    raw: Path, settings: IngestSettings, *, dataset_dir: Path | None = None
) -> tuple[SourceRecord, tuple[str, ...]]:
    """What a raw path is understood to be, and remarks on it; nothing is decoded or written.

    Args:
        raw: as for `ingest`.
        settings: likewise.
        dataset_dir: of the data set it would be read into, if there is one.

    Raises:
        SourceError: there is nothing at the path, or nothing that can be understood.
    """
    with open_source(raw, settings.source, dataset_dir=dataset_dir) as source:
        _check_faces(source, raw, settings)
        return _record(source, raw, 0, settings), source.describe()


def ingest(
    raw: Path,
    dataset_dir: Path,
    settings: IngestSettings,
    *,
    workers: Workers = None,
    on_source: Callable[[SourceRecord, tuple[str, ...]], None] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> tuple[Dataset, IngestReport]:
    """The data set with one raw source read into it, and a report over all its sources.

    Blocks that an earlier run finished and whose files have not changed are not read again, so a
    killed run goes on where it was; the result is the same for any number of workers.

    Args:
        raw: a folder, a ZIP or tar archive, or a CSV file of pixels.
        dataset_dir: folder of the data set; made where it is not there.
        settings: see `IngestSettings`.
        workers: processes; default: one a core.
        on_source: called with what the source is understood to be, and remarks on it, before
            anything is read.
        on_progress: called with (files done, files in all).

    Raises:
        SourceError: the source is missing or cannot be understood.
        TooManyRejectionsError: more files were rejected than `max_rejected`; what was read is
            kept, and the same command with a higher limit does no work twice. Or there is no
            sample in the source; then the data set is as if it had never been named.
        DatasetError: the folder is something else, or holds images of another form.
    """
    if raw.is_dir() and dataset_dir.resolve().is_relative_to(raw.resolve()):
        raise SettingsError(
            f"{dataset_dir}: the data set would stand inside its own source {raw}; "
            "name a folder elsewhere with --dataset"
        )
    with contextlib.ExitStack() as stack:
        pool = None
        if is_large(raw):
            pool = stack.enter_context(starting_workers(ingest_block, workers=workers))
        source = stack.enter_context(open_source(raw, settings.source, dataset_dir=dataset_dir))
        _check_faces(source, raw, settings)
        dataset, record = _enter_source(dataset_dir, source, raw, settings)
        if on_source is not None:
            on_source(record, source.describe())
        tasks = [
            BlockTask(
                number=record.first_block + number,
                dataset_dir=dataset_dir,
                source_name=source.name,
                source_block=block,
                image=dataset.info.image,
                faces=settings.faces,
                on_error=settings.on_error,
            )
            for number, block in enumerate(source.blocks(BLOCK_FILES))
        ]
        results = {task.number: finished_block(task) for task in tasks}
        waiting = [task for task in tasks if results[task.number] is None]
        num_done = record.num_files - sum(task.source_block.num_files for task in waiting)
        for task in waiting:  # or a killed run would leave what is not to be in them for done
            task.path("samples").unlink(missing_ok=True)
        dataset.save(dataset.info)
        for number, result in run_tasks(ingest_block, waiting, workers=workers, pool=pool):
            results[waiting[number].number] = result
            num_done += waiting[number].source_block.num_files
            if on_progress is not None:
                on_progress(num_done, record.num_files)
    for kind in ("", "pixels", "samples", "rejected"):
        remove_leftovers(dataset_dir / kind)
    return _finish(dataset, record, num_done_before=len(tasks) - len(waiting))


def _check_faces(source: Source, raw: Path, settings: IngestSettings) -> None:
    """Refuses to look for faces where the source has no pictures, or says where they are."""
    if settings.faces is not None and (source.kind == "csv-pixels" or source.has_boxes):
        what = "says where the faces are" if source.has_boxes else "holds pixels, not pictures"
        raise SettingsError(f"{raw}: {what}, so none are looked for; leave --align away")


def _record(source: Source, raw: Path, first_block: int, settings: IngestSettings) -> SourceRecord:
    asked = _asked(settings.source)
    if settings.faces is not None:
        asked["faces"] = faces_to_json(settings.faces)
    return SourceRecord(
        name=source.name,
        kind=source.kind,
        manifest=source.manifest_name,
        num_files=source.num_files,
        first_block=first_block,
        num_blocks=len(source.blocks(BLOCK_FILES)),
        class_names=list(source.class_names),
        settings=asked,
        paths=_paths(raw, settings.source),
        max_rejected=settings.max_rejected,
        on_error=settings.on_error,
    )


def _paths(raw: Path, settings: SourceSettings) -> dict[str, str]:
    """Where the source and what belongs to it lie, as the user said."""
    paths = {"path": str(raw)}
    for name in ("labels", "votes"):
        if (path := getattr(settings, name)) is not None:
            paths[name] = str(path)
    if settings.manifest is not None and settings.manifest not in manifest_names():
        paths["manifest"] = settings.manifest
    return paths


def _asked(settings: SourceSettings) -> dict[str, Any]:
    """What was asked of a source beside the defaults; files by name, not by their place."""
    asked: dict[str, Any] = {}
    for each in fields(settings):
        value = getattr(settings, each.name)
        if each.name not in ("manifest", "name") and value:
            plain = readable_text(value.name) if isinstance(value, Path) else value
            asked[each.name] = list(plain) if isinstance(plain, tuple) else plain
    return asked


def _enter_source(
    dataset_dir: Path, source: Source, raw: Path, settings: IngestSettings
) -> tuple[Dataset, SourceRecord]:
    """The data set, opened or begun, with ingest unfinished, and the source's record in it.

    Only that ingest is unfinished is written: the source is to be, when its blocks can be trusted.
    """
    if (dataset_dir / INFO_NAME).exists():
        dataset = Dataset.open(dataset_dir)
    elif dataset_dir.is_dir() and not all(
        path.name == LOCK_NAME or is_leftover(path) for path in dataset_dir.iterdir()
    ):
        raise DatasetError(
            f"{dataset_dir}: holds files but no data set; "
            "name an empty or a new folder with --dataset"
        )
    else:
        info = DatasetInfo(image=settings.image if settings.image is not None else ImageSettings())
        dataset = Dataset(dataset_dir, info)
    info = dataset.info
    if settings.image is not None and not info.sources:
        info = replace(info, image=settings.image)
    if settings.image is not None and settings.image != info.image:
        raise DatasetError(
            f"{dataset_dir}: holds images as {_describe(info.image)}, "
            f"not {_describe(settings.image)}; name another folder with --dataset, or remove this "
            "one"
        )
    sources = list(info.sources)
    known = next((n for n, other in enumerate(sources) if other.name == source.name), None)
    if known is None:
        record = _record(source, raw, dataset.num_blocks, settings)
        sources.append(record)
    else:
        record = _record(source, raw, sources[known].first_block, settings)
        earlier = Path(sources[known].paths.get("path", raw))
        if earlier.exists() and not earlier.samefile(raw):
            raise DatasetError(
                f'{dataset_dir}: source "{source.name}" was read from {earlier}, not from {raw}; '
                "give this one another --name"
            )
        if record.num_blocks != sources[known].num_blocks and known + 1 < len(sources):
            raise DatasetError(
                f'{dataset_dir}: source "{source.name}" had {sources[known].num_files:,} files '
                f"and has {record.num_files:,} now; if it is another source give it another "
                "--name, else ingest into a new --dataset"
            )
        sources[known] = record
    if "ingest" in info.stages:
        info = dataset.withdraw("ingest").info
    return Dataset(dataset_dir, replace(info, sources=tuple(sources))), record


def _describe(image: ImageSettings) -> str:
    equalized = "" if image.equalize == "none" else f", equalised ({image.equalize})"
    return f"{image.size}x{image.size} {image.color}{equalized}"


def _finish(
    dataset: Dataset, source: SourceRecord, *, num_done_before: int
) -> tuple[Dataset, IngestReport]:
    """Publishes the stage, or takes the source out again where there is no sample in it."""
    log_rejections(dataset, source)
    try:
        check_rejections(dataset, source, _read_blocks(dataset, source))
    except EmptySourceError:
        if source == dataset.info.sources[-1]:
            others = dataset.info.sources[:-1]
            dataset = dataset.save(replace(dataset.info, sources=others))
            if others:
                with contextlib.suppress(DatasetError, TooManyRejectionsError):
                    _publish(dataset, num_done_before=0)
        raise
    return _publish(dataset, num_done_before=num_done_before)


def _read_blocks(dataset: Dataset, source: SourceRecord) -> list[dict[str, Any]]:
    """What was noted of each block of a source."""
    blocks = [read_metadata(dataset, number) for number in source.block_numbers]
    finished = [block for block in blocks if block is not None]
    if len(finished) < len(blocks):
        raise DatasetError(
            f'{dataset.dir}: source "{source.name}" has not been read to its end; run the '
            "`ferdata ingest` that began it again, or remove the folder to begin anew"
        )
    return finished


def _publish(dataset: Dataset, *, num_done_before: int) -> tuple[Dataset, IngestReport]:
    """Counts all blocks, and publishes the stage."""
    blocks = []
    for source in dataset.info.sources:
        own = _read_blocks(dataset, source)
        check_rejections(dataset, source, own)
        blocks += own
    report = count_blocks(dataset, blocks, num_done_before)
    dataset = dataset.save(replace(dataset.info, class_names=report.class_names))
    digest = hashlib.sha256("".join(b["digest"] for b in blocks).encode()).hexdigest()
    facts = [
        {
            "name": s.name,
            "kind": s.kind,
            "manifest": s.manifest,
            "files": s.num_files,
            **s.settings,
        }
        for s in dataset.info.sources
    ]
    stage = {**asdict(dataset.info.image), "sources": facts}
    dataset = dataset.publish(
        "ingest", None, settings=stage, counts=report.to_json(), inputs=[], digest=digest
    )
    return dataset, report

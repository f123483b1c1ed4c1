"""Reads raw sources into the data set: every file becomes a sample or a rejection with a reason."""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import pyarrow.compute as pc

from fer_data.dataset import (
    INFO_NAME,
    Dataset,
    DatasetInfo,
    SourceRecord,
)
from fer_data.emotions import order_class_names
from fer_data.errors import (
    DatasetError,
    SettingsError,
    TooManyRejectionsError,
)
from fer_data.executors import run_tasks
from fer_data.files import remove_leftovers
from fer_data.image import ImageSettings
from fer_data.ingest_block import (
    HARMLESS_REASON,
    BlockTask,
    finished_block,
    ingest_block,
    read_metadata,
)
from fer_data.manifest import SPLITS
from fer_data.sources.opening import SourceSettings, open_source
from fer_data.sources.raw import Source

BLOCK_FILES = 512
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestSettings:
    """How raw files become samples.

    Attributes:
        image: size and colour of every sample; None: as the data set has them, else the default.
        source: manifest and name of the source, where they are not to be found out.
        max_rejected: share of the files that may be rejected before it is an error, 0 to 1.
        on_error: "reject" a file that cannot be used, or "raise" at the first.
    """

    image: ImageSettings | None = None
    source: SourceSettings = field(default_factory=SourceSettings)
    max_rejected: float = 0.05
    on_error: str = "reject"

    def __post_init__(self) -> None:
        if not 0 <= self.max_rejected <= 1:
            raise SettingsError(f"max_rejected must be 0 to 1; received {self.max_rejected}")
        if self.on_error not in ("reject", "raise"):
            raise SettingsError(f'on_error must be "reject" or "raise"; received "{self.on_error}"')


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestReport:
    """What ingest read, over all sources of the data set.

    Attributes:
        num_files: files, or rows, of all sources.
        num_samples: those that became samples.
        reasons: reason → rejections.
        classes: split ("" where a source has none) → class name → samples.
        sources: one record a source.
        num_blocks_done_before: blocks that an earlier run had finished.

    """

    num_files: int
    num_samples: int
    reasons: Mapping[str, int]
    classes: Mapping[str, Mapping[str, int]]
    sources: Sequence[SourceRecord]
    num_blocks_done_before: int = 0

    @property
    def num_rejected(self) -> int:
        """Files that became no sample."""
        return sum(self.reasons.values())


def inspect_source(raw: Path, settings: IngestSettings) -> SourceRecord:
    """What a raw path is understood to be; nothing is decoded and nothing written.

    Raises:
        SourceError: there is nothing at the path, or nothing that can be understood.
    """
    with open_source(raw, settings.source) as source:
        return _record(source, 0)


def ingest(
    raw: Path,
    dataset_dir: Path,
    settings: IngestSettings,
    *,
    workers: int | None = None,
    on_source: Callable[[SourceRecord], None] | None = None,
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
        on_source: called with what the source is understood to be, before anything is read.
        on_progress: called with (files done, files in all).

    Raises:
        SourceError: the source is missing or cannot be understood.
        TooManyRejectionsError: more files were rejected than `max_rejected`; what was read is
            kept, and the same command with a higher limit does no work twice.
        DatasetError: the folder is something else, or holds images of another form.
    """
    if raw.is_dir() and dataset_dir.resolve().is_relative_to(raw.resolve()):
        raise SettingsError(
            f"{dataset_dir}: the data set would stand inside its own source {raw}; "
            "name a folder elsewhere with --dataset"
        )
    with open_source(raw, settings.source) as source:
        dataset, record = _enter_source(dataset_dir, source, settings)
        if on_source is not None:
            on_source(record)
        tasks = [
            BlockTask(
                number=record.first_block + number,
                dataset_dir=dataset_dir,
                source_name=source.name,
                source_block=block,
                image=dataset.info.image,
                on_error=settings.on_error,
            )
            for number, block in enumerate(source.blocks(BLOCK_FILES))
        ]
        results = {task.number: finished_block(task) for task in tasks}
        waiting = [task for task in tasks if results[task.number] is None]
        num_done = record.num_files - sum(task.source_block.num_files for task in waiting)
        for number, result in run_tasks(ingest_block, waiting, workers=workers):
            results[waiting[number].number] = result
            num_done += waiting[number].source_block.num_files
            if on_progress is not None:
                on_progress(num_done, record.num_files)
    for kind in ("pixels", "samples", "rejected"):
        remove_leftovers(dataset_dir / kind)
    return _finish(dataset, source, settings, num_done_before=len(tasks) - len(waiting))


def _record(source: Source, first_block: int) -> SourceRecord:
    return SourceRecord(
        name=source.name,
        kind=source.kind,
        manifest=source.manifest_name,
        num_files=source.num_files,
        first_block=first_block,
        num_blocks=len(source.blocks(BLOCK_FILES)),
    )


def _enter_source(
    dataset_dir: Path, source: Source, settings: IngestSettings
) -> tuple[Dataset, SourceRecord]:
    """The data set, opened or begun, with the source among its sources and ingest unfinished."""
    if (dataset_dir / INFO_NAME).exists():
        dataset = Dataset.open(dataset_dir)
    elif dataset_dir.is_dir() and any(dataset_dir.iterdir()):
        raise DatasetError(
            f"{dataset_dir}: holds files but no data set; "
            "name an empty or a new folder with --dataset"
        )
    else:
        info = DatasetInfo(image=settings.image if settings.image is not None else ImageSettings())
        dataset = Dataset(dataset_dir, info)
    info = dataset.info
    if settings.image is not None and settings.image != info.image:
        raise DatasetError(
            f"{dataset_dir}: holds images as {_describe(info.image)}, "
            f"not {_describe(settings.image)}; name another folder with --dataset, or remove this "
            "one"
        )
    sources = list(info.sources)
    known = next((n for n, other in enumerate(sources) if other.name == source.name), None)
    if known is None:
        record = _record(source, dataset.num_blocks)
        sources.append(record)
    else:
        record = _record(source, sources[known].first_block)
        if record.num_blocks != sources[known].num_blocks and known + 1 < len(sources):
            raise DatasetError(
                f'{dataset_dir}: source "{source.name}" had {sources[known].num_files:,} files '
                f"and has {record.num_files:,} now; if it is another source give it another "
                "--name, else ingest into a new --dataset"
            )
        sources[known] = record
    stages = {name: stage for name, stage in info.stages.items() if name != "ingest"}
    class_names = order_class_names([*info.class_names, *source.class_names])
    dataset_dir.mkdir(parents=True, exist_ok=True)
    info = replace(info, sources=tuple(sources), stages=stages, class_names=class_names)
    return dataset.save(info), record


def _describe(image: ImageSettings) -> str:
    equalized = ", equalised" if image.equalize else ""
    return f"{image.size}x{image.size} {image.color}{equalized}"


def _finish(
    dataset: Dataset, source: Source, settings: IngestSettings, *, num_done_before: int
) -> tuple[Dataset, IngestReport]:
    """Counts all blocks, and publishes the stage unless too many files were rejected."""
    metadata = [read_metadata(dataset, block) for block in range(dataset.num_blocks)]
    unfinished = [number for number, block in enumerate(metadata) if block is None]
    if unfinished:
        name = next(
            s.name
            for s in dataset.info.sources
            if s.first_block <= unfinished[0] < s.first_block + s.num_blocks
        )
        raise DatasetError(
            f'{dataset.dir}: source "{name}" has not been read to its end; '
            "run the `ferdata ingest` that began it again"
        )
    blocks = [block for block in metadata if block is not None]
    reasons: Counter[str] = Counter()
    classes: dict[str, Counter[str]] = {}
    for block in blocks:
        reasons.update(block["reasons"])
        for split, counts in block["classes"].items():
            classes.setdefault(split, Counter()).update(counts)
    ordered = order_class_names([*dataset.class_names, *(n for c in classes.values() for n in c)])
    report = IngestReport(
        num_files=sum(record.num_files for record in dataset.info.sources),
        num_samples=sum(block["num_samples"] for block in blocks),
        reasons=dict(reasons.most_common()),
        classes={
            split: {name: classes[split][name] for name in ordered}
            for split in ("", *SPLITS)
            if split in classes
        },
        sources=dataset.info.sources,
        num_blocks_done_before=num_done_before,
    )
    _log_rejections(dataset, source.name)
    _check_rejections(report, settings, dataset)
    dataset = dataset.save(replace(dataset.info, class_names=ordered))
    digest = hashlib.sha256("".join(b["digest"] for b in blocks).encode()).hexdigest()
    counts = {
        "files": report.num_files,
        "samples": report.num_samples,
        "rejected": report.num_rejected,
        "reasons": dict(report.reasons),
        "classes": {split: dict(counts) for split, counts in report.classes.items()},
    }
    facts = [
        {"name": s.name, "kind": s.kind, "manifest": s.manifest, "files": s.num_files}
        for s in dataset.info.sources
    ]
    stage = {**asdict(dataset.info.image), "sources": facts}
    dataset = dataset.publish(
        "ingest", None, settings=stage, counts=counts, inputs=[], digest=digest
    )
    return dataset, report


def _log_rejections(dataset: Dataset, source_name: str) -> None:
    """Names every rejected file of one source, for those who want to see them."""
    if _log.isEnabledFor(logging.INFO):
        for row in dataset.rejected().to_pylist():
            if row["source"] == source_name:
                _log.info("rejected %s: %s, %s", row["path"], row["reason"], row["detail"])


def _check_rejections(report: IngestReport, settings: IngestSettings, dataset: Dataset) -> None:
    num_meant = report.num_files - report.reasons.get(HARMLESS_REASON, 0)
    num_bad = report.num_rejected - report.reasons.get(HARMLESS_REASON, 0)
    if report.num_samples == 0 or num_bad > settings.max_rejected * num_meant:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in report.reasons.items())
        table = dataset.rejected()
        first = table.filter(pc.not_equal(table["reason"], HARMLESS_REASON)).slice(0, 1).to_pylist()
        example = f"; the first is {first[0]['path']} ({first[0]['detail']})" if first else ""
        share = num_bad / num_meant if num_meant else 1.0
        raise TooManyRejectionsError(
            f"{num_bad:,} of {num_meant:,} files ({share:.1%}) were rejected, "
            f"more than {settings.max_rejected:.0%}: {reasons}{example}. All are listed in "
            f"{dataset.dir / 'rejected'}. Mend the files, or allow more with --max-rejected; "
            "what was read is kept"
        )

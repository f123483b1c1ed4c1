"""Packs a split and balanced data set into shards, the index last.

The bytes depend on the data set and the settings alone: not on the number of workers, nor on
whether the work was cut short and begun again. While it lasts, there is no index; a hidden folder
`.pack` among the shards notes each one that is done with its digest, and the same command goes on
from there. Of a whole pack that was damaged later it writes only what is.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fer_data.dataset import Dataset
from fer_data.executors import Workers, run_tasks
from fer_data.files import write_file
from fer_data.lock import holding
from fer_data.manifest import GENERIC, load_manifest, manifest_names
from fer_data.pack_folder import begin_work, check_folder, end_work, old_index, remove_leftovers
from fer_data.pack_papers import stale_papers
from fer_data.pack_plan import PackPlan, cut, plan_pack
from fer_data.pack_settings import FORMATS, PackSettings
from fer_data.pack_shard import CONTAINERS, ShardResult, ShardTask, file_sha256, make_shard
from fer_data.shards.index import INDEX_NAME, HumanAccuracy, ShardIndex, class_weights
from fer_data.version import ferkit_version

__all__ = ["FORMATS", "PackReport", "PackSettings", "pack"]

_log = logging.getLogger(__name__)
_PROCESSES_PAY = 50_000_000  # bytes of pixels; below it, starting them takes longer than the work
_LINEAGE = ("ingest", "filter", "split", "balance")


@dataclass(frozen=True, slots=True, kw_only=True)
class PackReport:
    """What stands in the folder now.

    Attributes:
        index: the shard index.
        shards_dir: where it stands.
        num_made: shards that were written.
        num_found: shards that were right already.
    """

    index: ShardIndex
    shards_dir: Path
    num_made: int
    num_found: int

    @property
    def num_bytes(self) -> int:
        """Bytes of all shards."""
        return sum(shard.bytes for shard in self.index.shards)


def pack(
    dataset: Dataset,
    out_dir: Path,
    settings: PackSettings,
    *,
    workers: Workers = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> tuple[Dataset, PackReport]:
    """The data set with its shards packed and that noted, and a report.

    Args:
        dataset: split, and balanced if it shall be.
        out_dir: a new or empty folder, or one that was packed into before.
        settings: see `PackSettings`.
        workers: processes; default: one a core, or none but this one for a small data set.
        on_progress: called with (samples done, samples in all).

    Raises:
        LeakageError: one image would stand in two splits.
        MissingStageError: the data set has not been split.
        StaleStageError: a stage no longer fits the one before it.
        SettingsError: the folder holds something else.
        InUseError: another one packs into the folder.
        OSError: the disk is full or the folder cannot be written; no index stands there then.
    """
    with holding(out_dir, "ferdata pack", make=True):
        return _pack(dataset, out_dir, settings, workers, on_progress)


def _pack(
    dataset: Dataset,
    out_dir: Path,
    settings: PackSettings,
    workers: Workers,
    on_progress: Callable[[int, int], None] | None,
) -> tuple[Dataset, PackReport]:
    check_folder(out_dir)
    plan = plan_pack(dataset, settings.seed)
    tasks = _tasks(dataset, out_dir, plan, settings)
    lineage = _lineage(dataset, plan, settings, tasks)
    old = old_index(out_dir)
    if old is not None and _origin(old) != (ferkit_version(), lineage):
        old = None
    index, train = old, plan.samples.get("train")
    harmed = tasks if old is None else _harmed(out_dir, old, tasks)
    results = []
    if (
        index is None
        or harmed
        or not (out_dir / INDEX_NAME).exists()
        or stale_papers(dataset, out_dir, index, train)
    ):
        begin_work(out_dir, {task.file for task in tasks}, old)
        results = _run(tasks, harmed, workers, on_progress)
        if old is None:
            index = _index(dataset, plan, settings, lineage, results)
        else:
            index = _mended(old, results)
        for name, data in stale_papers(dataset, out_dir, index, train).items():
            write_file(out_dir / name, data)
        remove_leftovers(out_dir)
        write_file(out_dir / INDEX_NAME, index.to_json().encode())
    elif on_progress is not None:
        num_samples = sum(len(table) for table in plan.samples.values())
        on_progress(num_samples, num_samples)
    end_work(out_dir)
    done = dataset.publish(
        "pack",
        None,
        settings=lineage["pack"]["settings"],
        counts=lineage["pack"]["counts"],
        inputs=["split", "balance"],
        digest=hashlib.sha256(index.to_json().encode()).hexdigest(),
    )
    num_made = sum(not result.found for result in results)
    num_found = len(tasks) - num_made
    return done, PackReport(index=index, shards_dir=out_dir, num_made=num_made, num_found=num_found)


def _harmed(out_dir: Path, old: ShardIndex, tasks: Sequence[ShardTask]) -> list[ShardTask]:
    """The tasks whose shards are not what the index of the same work says."""
    digests = {shard.file: shard.sha256 for shard in old.shards}
    return [task for task in tasks if file_sha256(out_dir / task.file) != digests.get(task.file)]


def _mended(old: ShardIndex, results: Sequence[ShardResult]) -> ShardIndex:
    """The index of the same work with the shards that were made anew."""
    made = {result.entry.file: result.entry for result in results}
    return dataclasses.replace(old, shards=tuple(made.get(s.file, s) for s in old.shards))


def _tasks(
    dataset: Dataset, out_dir: Path, plan: PackPlan, settings: PackSettings
) -> list[ShardTask]:
    tasks: list[ShardTask] = []
    for split, samples in plan.samples.items():
        parts = list(cut(samples, settings.most_samples(dataset.image_shape)))
        for number, part in enumerate(parts):
            file = f"{split}-{number:05d}-of-{len(parts):05d}.{CONTAINERS[settings.format].suffix}"
            tasks.append(
                ShardTask(
                    dataset=dataset,
                    shards_dir=out_dir,
                    file=file,
                    split=split,
                    samples=part,
                    container=settings.format,
                    compression=settings.compression,
                    layout=settings.layout,
                    dtype=settings.dtype,
                )
            )
    return tasks


def _run(
    tasks: Sequence[ShardTask],
    to_do: Sequence[ShardTask],
    workers: Workers,
    on_progress: Callable[[int, int], None] | None,
) -> list[ShardResult]:
    """The shards of those tasks that are to do made, in their order."""
    results: dict[int, ShardResult] = {}
    num_samples, num_to_do = (sum(len(task.samples) for task in each) for each in (tasks, to_do))
    num_done = num_samples - num_to_do
    if workers is None and num_to_do * math.prod(tasks[0].dataset.image_shape) < _PROCESSES_PAY:
        workers = 1
    for number, result in run_tasks(make_shard, to_do, workers=workers):
        results[number] = result
        num_done += result.entry.num_samples
        verb = "found" if result.found else "wrote"
        _log.info("%s %s: %d samples", verb, result.entry.file, result.entry.num_samples)
        if on_progress is not None:
            on_progress(num_done, num_samples)
    return [results[number] for number in range(len(to_do))]


def _lineage(
    dataset: Dataset, plan: PackPlan, settings: PackSettings, tasks: Sequence[ShardTask]
) -> dict[str, dict[str, Any]]:
    """Stage → settings, counts and fingerprint, of all that led here."""
    lineage: dict[str, dict[str, Any]] = {}
    for name in _LINEAGE:
        if name in dataset.info.stages:
            record = dataset.stage(name)
            lineage[name] = {
                "settings": record.settings,
                "counts": record.counts,
                "fingerprint": record.fingerprint,
            }
    work = json.dumps([task.fingerprint for task in tasks])
    lineage["pack"] = {
        "settings": dataclasses.asdict(settings),
        "counts": {
            "samples": {split: len(table) for split, table in plan.samples.items()},
            "shards": len(tasks),
        },
        "fingerprint": hashlib.sha256(work.encode()).hexdigest(),
    }
    plain: dict[str, dict[str, Any]] = json.loads(json.dumps(lineage))  # as it will be read back
    return plain


def _origin(index: ShardIndex) -> tuple[str, Mapping[str, Any]]:
    return index.ferkit_version, index.lineage


def _index(
    dataset: Dataset,
    plan: PackPlan,
    settings: PackSettings,
    lineage: Mapping[str, Mapping[str, Any]],
    results: Sequence[ShardResult],
) -> ShardIndex:
    train = plan.counts.get("train", {})
    mean, std = _mean_and_std([r for r in results if r.entry.split == "train"], dataset, plan)
    return ShardIndex(
        ferkit_version=ferkit_version(),
        name=_name(dataset),
        class_names=dataset.class_names,
        image_shape=dataset.image_shape,
        seed=settings.seed,
        counts=plan.counts,
        class_weights={
            "original": class_weights({name: train[name].before for name in train}),
            "balanced": class_weights({name: train[name].total for name in train}),
        },
        pixel_mean=mean,
        pixel_std=std,
        leakage=plan.leakage,
        lineage=lineage,
        human_accuracy=_human_accuracy(dataset),
        container=settings.format,
        shards=tuple(result.entry for result in results),
    )


def _name(dataset: Dataset) -> str:
    """What the data set is called: its sources' manifests, where they are known, or names."""
    names = [s.name if s.manifest == GENERIC else s.manifest for s in dataset.info.sources]
    return " + ".join(dict.fromkeys(names))


def _human_accuracy(dataset: Dataset) -> HumanAccuracy | None:
    """What was published of people on this data set; None where its classes are not those."""
    manifests = {source.manifest for source in dataset.info.sources}
    own = any("manifest" in source.paths for source in dataset.info.sources)
    if own or len(manifests) != 1 or not manifests <= set(manifest_names()):
        return None
    manifest = load_manifest(manifests.pop())
    mapped = any("class_map" in source.settings for source in dataset.info.sources)
    if mapped or set(dataset.class_names) != set(manifest.classes):
        return None
    return manifest.human_accuracy


def _mean_and_std(
    results: Sequence[ShardResult], dataset: Dataset, plan: PackPlan
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Of the training originals, scaled to 0 to 1, one a channel; 0 and 1 where there are none.

    Exact: sums of integers, rounded once.
    """
    height, width, channels = dataset.image_shape
    num_images = sum(count.original for count in plan.counts.get("train", {}).values())
    if num_images == 0:
        return (0.0,) * channels, (1.0,) * channels
    n = num_images * height * width
    sums = [sum(result.sums[c] for result in results) for c in range(channels)]
    squares = [sum(result.squares[c] for result in results) for c in range(channels)]
    mean = tuple(s / (255 * n) for s in sums)
    std = tuple(
        math.sqrt((n * q - s * s) / (255 * n) ** 2) for s, q in zip(sums, squares, strict=True)
    )
    return mean, std

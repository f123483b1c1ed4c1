"""What is in a data set and what is wrong with it, in numbers; changes nothing."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fer_data.dataset import Dataset
from fer_data.duplicate_report import label_conflicts, leakage
from fer_data.filter import FilterReport, judge_samples, score_values
from fer_data.filter_settings import PRESETS, FilterSettings, default_filter
from fer_data.verdicts import OFFICIAL_TESTS

#: Shares of the samples at which the scores are described.
QUANTILES = (0.0, 0.01, 0.25, 0.5, 0.75, 0.99, 1.0)
_NUM_SIZES = 8
_NO_SPLIT, _DROPPED = "none", "dropped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Twins:
    """What pictures that stand in the set several times do to it.

    Attributes:
        groups: of twins.
        samples: in these groups.
        conflicting: groups whose samples carry different labels.
        conflicting_within: of these, groups in which one split alone contradicts itself.
        conflicting_across: of these, groups that stand in several splits.
        leaks: pairs of splits that share pictures, and how many.
        leaking_sources: pairs of sources likewise.
    """

    groups: int
    samples: int
    conflicting: int
    conflicting_within: int
    conflicting_across: int
    leaks: tuple[Mapping[str, Any], ...]
    leaking_sources: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreFacts:
    """One score over all samples, and what it has to do with the classes.

    Attributes:
        quantiles: the score at each of `QUANTILES`.
        class_means: class name → mean; classes without samples are left out.
        class_share: share of the score's variance that the class explains (correlation ratio,
            eta squared), 0 to 1.
        class_share_kept: the same of the samples that the filter keeps.
    """

    quantiles: tuple[float, ...]
    class_means: Mapping[str, float]
    class_share: float
    class_share_kept: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """A data set in numbers.

    Attributes:
        num_samples: of all.
        classes: official split ("none" where a source has none) → class name → samples.
        decided: the same of the split that was decided, "dropped" for what the filter takes; empty
            where none is in place.
        sources: name, manifest and number of files of each.
        sizes: "width x height" of the pictures as they were stored → samples, the commonest first.
        rejections: reason → files.
        num_images: different pictures, pixel by pixel.
        num_blank: samples of one grey level.
        num_black: of these, black ones.
        blank_labels: class name → blank samples.
        leak_labels: official validation or test split → class name → samples whose identical twin
            stands in another split.
        twins: of identical pictures.
        near: of near and mirrored pictures and identical ones together.
        scores: by name.
        filter_settings: the filter in place, or the one that suits the data set.
        filter_command: decides it.
        is_filtered: whether it is in place.
        filter_report: what it drops.
        brightness_kept: class name → mean grey level of what the filter keeps.
        brightness_dropped: class name → mean grey level of what it drops.
    """

    num_samples: int
    classes: Mapping[str, Mapping[str, int]]
    decided: Mapping[str, Mapping[str, int]]
    sources: tuple[Mapping[str, Any], ...]
    sizes: Mapping[str, int]
    rejections: Mapping[str, int]
    num_images: int
    num_blank: int
    num_black: int
    blank_labels: Mapping[str, int]
    leak_labels: Mapping[str, Mapping[str, int]]
    twins: Twins
    near: Twins
    scores: Mapping[str, ScoreFacts]
    filter_settings: FilterSettings
    filter_command: str
    is_filtered: bool
    filter_report: FilterReport
    brightness_kept: Mapping[str, float]
    brightness_dropped: Mapping[str, float]

    @property
    def splits(self) -> Mapping[str, Mapping[str, int]]:
        """Split → class name → samples: as decided, else as the sources have them."""
        return self.decided or self.classes

    @property
    def num_redundant(self) -> int:
        """Samples beyond one an image."""
        return self.num_samples - self.num_images

    def to_json(self) -> dict[str, Any]:
        """JSON values, for machines."""
        values = asdict(self) | {"num_redundant": self.num_redundant}
        values["filter_settings"] = self.filter_settings.to_json()
        values["filter_report"]["num_dropped"] = self.filter_report.num_dropped
        return values


def inspect_dataset(dataset: Dataset) -> Inspection:
    """A data set in numbers.

    Args:
        dataset: with its scores and duplicates measured.

    Raises:
        MissingStageError: they have not been.
    """
    samples = dataset.samples(["key", "source", "label", "split"])
    labels = pc.index_in(samples["label"], value_set=pa.array(dataset.class_names)).to_numpy()
    is_filtered = dataset.is_done("filter")
    settings, command = suggest_filter(dataset)
    if is_filtered:
        settings = FilterSettings.from_json(dataset.stage("filter").settings)
    table, report = judge_samples(dataset, settings)
    keep = table["keep"].to_numpy()
    brightness = score_values(dataset, "brightness")
    is_blank = score_values(dataset, "flat_share") == 1.0
    names = dataset.class_names
    return Inspection(
        num_samples=len(samples),
        classes=_count_classes(samples, names),
        decided=_count_decided(dataset, samples) if dataset.is_done("split") else {},
        sources=tuple(
            {"name": s.name, "manifest": s.manifest, "kind": s.kind, "files": s.num_files}
            for s in dataset.info.sources
        ),
        sizes=_count_sizes(dataset),
        rejections=_count_rejections(dataset),
        num_images=pc.count_distinct(dataset.samples(["pixel_sha256"])["pixel_sha256"]).as_py(),
        num_blank=int(is_blank.sum()),
        num_black=int((is_blank & (brightness == 0)).sum()),
        blank_labels=_count_labels(labels[is_blank], names),
        leak_labels=_leak_labels(dataset, samples),
        twins=_twins(dataset, samples, "exact"),
        near=_twins(dataset, samples, "group"),
        scores={
            name: _score_facts(score_values(dataset, name), labels, keep, names)
            for name in dataset.table("quality").column_names
            if name != "key"
        },
        filter_settings=settings,
        filter_command=command,
        is_filtered=is_filtered,
        filter_report=report,
        brightness_kept=_means(brightness[keep], labels[keep], names),
        brightness_dropped=_means(brightness[~keep], labels[~keep], names),
    )


def suggest_filter(dataset: Dataset) -> tuple[FilterSettings, str]:
    """The filter that suits a data set, and the command for it."""
    manifests = {source.manifest for source in dataset.info.sources}
    preset = manifests.pop() if len(manifests) == 1 else ""
    if preset in PRESETS and not PRESETS[preset].settings.needs_faces:
        return PRESETS[preset].settings, f"ferdata filter --preset {preset}"
    return default_filter(dataset.info.image.color), "ferdata filter"


def _count_classes(samples: pa.Table, names: Sequence[str]) -> dict[str, dict[str, int]]:
    counted = samples.group_by(["split", "label"]).aggregate([([], "count_all")]).to_pylist()
    numbers = {(row["split"], row["label"]): row["count_all"] for row in counted}
    order = ["train", "validation", "test", None, _DROPPED]
    splits = [split for split in order if any(split == other for other, _ in numbers)]
    return {
        split or _NO_SPLIT: {name: numbers.get((split, name), 0) for name in names}
        for split in splits
    }


def _count_decided(dataset: Dataset, samples: pa.Table) -> dict[str, dict[str, int]]:
    """As `_count_classes`, by the decided split and the labels that samples were given."""
    decided, kept = dataset.table("split"), dataset.kept_samples(["key", "label"])
    rows = pc.index_in(samples["key"], value_set=decided["key"].combine_chunks())
    relabelled = pc.index_in(samples["key"], value_set=kept["key"].combine_chunks())
    placed = {
        "split": pc.fill_null(decided["split"].take(rows), _DROPPED),
        "label": pc.coalesce(kept["label"].take(relabelled), samples["label"]),
    }
    return _count_classes(pa.table(placed), dataset.class_names)


def _count_sizes(dataset: Dataset) -> dict[str, int]:
    sizes = dataset.samples(["height", "width"])
    counted = sizes.group_by(["width", "height"]).aggregate([([], "count_all")]).to_pylist()
    commonest = sorted(counted, key=lambda row: (-row["count_all"], row["width"], row["height"]))
    found = {f"{r['width']}x{r['height']}": r["count_all"] for r in commonest[:_NUM_SIZES]}
    if len(commonest) > _NUM_SIZES:
        found["others"] = sum(row["count_all"] for row in commonest[_NUM_SIZES:])
    return found


def _count_rejections(dataset: Dataset) -> dict[str, int]:
    return dict(Counter(dataset.rejected()["reason"].to_pylist()).most_common())


def _count_labels(labels: NDArray[np.int32], names: Sequence[str]) -> dict[str, int]:
    counts = np.bincount(labels, minlength=len(names)).tolist()
    return {name: count for name, count in zip(names, counts, strict=True) if count}


def _twins(dataset: Dataset, samples: pa.Table, same: str) -> Twins:
    table = dataset.table("duplicates")
    conflicts = label_conflicts(table, samples, same=same)
    members = table[same].drop_null()
    return Twins(
        groups=pc.count_distinct(members).as_py(),
        samples=len(members),
        conflicting=len(conflicts),
        conflicting_within=pc.sum(conflicts["within"]).as_py() or 0,
        conflicting_across=pc.sum(conflicts["across"]).as_py() or 0,
        leaks=tuple(leakage(table, samples, same=same).to_pylist()),
        leaking_sources=tuple(leakage(table, samples, between="source", same=same).to_pylist()),
    )


def _leak_labels(dataset: Dataset, samples: pa.Table) -> dict[str, dict[str, int]]:
    table = dataset.table("duplicates")
    table = table.filter(pc.is_valid(table["exact"])).select(["key", "exact"])
    twins = samples.select(["key", "label", "split"]).join(table, "key", join_type="inner")
    splits: dict[int, set[str | None]] = defaultdict(set)
    for number, split in zip(twins["exact"].to_pylist(), twins["split"].to_pylist(), strict=True):
        splits[number].add(split)
    found: dict[str, Counter[str]] = {}
    for row in twins.to_pylist():
        if row["split"] in OFFICIAL_TESTS and len(splits[row["exact"]]) > 1:
            found.setdefault(row["split"], Counter())[row["label"]] += 1
    return {split: dict(counts.most_common()) for split, counts in sorted(found.items())}


def _score_facts(
    values: NDArray[np.float64],
    labels: NDArray[np.int32],
    keep: NDArray[np.bool_],
    names: Sequence[str],
) -> ScoreFacts:
    return ScoreFacts(
        quantiles=tuple(np.quantile(values, QUANTILES).tolist()),
        class_means=_means(values, labels, names),
        class_share=_explained(values, labels),
        class_share_kept=_explained(values[keep], labels[keep]),
    )


def _means(
    values: NDArray[np.float64], labels: NDArray[np.int32], names: Sequence[str]
) -> dict[str, float]:
    """Class name → mean of its values; classes without any are left out."""
    counts = np.bincount(labels, minlength=len(names))
    sums = np.bincount(labels, values, minlength=len(names))
    return {
        name: float(total / count)
        for name, count, total in zip(names, counts, sums, strict=True)
        if count
    }


def _explained(values: NDArray[np.float64], labels: NDArray[np.int32]) -> float:
    """Share of the variance that lies between classes: eta squared, 0 to 1."""
    total = float(((values - values.mean()) ** 2).sum()) if len(values) else 0.0
    if total == 0.0:
        return 0.0
    counts = np.bincount(labels)
    means = np.bincount(labels, values) / np.maximum(counts, 1)
    return float((counts * (means - values.mean()) ** 2).sum()) / total

"""Puts every kept sample into train, validation and test, or folds, groups together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fer_data.dataset import Dataset
from fer_data.errors import SettingsError
from fer_data.shards.index import SPLITS
from fer_data.split_deal import deal
from fer_data.split_groups import (
    DEFAULT_GROUP_BY,
    DUPLICATES,
    GROUP_COLUMNS,
    SampleGroups,
    join_samples,
    renumber,
)
from fer_data.split_official import fixed_splits, follow_official, free_shares
from fer_data.split_report import OffRatio, Placement, SplitReport, report_split

__all__ = ["SPLITS", "OffRatio", "SplitReport", "SplitSettings", "plan_split", "split_samples"]

_TRAIN, _VALIDATION, _TEST = range(len(SPLITS))
#: The order in which splits are dealt: the test split depends on its own share alone.
_DEALT = (_TEST, _VALIDATION, _TRAIN)
_MOST_FOLDS = 100
_NONE = -1

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitSettings:
    """How samples are split.

    Attributes:
        ratios: shares of train, validation and test; any positive scale. Not used with folds.
        keep_official: leave samples in the split their source gives them. What the source lacks
            is taken from its train split: validation, and test too where it has neither. Of
            folds, leave the test split out.
        group_by: what keeps samples in one split, beside identical pixels: "duplicates" for
            families of identical, near and mirrored pictures, or the name of any attribute:
            samples of one source with the same value.
        folds: parts of equal size for cross-validation, 2 to 100; 0 for none.
        fold: the one that is the validation split, from 1; the others are the train split.
        seed: of the choice.
    """

    ratios: tuple[float, float, float] = (80, 10, 10)
    keep_official: bool = True
    group_by: tuple[str, ...] = DEFAULT_GROUP_BY
    folds: int = 0
    fold: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        is_finite = math.isfinite(sum(self.ratios))  # nor may the sum overflow
        if len(self.ratios) != 3 or not is_finite or min(self.ratios) < 0 or self.ratios[0] <= 0:
            raise SettingsError(
                "ratios must be three shares, of train, validation and test, the first above 0, "
                f"for example 80/10/10; received {'/'.join(f'{r:g}' for r in self.ratios)}"
            )
        if len(set(self.group_by)) < len(self.group_by) or "" in self.group_by:
            raise SettingsError(
                "group_by must be duplicates or names of attributes, each once; "
                f"received {', '.join(self.group_by)}"
            )
        if self.folds != 0 and not 2 <= self.folds <= _MOST_FOLDS:
            raise SettingsError(f"folds must be 2 to {_MOST_FOLDS}; received {self.folds}")
        if not 1 <= self.fold <= max(self.folds, 1):
            of = f"1 to {self.folds}, one of the folds" if self.folds else "1 without folds"
            raise SettingsError(f"fold must be {of}; received {self.fold}")

    @classmethod
    def from_json(cls, settings: Mapping[str, Any]) -> SplitSettings:
        """The settings that a stage record holds."""
        tuples = {n: tuple(settings[n]) for n in ("ratios", "group_by") if n in settings}
        return cls(**{**settings, **tuples})


def plan_split(dataset: Dataset, settings: SplitSettings) -> tuple[pa.Table, SplitReport]:
    """Where each kept sample would go: a table with columns `key` and `split`, and a report.

    With folds there is a third column, `fold`: int32 from 1, the same whichever of them is the
    validation split; null for samples in none, where the source's test split decides.

    Groups are put into an order that depends on the seed and on who they are only, so adding
    samples moves few others.

    Raises:
        SettingsError: a class has fewer groups than there are splits or folds, no sample has the
            attribute to group by, or the filter keeps no sample.
        MissingStageError: duplicates are asked for and have not been looked for.
    """
    samples = dataset.kept_samples(["label", "split", *GROUP_COLUMNS])
    if len(samples) == 0:
        raise SettingsError("the filter keeps no sample; loosen it and run `ferdata filter` again")
    groups = join_samples(dataset, samples, settings.group_by)
    placed = _place(samples, groups, dataset.class_names, settings)
    columns = {
        "key": samples["key"],
        "split": pa.array(SPLITS).take(pa.array(placed.split)),
    }
    if settings.folds:
        columns["fold"] = pa.array(placed.part + 1, pa.int32(), mask=placed.part == _NONE)
    return pa.table(columns), report_split(placed, samples)


def split_samples(dataset: Dataset, settings: SplitSettings) -> tuple[Dataset, SplitReport]:
    """The data set with the split's table published, and the report."""
    table, report = plan_split(dataset, settings)
    counts = {
        "samples": len(table),
        "official": report.num_official,
        "classes": {split: dict(counts) for split, counts in report.classes.items()},
        "leaks": report.leaks,
        "leaked": dict(report.leaked),
        "groups": report.num_groups,
        "grouped": report.num_grouped,
        "off_ratio": len(report.off_ratio),
    }
    inputs = ["ingest", "filter"] + [name for name in settings.group_by if name == DUPLICATES]
    lists = {"ratios": list(settings.ratios), "group_by": list(settings.group_by)}
    stage = asdict(settings) | lists
    return dataset.publish("split", table, settings=stage, counts=counts, inputs=inputs), report


def _place(
    samples: pa.Table, groups: SampleGroups, class_names: tuple[str, ...], settings: SplitSettings
) -> Placement:
    """Every sample's split, and its fold where there are any."""
    labels = pc.index_in(samples["label"], value_set=pa.array(class_names))
    labels = labels.to_numpy().astype(np.int64)
    official = np.full(len(samples), _NONE, np.int64)
    if settings.keep_official:
        given = pc.index_in(samples["split"], value_set=pa.array(SPLITS))
        official = pc.fill_null(given, _NONE).to_numpy().astype(np.int64)
    ratios = np.array(settings.ratios, np.float64) / sum(settings.ratios)
    parts: tuple[str, ...] = SPLITS
    wanted, shares = ratios, free_shares(ratios, official)
    sequence = np.array([part for part in _DEALT if shares[part] > 0])
    if settings.folds:
        parts = tuple(f"fold {number}" for number in range(1, settings.folds + 1))
        wanted = shares = np.full(settings.folds, 1 / settings.folds)
        sequence = np.arange(settings.folds)
    fixed = fixed_splits(official, folds=settings.folds > 0)
    split = follow_official(groups, official, fixed)
    is_dealt = split == _NONE
    rows = np.flatnonzero(is_dealt)
    numbers, members = renumber(groups.of_sample[rows])
    _check_groups(class_names, labels[rows], members, [parts[p] for p in sorted(sequence)])
    part = np.full(len(samples), _NONE, np.int64)
    if len(rows):
        names = pa.array(sorted(pc.unique(samples["source"]).to_pylist()))
        sources = pc.index_in(samples["source"], value_set=names).to_numpy().astype(np.int64)
        order = groups.order(settings.seed)[numbers]
        dealt = deal(members, labels[rows], sources[rows], order, shares[sequence])
        part[rows] = sequence[dealt[members]]
    if settings.folds:
        split[rows] = np.where(part[rows] == settings.fold - 1, _VALIDATION, _TRAIN)
    else:
        part = split = np.where(is_dealt, part, split)
    return Placement(
        class_names=class_names, labels=labels, official=official, split=split, is_dealt=is_dealt,
        part=part, parts=parts, wanted=wanted, dealt=shares, groups=groups,
    )  # fmt: skip


def _check_groups(
    class_names: tuple[str, ...], labels: Numbers, groups: Numbers, parts: list[str]
) -> None:
    """Refuses a class that cannot be in every part."""
    pairs = renumber(groups * len(class_names) + labels)[0]
    counts = np.bincount(pairs % len(class_names), minlength=len(class_names))
    for label in np.flatnonzero((counts > 0) & (counts < len(parts))).tolist():
        count, needed = int(counts[label]), f"{len(parts)} splits ({', '.join(parts)})"
        advice = "other --ratios, such as 80/20/0"
        if parts[0].startswith("fold"):
            needed, advice = f"{len(parts)} folds", "fewer --folds"
        raise SettingsError(
            f"class {class_names[label]} has {count:,} {'group' if count == 1 else 'groups'} of "
            f"samples that stay together ({(labels == label).sum():,} samples to be dealt), and "
            f"{needed} need one each; ask for {advice}, or join less with --group-by, or leave "
            f"the class out with `ferdata ingest --map {class_names[label]}=drop`"
        )

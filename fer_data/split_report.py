"""How close a split came to what was asked, and what keeping groups together cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fer_data.shards.index import SPLITS
from fer_data.split_groups import SampleGroups, describe_group

#: A class that is further than this from its ratio is named in the report.
CLOSE = 0.01

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class OffRatio:
    """A class that is further than 1% from its ratio, and why.

    Attributes:
        class_name: of the class.
        part: the split, or the fold as "fold 1".
        wanted: share of the class's samples, 0 to 1.
        reached: likewise.
        why: in words.
        official: whether it is the official splits that decide.
    """

    class_name: str
    part: str
    wanted: float
    reached: float
    why: str
    official: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitReport:
    """Where the samples went.

    Attributes:
        classes: split → class name → samples.
        num_official: samples that stayed where their source had put them.
        leaks: groups of identical samples that official splits keep in several splits.
        leaked: split → samples of those groups.
        folds: fold from 1 → class name → samples; empty without folds.
        wanted: split, or "fold 1" …, → class name → the share asked for, 0 to 1.
        reached: likewise, the share that it has.
        off_ratio: what is further than 1% from its ratio.
        num_groups: groups of several samples.
        num_grouped: samples in them.
        largest: samples in the largest group.
        largest_name: what that is, in words; "" where no group has several samples.
    """

    classes: Mapping[str, Mapping[str, int]]
    num_official: int
    leaks: int
    leaked: Mapping[str, int]
    folds: Mapping[int, Mapping[str, int]]
    wanted: Mapping[str, Mapping[str, float]]
    reached: Mapping[str, Mapping[str, float]]
    off_ratio: Sequence[OffRatio]
    num_groups: int
    num_grouped: int
    largest: int
    largest_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where n samples were put, and what decided.

    Attributes:
        class_names: in order.
        labels: int64 array of shape (n,), a row of the class names.
        official: int64 array of shape (n,), a row of `SPLITS`, or -1.
        split: int64 array of shape (n,), a row of `SPLITS`.
        is_dealt: bool array of shape (n,): False where official splits decide.
        part: int64 array of shape (n,): a row of `parts`; with folds -1 for samples in none.
        parts: the splits, or "fold 1" ….
        wanted: float64 array of shape (num_parts,): shares asked for.
        dealt: float64 array of shape (num_parts,): shares in which samples were dealt.
        groups: of the samples.
    """

    class_names: Sequence[str]
    labels: Numbers
    official: Numbers
    split: Numbers
    is_dealt: NDArray[np.bool_]
    part: Numbers
    parts: Sequence[str]
    wanted: NDArray[np.float64]
    dealt: NDArray[np.float64]
    groups: SampleGroups

    def count(self, part: Numbers, num_parts: int) -> Numbers:
        """Samples of each part and class: int64 array of shape (num_parts, num_classes)."""
        rows = part >= 0
        num_classes = len(self.class_names)
        cells = part[rows] * num_classes + self.labels[rows]
        counts = np.bincount(cells, minlength=num_parts * num_classes)
        return counts.reshape(num_parts, num_classes).astype(np.int64)


def report_split(placed: Placement, samples: pa.Table) -> SplitReport:
    """The report of a split.

    Args:
        placed: where the samples were put.
        samples: their table.
    """
    names = list(placed.class_names)
    in_split = placed.count(placed.split, len(SPLITS))
    in_part = placed.count(placed.part, len(placed.parts))
    in_class = np.maximum(in_part.sum(axis=0), 1)
    there = np.flatnonzero(in_part.sum(axis=0))
    stays = placed.split == placed.official
    if placed.parts != SPLITS:
        stays &= ~placed.is_dealt  # that a fold is train in this round is chance
    leaking, leaked = _leaks(placed)
    sizes = placed.groups.num_samples
    largest = int(np.argmax(sizes))
    has_groups = bool(sizes[largest] > 1)
    return SplitReport(
        classes={
            split: dict(zip(names, counts, strict=True))
            for split, counts in zip(SPLITS, in_split.tolist(), strict=True)
            if sum(counts)
        },
        num_official=int(stays.sum()),
        leaks=leaking,
        leaked={split: n for split, n in zip(SPLITS, leaked, strict=True) if n},
        folds={
            number: dict(zip(names, counts, strict=True))
            for number, counts in enumerate(in_part.tolist(), start=1)
            if placed.parts != SPLITS
        },
        wanted={
            part: {names[label]: float(share) for label in there}
            for part, share in zip(placed.parts, placed.wanted, strict=True)
        },
        reached={
            part: {names[label]: float(shares[label]) for label in there}
            for part, shares in zip(placed.parts, in_part / in_class, strict=True)
        },
        off_ratio=tuple(_off_ratio(placed, in_part, samples)),
        num_groups=int((sizes > 1).sum()),
        num_grouped=int(sizes[sizes > 1].sum()),
        largest=int(sizes[largest]),
        largest_name=describe_group(placed.groups, samples, largest) if has_groups else "",
    )


def _leaks(placed: Placement) -> tuple[int, list[int]]:
    """Groups of identical samples in several splits, and their samples in each split."""
    identical = placed.groups.codes["identical"]
    held = np.zeros(identical.max(initial=-1) + 1, np.int64)
    np.bitwise_or.at(held, identical, np.left_shift(1, placed.split))
    leaking = (held & (held - 1)) != 0
    leaked = np.bincount(placed.split[leaking[identical]], minlength=len(SPLITS))
    return int(leaking.sum()), leaked.tolist()


def _off_ratio(placed: Placement, in_part: Numbers, samples: pa.Table) -> Iterator[OffRatio]:
    for label in np.flatnonzero(in_part.sum(axis=0)).tolist():
        num_samples = int(in_part[:, label].sum())
        reached = in_part[:, label] / num_samples
        off = np.flatnonzero(np.abs(reached - placed.wanted) > CLOSE)
        if len(off) == 0:
            continue
        rows = np.flatnonzero((placed.labels == label) & (placed.part >= 0))
        dealt = rows[placed.is_dealt[rows]]
        fixed = rows[~placed.is_dealt[rows]]
        counts = np.bincount(placed.part[fixed], minlength=len(placed.parts))
        possible = (counts + placed.dealt * len(dealt)) / num_samples
        because = _largest_group(placed, dealt, samples) if len(dealt) else ""
        for part in off.tolist():
            missed = abs(reached[part] - possible[part])
            official = abs(possible[part] - placed.wanted[part]) > missed
            yield OffRatio(
                class_name=placed.class_names[label],
                part=placed.parts[part],
                wanted=float(placed.wanted[part]),
                reached=float(reached[part]),
                why="official splits are kept" if official else because,
                official=bool(official),
            )


def _largest_group(placed: Placement, rows: Numbers, samples: pa.Table) -> str:
    """Which group of a class is the least movable, in words."""
    numbers, counts = np.unique(placed.groups.of_sample[rows], return_counts=True)
    most = int(np.argmax(counts))
    if counts[most] == 1:
        return f"one of its {len(rows):,} samples is {1 / len(rows):.1%} of it"
    name = describe_group(placed.groups, samples, int(numbers[most]))
    return (
        f"the largest of its {len(numbers):,} groups, {name}, has {counts[most]:,} "
        f"of its {len(rows):,} samples"
    )

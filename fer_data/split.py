"""Puts every kept sample into train, validation or test, identical pictures together."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import pyarrow as pa

from fer_data.dataset import Dataset
from fer_data.errors import SettingsError

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitSettings:
    """How samples are split.

    Attributes:
        ratios: shares of train, validation and test; any positive scale.
        keep_official: leave samples in the split their source gives them. What the source lacks
            is taken from its train split: validation, and test too where it has neither.
        seed: of the choice.
    """

    ratios: tuple[float, float, float] = (80, 10, 10)
    keep_official: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        if len(self.ratios) != 3 or min(self.ratios) < 0 or self.ratios[0] <= 0:
            raise SettingsError(
                "ratios must be three shares, of train, validation and test, the first above 0, "
                f"for example 80/10/10; received {'/'.join(f'{r:g}' for r in self.ratios)}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitReport:
    """Where the samples went.

    Attributes:
        classes: split → class name → samples.
        num_official: samples that stayed where their source had put them.
        leaks: groups of identical samples that official splits keep in several splits.
        leaked: split → samples of those groups.
    """

    classes: Mapping[str, Mapping[str, int]]
    num_official: int
    leaks: int
    leaked: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """Samples that must stand in one split."""

    rows: Sequence[int]
    label: str
    identity: str  # the same whatever else is in the data set


def plan_split(dataset: Dataset, settings: SplitSettings) -> tuple[pa.Table, SplitReport]:
    """Where each kept sample would go: a table with columns `key` and `split`, and a report.

    Within a class, groups of identical samples are put into an order that depends on the seed and
    on their pixels only, then dealt to test, validation and train until each has its share; so
    adding samples moves few others.
    """
    samples = _kept_samples(dataset)
    labels: list[str] = samples["label"].to_pylist()
    official: list[str | None] = samples["split"].to_pylist()
    if not settings.keep_official:
        official = [None] * len(samples)
    split_of = list(official)
    given = {split for split in official if split}
    shares = _free_shares(settings, given)
    fixed_splits = {"validation", "test"} | ({"train"} if "validation" in given else set())
    groups = list(_groups(samples, labels))
    by_class: dict[str, list[_Group]] = defaultdict(list)
    for group in groups:
        fixed = {official[row] for row in group.rows} - {None}
        if fixed & fixed_splits:
            # the free ones follow the fixed ones, into train where those are in several splits
            home = next(split for split in SPLITS if split in fixed)
            for row in group.rows:
                split_of[row] = official[row] or home
        else:
            by_class[group.label].append(group)
    for members in by_class.values():
        _deal(members, shares, settings.seed, split_of)
    report = _report(dataset, groups, labels, official, split_of)
    return pa.table({"key": samples["key"], "split": pa.array(split_of, pa.string())}), report


def split_samples(dataset: Dataset, settings: SplitSettings) -> tuple[Dataset, SplitReport]:
    """The data set with the split's table published, and the report."""
    table, report = plan_split(dataset, settings)
    counts = {
        "samples": len(table),
        "official": report.num_official,
        "classes": {split: dict(counts) for split, counts in report.classes.items()},
        "leaks": report.leaks,
        "leaked": dict(report.leaked),
    }
    inputs = ["ingest", "filter"]
    stage = asdict(settings) | {"ratios": list(settings.ratios)}
    return dataset.publish("split", table, settings=stage, counts=counts, inputs=inputs), report


def _kept_samples(dataset: Dataset) -> pa.Table:
    samples = dataset.kept_samples(["key", "label", "split", "pixel_sha256"])
    if len(samples) == 0:
        raise SettingsError("the filter keeps no sample; loosen it and run `ferdata filter` again")
    return samples


def _free_shares(settings: SplitSettings, official: set[str]) -> dict[str, float]:
    """Shares in which free samples are dealt, given the splits that are fixed already."""
    shares = dict(zip(SPLITS, settings.ratios, strict=True))
    if official & {"validation", "test"}:
        shares["test"] = 0.0  # the source keeps its test to itself, or has one
    if "validation" in official:
        shares["validation"] = 0.0
    total = sum(shares.values())
    return {split: share / total for split, share in shares.items()}


def _groups(samples: pa.Table, labels: Sequence[str]) -> Iterator[_Group]:
    rows_of: dict[bytes, list[int]] = defaultdict(list)
    for row, digest in enumerate(samples["pixel_sha256"].to_pylist()):
        rows_of[digest].append(row)
    for digest, rows in rows_of.items():
        label = Counter(labels[row] for row in rows).most_common(1)[0][0]
        yield _Group(rows=rows, label=label, identity=digest.hex())


def _deal(
    groups: list[_Group], shares: Mapping[str, float], seed: int, split_of: list[str | None]
) -> None:
    """Puts the groups of one class into splits, in place."""

    def order(group: _Group) -> bytes:
        return hashlib.sha256(f"{seed}/{group.identity}".encode()).digest()

    num_samples = sum(len(group.rows) for group in groups)
    waiting = iter(sorted(groups, key=order))
    for split in ("test", "validation"):
        wanted, placed = round(shares[split] * num_samples), 0
        while placed < wanted:
            group = next(waiting)
            placed += len(group.rows)
            for row in group.rows:
                split_of[row] = split
    for group in waiting:
        for row in group.rows:
            split_of[row] = "train"


def _report(
    dataset: Dataset,
    groups: Sequence[_Group],
    labels: Sequence[str],
    official: Sequence[str | None],
    split_of: Sequence[str | None],
) -> SplitReport:
    counted = Counter(zip(split_of, labels, strict=True))
    leaks, leaked = 0, Counter[str]()
    for group in groups:
        splits = [split_of[row] for row in group.rows]
        if len(set(splits)) > 1:
            leaks += 1
            leaked.update(split for split in splits if split)
    return SplitReport(
        classes={
            split: {name: counted[split, name] for name in dataset.class_names}
            for split in SPLITS
            if split in split_of
        },
        num_official=sum(
            given is not None and given == taken
            for given, taken in zip(official, split_of, strict=True)
        ),
        leaks=leaks,
        leaked={split: leaked[split] for split in SPLITS if split in leaked},
    )

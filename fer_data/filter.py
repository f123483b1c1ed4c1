"""Decides which samples to keep, from the quality scores and the duplicates. Drops no file."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fer_data.dataset import Dataset
from fer_data.errors import FilterLossError, SettingsError

#: relFCs beyond which a picture shows next to nothing. Colour: as published for the 96x96
#: AffectNet subset. Grey: the strictest value that spares real faces of FER2013.
DEFAULT_RELFCS = {"gray": 0.80, "rgb": 0.90}
#: Share of one grey level beyond which a picture is blank. On FER2013's Training and PublicTest
#: 36 pictures lie beyond .50, all voted "not a face" by FER+; of 65 beyond .40 only 45 are, the
#: others are drawings and faces before a black or white wall.
DEFAULT_BLANK = 0.50


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterSettings:
    """What to drop; None, "keep" and "keep-all" drop nothing.

    Attributes:
        blank: drop a sample whose commonest grey level fills more than this share, 0 to 1.
        relfcs: drop a sample whose first-component share is more than this, 0 to 1.
        conflicts: "drop" identical pictures that carry different labels, or "keep" them.
        leaks: "drop-train": of identical pictures in several official splits those in train.
        duplicates: "keep-one" of identical training pictures, or "keep-all".
        max_loss: largest share of its samples a class may lose, 0 to 1.
    """

    blank: float | None = None
    relfcs: float | None = None
    conflicts: str = "keep"
    leaks: str = "keep"
    duplicates: str = "keep-all"
    max_loss: float = 0.20

    def __post_init__(self) -> None:
        for name in ("blank", "relfcs", "max_loss"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise SettingsError(f"{name} must be a share from 0 to 1; received {value}")
        allowed = {
            "conflicts": ("drop", "keep"),
            "leaks": ("drop-train", "keep"),
            "duplicates": ("keep-one", "keep-all"),
        }
        for name, values in allowed.items():
            if getattr(self, name) not in values:
                raise SettingsError(
                    f'{name} must be one of {", ".join(values)}; received "{getattr(self, name)}"'
                )


def default_filter(color: str) -> FilterSettings:
    """The strict filter for grey ("gray") or colour ("rgb") pictures: all of it, carefully."""
    return FilterSettings(
        blank=DEFAULT_BLANK,
        relfcs=DEFAULT_RELFCS[color],
        conflicts="drop",
        leaks="drop-train",
        duplicates="keep-one",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterReport:
    """What a filter decided.

    Attributes:
        num_samples: that went in.
        reasons: reason → samples dropped.
        flagged: reason → samples of official validation and test splits that would have been
            dropped elsewhere; they are kept, so that results stay comparable.
        classes: class name → (samples before, dropped).
    """

    num_samples: int
    reasons: Mapping[str, int]
    flagged: Mapping[str, int]
    classes: Mapping[str, tuple[int, int]]

    @property
    def num_dropped(self) -> int:
        """Samples dropped."""
        return sum(self.reasons.values())


def plan_filter(dataset: Dataset, settings: FilterSettings) -> tuple[pa.Table, FilterReport]:
    """What a filter would decide: a table with columns `key`, `keep` and `reason`, and a report.

    A sample is dropped for the first reason that holds, in this order: blank, low-detail,
    conflict, leak, duplicate. A reason beside `keep` = true is a flag.

    Raises:
        FilterLossError: a class would lose more than `max_loss`.
    """
    samples = dataset.samples(["key", "label", "split"])
    labels = samples["label"].to_pylist()
    splits = samples["split"].to_pylist()
    is_official_test = [split in ("validation", "test") for split in splits]
    reasons: list[str | None] = [None] * len(samples)
    for score, threshold, reason in (
        ("flat_share", settings.blank, "blank"),
        ("relfcs", settings.relfcs, "low-detail"),
    ):
        if threshold is not None:
            for row in np.flatnonzero(_score(dataset, score) > threshold).tolist():
                reasons[row] = reasons[row] or reason
    for members in _groups(dataset, samples):
        for row, reason in _judge_group(members, labels, splits, reasons, settings):
            reasons[row] = reason
    keep = [
        reason is None or official
        for reason, official in zip(reasons, is_official_test, strict=True)
    ]
    dropped = Counter(label for label, kept in zip(labels, keep, strict=True) if not kept)
    before = Counter(labels)
    report = FilterReport(
        num_samples=len(samples),
        reasons=_count(reasons, [not kept for kept in keep]),
        flagged=_count(reasons, keep),
        classes={name: (before[name], dropped[name]) for name in dataset.class_names},
    )
    _check_loss(report, settings.max_loss)
    table = pa.table(
        {"key": samples["key"], "keep": keep, "reason": pa.array(reasons, pa.string())}
    )
    return table, report


def filter_samples(dataset: Dataset, settings: FilterSettings) -> tuple[Dataset, FilterReport]:
    """The data set with the filter's table published, and the report.

    Raises:
        FilterLossError: a class would lose more than `max_loss`; nothing is published.
    """
    table, report = plan_filter(dataset, settings)
    counts: dict[str, Any] = {
        "samples": report.num_samples,
        "kept": report.num_samples - report.num_dropped,
        "dropped": dict(report.reasons),
        "flagged": dict(report.flagged),
    }
    inputs = ["ingest", "quality", "duplicates"]
    published = dataset.publish(
        "filter", table, settings=asdict(settings), counts=counts, inputs=inputs
    )
    return published, report


def _score(dataset: Dataset, name: str) -> NDArray[np.float64]:
    scores: NDArray[np.float64] = dataset.table("quality")[name].to_numpy()
    return scores


def _groups(dataset: Dataset, samples: pa.Table) -> Iterator[list[int]]:
    """Rows of identical samples, a group at a time."""
    row_of = {key: row for row, key in enumerate(samples["key"].to_pylist())}
    groups: dict[int, list[int]] = defaultdict(list)
    table = dataset.table("duplicates")
    for key, group in zip(table["key"].to_pylist(), table["group"].to_pylist(), strict=True):
        groups[group].append(row_of[key])
    yield from groups.values()


def _judge_group(
    members: Sequence[int],
    labels: Sequence[str],
    splits: Sequence[str | None],
    reasons: Sequence[str | None],
    settings: FilterSettings,
) -> Iterator[tuple[int, str]]:
    """Rows of one group of identical samples to drop or flag, each with the reason."""
    left = [row for row in members if reasons[row] is None]
    if settings.conflicts == "drop" and len({labels[row] for row in left}) > 1:
        yield from ((row, "conflict") for row in left)
        return
    official_tests = [row for row in left if splits[row] in ("validation", "test")]
    if settings.leaks == "drop-train" and official_tests:
        in_train = [row for row in left if splits[row] not in ("validation", "test")]
        yield from ((row, "leak") for row in in_train)
        left = official_tests
    if settings.duplicates == "keep-one":
        yield from ((row, "duplicate") for row in left[1:])


def _count(reasons: Sequence[str | None], where: Sequence[bool]) -> dict[str, int]:
    counted = Counter(r for r, counts in zip(reasons, where, strict=True) if counts and r)
    return dict(counted.most_common())


def _check_loss(report: FilterReport, max_loss: float) -> None:
    for name, (before, dropped) in report.classes.items():
        if before and dropped / before > max_loss:
            raise FilterLossError(
                f"class {name} would lose {dropped:,} of {before:,} samples "
                f"({dropped / before:.0%}), more than {max_loss:.0%}; loosen the thresholds, "
                "or allow it with --max-loss. Nothing was decided"
            )

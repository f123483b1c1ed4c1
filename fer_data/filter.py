"""Decides which samples to keep, from the quality scores and the duplicates. Drops no file."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fer_data.dataset import Dataset
from fer_data.emotions import find_class_name
from fer_data.errors import FilterLossError, MissingStageError
from fer_data.filter_settings import FilterSettings, Rule
from fer_data.verdicts import OFFICIAL_TESTS, SampleNames, Verdicts


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterReport:
    """What a filter decided.

    Attributes:
        num_samples: that went in.
        reasons: reason → samples dropped.
        flagged: reason → samples of official validation and test splits that would have been
            dropped elsewhere; they are kept, so that results stay comparable.
        classes: class name → (samples before, dropped); classes as relabelled.
        num_relabelled: samples that were given another class.
        emptied: classes that would keep no sample to train on.
    """

    num_samples: int
    reasons: Mapping[str, int]
    flagged: Mapping[str, int]
    classes: Mapping[str, tuple[int, int]]
    num_relabelled: int = 0
    emptied: tuple[str, ...] = ()

    @property
    def num_dropped(self) -> int:
        """Samples dropped."""
        return sum(self.reasons.values())


def plan_filter(dataset: Dataset, settings: FilterSettings) -> tuple[pa.Table, FilterReport]:
    """What a filter would decide, and a report; see `judge_samples`.

    Raises:
        FilterLossError: a class would lose more than `max_loss`, or all.
    """
    table, report = judge_samples(dataset, settings)
    _check_loss(report, settings.max_loss)
    return table, report


def judge_samples(dataset: Dataset, settings: FilterSettings) -> tuple[pa.Table, FilterReport]:
    """What a filter says of each sample, whatever a class loses by it.

    The table has one row a sample: `key`, `keep`, `reason`, and `label`, the class that it is given
    where that is another. A sample is dropped for the first reason that holds, in this order: a
    decision on it alone, the rules of the scores, conflict, leak, duplicate. A reason beside `keep`
    = true is a flag.

    Raises:
        MissingStageError: a score or the duplicates have not been measured.
        SettingsError: a decision names no sample.
    """
    samples = dataset.samples(["key", "path", "label", "split"])
    names = SampleNames(samples)
    decided = Verdicts(
        labels=samples["label"].to_pylist(),
        splits=samples["split"].to_pylist(),
        reasons=[None] * len(samples),
        kept=names.rows(settings.keep),
    )
    labels: list[str | None] = [None] * len(samples)
    for word, name in settings.relabel.items():
        (row,) = names.rows([word])
        label = find_class_name(name, dataset.class_names)
        if label != decided.labels[row]:
            decided.labels[row] = labels[row] = label
    asked_for = names.rows(settings.drop)
    decided.drop(asked_for, "decision")
    for rule in settings.rules:
        decided.drop(beyond(score_values(dataset, rule.score), rule).tolist(), rule.reason)
    if settings.judges_twins:
        for members in twin_groups(dataset, samples, settings.twins):
            decided.judge(members, settings)
    keep = [reason is None for reason in decided.reasons]
    if settings.official == "flag":
        keep = [
            kept or (split in OFFICIAL_TESTS and row not in asked_for)
            for row, (kept, split) in enumerate(zip(keep, decided.splits, strict=True))
        ]
    report = _report(dataset, decided, keep, sum(label is not None for label in labels))
    table = pa.table(
        {
            "key": samples["key"],
            "keep": keep,
            "reason": pa.array(decided.reasons, pa.string()),
            "label": pa.array(labels, pa.string()),
        }
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
        "relabelled": report.num_relabelled,
    }
    published = dataset.publish(
        "filter",
        table,
        settings=settings.to_json(),
        counts=counts,
        inputs=["ingest", "quality", "duplicates"],
    )
    return published, report


def score_values(dataset: Dataset, score: str) -> NDArray[np.float64]:
    """One score of all samples: float64 array of shape (n,), NaN where it was not measured.

    Raises:
        MissingStageError: no sample has it.
    """
    table = dataset.table("quality", [score])
    if score not in table.column_names:
        raise MissingStageError(f"{dataset.dir}: {score} has not been measured")
    values: NDArray[np.float64] = table[score].to_numpy()
    return values


def beyond(values: NDArray[np.float64], rule: Rule) -> NDArray[np.int64]:
    """Rows of the samples that a rule drops: int64, in order.

    A quantile drops as many as its share allows, and of equal scores all or none.

    Args:
        values: the rule's score of all samples, shape (n,).
        rule: it.
    """
    signed = values if rule.side == "above" else -values
    threshold = rule.threshold if rule.side == "above" else -rule.threshold
    if rule.is_quantile:
        measured = np.sort(signed[~np.isnan(signed)])
        num_beyond = math.floor(rule.threshold * len(measured) + 1e-9)
        threshold = measured[-num_beyond - 1] if num_beyond < len(measured) else -np.inf
    return np.flatnonzero(signed > threshold)


def twin_groups(dataset: Dataset, samples: pa.Table, twins: str) -> Iterator[list[int]]:
    """Rows of samples that are twins, a group at a time, in the order of the data set.

    Args:
        dataset: with its duplicates found.
        samples: all of them, with the column `key`.
        twins: "exact", or "near" for whole families.
    """
    table = dataset.table("duplicates")
    column = table["exact" if twins == "exact" else "group"]
    is_twin = pc.is_valid(column)
    rows = pc.index_in(table["key"], value_set=samples["key"].combine_chunks())
    groups: dict[int, list[int]] = defaultdict(list)
    for row, group in zip(
        rows.filter(is_twin).to_pylist(), column.filter(is_twin).to_pylist(), strict=True
    ):
        groups[group].append(row)
    yield from groups.values()


def _report(
    dataset: Dataset, decided: Verdicts, keep: Sequence[bool], num_relabelled: int
) -> FilterReport:
    before = Counter(decided.labels)
    pairs = list(zip(decided.labels, decided.reasons, keep, strict=True))
    dropped = Counter(label for label, _, kept in pairs if not kept)
    reasons = Counter(reason for _, reason, kept in pairs if reason and not kept)
    flagged = Counter(reason for _, reason, kept in pairs if reason and kept)
    free = [split not in OFFICIAL_TESTS for split in decided.splits]
    before_free = {label for label, is_free in zip(decided.labels, free, strict=True) if is_free}
    kept_free = {label for (label, _, kept), is_free in zip(pairs, free, strict=True)
                 if kept and is_free}  # fmt: skip
    return FilterReport(
        num_samples=len(keep),
        reasons=dict(reasons.most_common()),
        flagged=dict(flagged.most_common()),
        classes={name: (before[name], dropped[name]) for name in dataset.class_names},
        num_relabelled=num_relabelled,
        emptied=tuple(name for name in dataset.class_names if name in before_free - kept_free),
    )


def _check_loss(report: FilterReport, max_loss: float) -> None:
    if report.emptied:
        raise FilterLossError(
            f"class {report.emptied[0]} would be left without any sample to train on; loosen the "
            "thresholds, or leave the class out when you ingest. Nothing was decided"
        )
    for name, (before, dropped) in report.classes.items():
        if before and dropped / before > max_loss:
            raise FilterLossError(
                f"class {name} would lose {dropped:,} of {before:,} samples "
                f"({dropped / before:.0%}), more than {max_loss:.0%}; loosen the thresholds, "
                "or allow it with --max-loss. Nothing was decided"
            )

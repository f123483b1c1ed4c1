"""All that is said of predictions on a split: figures, how sure they are, and how honest."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_data.shards.index import ShardIndex
from fer_data.shards.samples import Samples
from fer_models.agreement import Agreement, measure_agreement
from fer_models.calibration import Calibration, measure_calibration
from fer_models.intervals import MEASURED, Interval, resample
from fer_models.metrics import Metrics, measure
from fer_models.ranking import RankCurve, rank_curves


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """How good predictions are.

    Attributes:
        metrics: on all samples.
        intervals: 95% bootstrap intervals of the metrics of `fer_models.intervals.MEASURED`.
        calibration: whether they are as often right as they claim.
        curves: how well each class is ranked; without classes that cannot be.
        num_twins: samples whose very pixels stand in the train split.
        without_twins: metrics on the others; None where there are no twins, or nothing else.
        agreement: with the votes of people; None where there are none.
    """

    metrics: Metrics
    intervals: Mapping[str, Interval]
    calibration: Calibration
    curves: Mapping[str, RankCurve]
    num_twins: int
    without_twins: Metrics | None
    agreement: Agreement | None

    def to_json(self) -> dict[str, Any]:
        """The figures as JSON values; of the curves the areas under them."""
        return self.metrics.to_json() | {
            "intervals": {
                name: {"low": found.low, "high": found.high}
                for name, found in self.intervals.items()
            },
            "calibration": dataclasses.asdict(self.calibration),
            "roc_auc": {name: curve.roc_auc for name, curve in self.curves.items()},
            "average_precision": {
                name: curve.average_precision for name, curve in self.curves.items()
            },
            "num_twins": self.num_twins,
            "without_twins": self.without_twins.to_json() if self.without_twins else None,
            "agreement": self.agreement.to_json() if self.agreement else None,
        }


def judge_predictions(
    labels: NDArray[np.int64],
    probabilities: NDArray[np.float32],
    class_names: Sequence[str],
    has_twin: NDArray[np.bool_],
    votes: NDArray[np.float32] | None = None,
) -> Judgement:
    """How good predictions are.

    Args:
        labels: int array of shape (num_samples,), rows of `class_names`.
        probabilities: array of shape (num_samples, num_classes); each row sums to 1.
        class_names: names in the order of the columns.
        has_twin: bool array of shape (num_samples,), as `find_twins` gives it.
        votes: array of shape (num_samples, num_classes), how many people chose each class; None
            where nobody was asked.

    Raises:
        SettingsError: there are no samples, or the shapes do not fit.
    """
    metrics = measure(labels, probabilities, class_names)
    drawn = resample(labels, [[probabilities.argmax(axis=1)]], len(class_names))
    others = ~has_twin
    return Judgement(
        metrics=metrics,
        intervals={name: drawn.interval(name, 0) for name in MEASURED},
        calibration=measure_calibration(labels, probabilities),
        curves=rank_curves(labels, probabilities, class_names),
        num_twins=int(has_twin.sum()),
        without_twins=measure(labels[others], probabilities[others], class_names)
        if has_twin.any() and others.any()
        else None,
        agreement=measure_agreement(votes, labels, probabilities),
    )


def find_twins(
    index: ShardIndex, split: str, samples: Samples, learned: Sequence[str] = ("train",)
) -> NDArray[np.bool_]:
    """Which samples were learned from too, pixel by pixel: whoever learned by heart knows.

    Args:
        index: of the shards.
        split: of the samples.
        samples: of the split.
        learned: splits that were learned from.

    Returns:
        bool array of shape (num_samples,); none in a split that was learned from itself.
    """
    known = index.twins(split, learned) if split not in learned else frozenset()
    return np.array([key in known for key in samples.keys.tolist()], np.bool_)

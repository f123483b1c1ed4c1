"""How well probabilities rank the samples of a class before the others: ROC and precision-recall.

One class against all others. Samples of equal probability count as one step, as scikit-learn has
it. Definitions: Fawcett, "An introduction to ROC analysis", 2006; average precision is the area
under the steps of the precision-recall curve, without interpolation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class RankCurve:
    """What is found of a class as the probability that is asked for falls, a step a probability.

    Attributes:
        recall: float64 array of shape (num_steps,): share of the class that is found, the true
            positive rate; it rises to 1.
        false_positive_rate: likewise, share of the others that is taken for the class.
        precision: likewise, share of the finds that are right.
    """

    recall: NDArray[np.float64]
    false_positive_rate: NDArray[np.float64]
    precision: NDArray[np.float64]

    @property
    def roc_auc(self) -> float:
        """Area under the ROC curve: how often a sample of the class ranks above another."""
        heights = np.concatenate([[0.0], self.recall])
        widths = np.diff(self.false_positive_rate, prepend=0.0)
        return float((widths * (heights[1:] + heights[:-1]) / 2).sum())

    @property
    def average_precision(self) -> float:
        """Mean of the precision over the recall."""
        return float((np.diff(self.recall, prepend=0.0) * self.precision).sum())


def rank_curve(scores: NDArray[np.float32], is_class: NDArray[np.bool_]) -> RankCurve | None:
    """What is found of one class.

    Args:
        scores: array of shape (num_samples,): its probability for each sample.
        is_class: bool array of the same shape: which samples are of the class.

    Returns:
        None where all samples are of the class, or none is: there is nothing to rank.

    Example:
        >>> curve = rank_curve(np.array([0.9, 0.8, 0.3]), np.array([True, False, True]))
        >>> curve.roc_auc, round(curve.average_precision, 4)
        (0.5, 0.8333)
    """
    num_class = int(is_class.sum())
    if num_class in (0, len(is_class)):
        return None
    order = np.argsort(-scores, kind="stable")
    last_of_step = np.append(np.diff(scores[order]) != 0, True)
    found = np.cumsum(is_class[order])[last_of_step]
    taken = np.flatnonzero(last_of_step) + 1
    return RankCurve(
        recall=found / num_class,
        false_positive_rate=(taken - found) / (len(is_class) - num_class),
        precision=found / taken,
    )


def rank_curves(
    labels: NDArray[np.int64], probabilities: NDArray[np.float32], class_names: Sequence[str]
) -> dict[str, RankCurve]:
    """The curves of the classes that have samples, but not all of them.

    Args:
        labels: int array of shape (num_samples,), rows of `class_names`.
        probabilities: array of shape (num_samples, num_classes).
        class_names: names in the order of the columns.
    """
    curves = {
        name: rank_curve(probabilities[:, column], labels == column)
        for column, name in enumerate(class_names)
    }
    return {name: curve for name, curve in curves.items() if curve is not None}

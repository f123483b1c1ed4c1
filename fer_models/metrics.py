"""How good predictions are, computed with NumPy.

Averages over classes (balanced accuracy, macro-F1, …) leave out classes without samples: nothing
can be said of them. A class that is never predicted has precision 0. Definitions: Sokolova and
Lapalme, "A systematic analysis of performance measures for classification tasks", 2009.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_data.errors import SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassMetrics:
    """How good the predictions of one class are; all from 0 to 1.

    Attributes:
        class_name: the class.
        support: samples of the class.
        predicted: samples predicted as the class.
        precision: share of the predicted that are right.
        recall: share of the class that was found.
        f1: harmonic mean of the two.
    """

    class_name: str
    support: int
    predicted: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """How good the predictions of a split are.

    Attributes:
        num_samples: samples judged.
        accuracy: share of right predictions.
        balanced_accuracy: mean recall of the classes.
        macro_precision: mean precision of the classes.
        macro_recall: mean recall of the classes, the balanced accuracy by its other name.
        macro_f1: mean F1 of the classes.
        weighted_precision: mean precision, each class weighed by its samples.
        weighted_recall: the same of the recall, which is the accuracy.
        weighted_f1: the same of F1.
        top2_accuracy: share whose class is the first or the second of the prediction.
        log_loss: mean of -log(probability of the true class), natural logarithm.
        chance_accuracy: accuracy of always predicting the most frequent class.
        chance_balanced_accuracy: balanced accuracy of chance, 1 / classes with samples.
        classes: the metrics of each class.
        confusion: samples of each true class (row) predicted as each class (column).
    """

    num_samples: int
    accuracy: float
    balanced_accuracy: float
    macro_precision: float
    macro_recall: float
    macro_f1: float
    weighted_precision: float
    weighted_recall: float
    weighted_f1: float
    top2_accuracy: float
    log_loss: float
    chance_accuracy: float
    chance_balanced_accuracy: float
    classes: tuple[ClassMetrics, ...]
    confusion: tuple[tuple[int, ...], ...]

    def to_json(self) -> dict[str, Any]:
        """The metrics as JSON values."""
        return dataclasses.asdict(self)


def confusion_matrix(
    labels: NDArray[np.int64], predicted: NDArray[np.int64], num_classes: int
) -> NDArray[np.int64]:
    """Samples of each true class (row) predicted as each class (column).

    Args:
        labels: int array of shape (num_samples,), 0 to num_classes - 1.
        predicted: int array of the same shape and range.
        num_classes: rows and columns.

    Returns:
        int64 array of shape (num_classes, num_classes).

    Example:
        >>> confusion_matrix(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).tolist()
        [[1, 1], [0, 1]]
    """
    cells = np.bincount(labels * num_classes + predicted, minlength=num_classes * num_classes)
    return cells.reshape(num_classes, num_classes).astype(np.int64)


def log_loss(labels: NDArray[np.int64], probabilities: NDArray[np.float32]) -> float:
    """Mean of -log(probability of the true class), natural logarithm.

    Args:
        labels: int array of shape (num_samples,).
        probabilities: array of shape (num_samples, num_classes); each row sums to 1.

    Example:
        >>> round(log_loss(np.array([0, 1]), np.array([[0.5, 0.5], [0.5, 0.5]])), 4)
        0.6931
    """
    true = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    # Float32 rounds a probability to 0 below 1e-45; the smallest normal number stands for it.
    return float(-np.log(np.clip(true, np.finfo(np.float32).tiny, 1.0)).mean())


def guessed_macro_f1(counts: NDArray[np.int64]) -> float:
    """The macro-F1 of guessing each class that has samples equally often.

    A class with share p of the samples, one of K, gets precision p and recall 1/K.

    Args:
        counts: int array of shape (num_classes,): samples of each class.

    Example:
        >>> round(guessed_macro_f1(np.array([10, 10])), 6), guessed_macro_f1(np.array([30, 10]))
        (0.5, 0.4666666666666667)
    """
    shares = counts[counts > 0] / counts.sum()
    return float(np.mean(2 * shares / (len(shares) * shares + 1)))


def measure(
    labels: NDArray[np.int64], probabilities: NDArray[np.float32], class_names: Sequence[str]
) -> Metrics:
    """How good probabilities are.

    Args:
        labels: int array of shape (num_samples,), rows of `class_names`.
        probabilities: array of shape (num_samples, num_classes); each row sums to 1. The class
            of the largest one is the prediction.
        class_names: names in the order of the columns.

    Raises:
        SettingsError: there are no samples, or the shapes do not fit.
    """
    if len(labels) == 0 or probabilities.shape != (len(labels), len(class_names)):
        raise SettingsError(
            f"expected probabilities of shape (samples, {len(class_names)}) of at least one "
            f"sample; received {probabilities.shape} for {len(labels)} labels"
        )
    confusion = confusion_matrix(labels, probabilities.argmax(axis=1), len(class_names))
    support, found = confusion.sum(axis=1), confusion.sum(axis=0)
    right = confusion.diagonal().astype(np.float64)
    precision = right / np.maximum(found, 1)
    recall = right / np.maximum(support, 1)
    f1 = 2 * right / np.maximum(support + found, 1)
    there = support > 0
    share = support / support.sum()
    return Metrics(
        num_samples=len(labels),
        accuracy=float(right.sum() / support.sum()),
        balanced_accuracy=float(recall[there].mean()),
        macro_precision=float(precision[there].mean()),
        macro_recall=float(recall[there].mean()),
        macro_f1=float(f1[there].mean()),
        weighted_precision=float((precision * share).sum()),
        weighted_recall=float((recall * share).sum()),
        weighted_f1=float((f1 * share).sum()),
        top2_accuracy=_top2_accuracy(labels, probabilities),
        log_loss=log_loss(labels, probabilities),
        chance_accuracy=float(share.max()),
        chance_balanced_accuracy=float(1 / there.sum()),
        classes=tuple(
            ClassMetrics(
                class_name=name,
                support=int(support[row]),
                predicted=int(found[row]),
                precision=float(precision[row]),
                recall=float(recall[row]),
                f1=float(f1[row]),
            )
            for row, name in enumerate(class_names)
        ),
        confusion=tuple(tuple(int(cell) for cell in row) for row in confusion),
    )


def _top2_accuracy(labels: NDArray[np.int64], probabilities: NDArray[np.float32]) -> float:
    """Of equal probabilities the first comes first, as it does in a prediction."""
    best_two = np.argsort(-probabilities, axis=1, kind="stable")[:, :2]
    return float((best_two == labels[:, None]).any(axis=1).mean())

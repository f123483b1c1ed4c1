"""Likely label errors, by what a classifier says of samples that it did not learn from.

Confident learning: Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty in
Dataset Labels", Journal of Artificial Intelligence Research 70 (2021). A sample counts for a class
when its probability reaches the mean that the samples labelled so have themselves: a class of which
the classifier is rarely sure needs less.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fer_data.errors import SettingsError

_ROUNDING = 1e-6  # of a mean of equal float32 probabilities


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelErrors:
    """What is to be thought of the labels of some samples.

    Attributes:
        likely: int64 array of shape (num_samples,): the class that each counts for; its label where
            it reaches the threshold of no class.
        margins: float32 array of shape (num_samples,), from -1 to 1: the probability of the label
            less that of the most probable other class. The lowest are the most suspect.
        joint: float64 array of shape (num_classes, num_classes): the number of samples estimated
            for each label (row) and true class (column); each row sums to the samples of the label.
        thresholds: float64 array of shape (num_classes,): the probability from which a sample
            counts for a class; infinite for a class without samples.
    """

    likely: NDArray[np.int64]
    margins: NDArray[np.float32]
    joint: NDArray[np.float64]
    thresholds: NDArray[np.float64]

    @property
    def num_estimated(self) -> int:
        """Estimated number of samples with a wrong label."""
        return round(float(self.joint.sum() - np.trace(self.joint)))

    def ranked(self, labels: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows of the samples that count for another class than their label, most suspect first."""
        rows = np.flatnonzero(self.likely != labels)
        return rows[np.argsort(self.margins[rows], kind="stable")]


def find_label_errors(labels: NDArray[np.int64], probabilities: NDArray[np.float32]) -> LabelErrors:
    """Which labels are likely wrong.

    Args:
        labels: int array of shape (num_samples,), as given.
        probabilities: array of shape (num_samples, num_classes), of a classifier that did not learn
            from these samples; each row sums to 1.

    Raises:
        SettingsError: there are no samples, or only one class to choose from.
    """
    num_samples, num_classes = probabilities.shape
    if not num_samples or num_classes < 2:
        raise SettingsError(
            f"{num_samples} samples of {num_classes} classes; label errors are found among "
            "samples of two classes or more"
        )
    rows = np.arange(num_samples)
    own = probabilities[rows, labels].astype(np.float64)
    counts = np.bincount(labels, minlength=num_classes)
    sums = np.bincount(labels, weights=own, minlength=num_classes)
    thresholds = np.divide(sums, counts, out=np.full(num_classes, np.inf), where=counts > 0)
    reaches = probabilities >= thresholds - _ROUNDING
    likely = np.where(reaches, probabilities, -1.0).argmax(axis=1)
    counted = reaches.any(axis=1)
    joint = np.zeros((num_classes, num_classes))
    np.add.at(joint, (labels[counted], likely[counted]), 1.0)
    # a label of which no sample counts for any class is taken as it is
    joint[np.diag_indices(num_classes)] += (joint.sum(axis=1) == 0) & (counts > 0)
    joint *= (counts / np.maximum(joint.sum(axis=1), 1.0))[:, None]
    others = probabilities.copy()
    others[rows, labels] = -1.0
    return LabelErrors(
        likely=np.where(counted, likely, labels),
        margins=(own - others.max(axis=1)).astype(np.float32),
        joint=joint,
        thresholds=thresholds,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassRow:
    """What is to be thought of the labels of one class.

    Attributes:
        class_name: of the labels.
        num_samples: labelled so.
        num_suspects: of them, that count for another class.
        num_estimated: of them, the estimated number with a wrong label.
        mostly: the class that most of these are; empty where there are none.
    """

    class_name: str
    num_samples: int
    num_suspects: int
    num_estimated: float
    mostly: str


def class_rows(
    labels: NDArray[np.int64], errors: LabelErrors, class_names: Sequence[str]
) -> tuple[ClassRow, ...]:
    """A row for each class, in order."""
    wrong = errors.joint - np.diag(np.diag(errors.joint))
    suspects = np.bincount(labels[errors.likely != labels], minlength=len(class_names))
    counts = np.bincount(labels, minlength=len(class_names))
    return tuple(
        ClassRow(
            class_name=name,
            num_samples=int(counts[label]),
            num_suspects=int(suspects[label]),
            num_estimated=float(wrong[label].sum()),
            mostly=class_names[int(wrong[label].argmax())] if wrong[label].any() else "",
        )
        for label, name in enumerate(class_names)
    )

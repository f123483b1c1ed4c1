"""Whether predictions are as often right as they claim to be.

Expected calibration error and reliability diagram: Guo et al., "On Calibration of Modern Neural
Networks", 2017, with their 15 bins of equal width.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_NUM_BINS = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationBin:
    """The predictions that claim about the same.

    Attributes:
        low: the least probability in it, itself left out but for 0.
        high: the highest one.
        num_samples: predictions in it.
        confidence: mean of what they claim: the probability of the predicted class.
        accuracy: share of them that is right.
    """

    low: float
    high: float
    num_samples: int
    confidence: float
    accuracy: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How far claims are from the truth.

    Attributes:
        error: expected calibration error: mean of |accuracy - confidence| over the bins, each
            weighed by its samples.
        bins: those with predictions in them, from low to high.
    """

    error: float
    bins: tuple[CalibrationBin, ...]


def measure_calibration(
    labels: NDArray[np.int64], probabilities: NDArray[np.float32], num_bins: int = _NUM_BINS
) -> Calibration:
    """How far claims are from the truth.

    Args:
        labels: int array of shape (num_samples,), at least one.
        probabilities: array of shape (num_samples, num_classes); each row sums to 1.
        num_bins: of equal width from 0 to 1.

    Example:
        >>> measure_calibration(np.array([0, 0]), np.array([[0.75, 0.25], [0.25, 0.75]])).error
        0.25
    """
    claims = probabilities.max(axis=1).astype(np.float64)
    is_right = probabilities.argmax(axis=1) == labels
    edges = np.linspace(0.0, 1.0, num_bins + 1)
    places = np.clip(np.searchsorted(edges, claims, side="left") - 1, 0, num_bins - 1)
    counts = np.bincount(places, minlength=num_bins)
    sums = np.bincount(places, claims, minlength=num_bins)
    rights = np.bincount(places, is_right, minlength=num_bins)
    there = np.flatnonzero(counts)
    return Calibration(
        error=float(np.abs(rights - sums).sum() / len(labels)),
        bins=tuple(
            CalibrationBin(
                low=float(edges[place]),
                high=float(edges[place + 1]),
                num_samples=int(counts[place]),
                confidence=float(sums[place] / counts[place]),
                accuracy=float(rights[place] / counts[place]),
            )
            for place in there
        ),
    )

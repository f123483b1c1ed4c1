"""How sure figures are: bootstrap intervals over the judged samples and over seeds.

The percentile bootstrap (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993). Each
resample draws as many of the judged samples as there are, with replacement, the same ones for all
models; and, where a model was trained with several seeds, as many of its seeds as there are, with
replacement. What is measured is the mean over the seeds. Differences between models are taken
within a resample: the paired bootstrap.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

#: The metrics that get intervals.
MEASURED = ("accuracy", "balanced_accuracy", "macro_f1")
NUM_RESAMPLES = 2000
Z_95 = 1.959964  # 97.5% of a normal distribution lie below
_LEVELS = (2.5, 97.5)  # per cent: a 95% interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A figure and where it would fall on other samples like these, 95 times in 100.

    Attributes:
        value: mean over the seeds, on the judged samples themselves.
        low: of the 95% interval.
        high: of the 95% interval.
    """

    value: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether a difference is more than chance among samples and seeds."""
        return not self.low <= 0 <= self.high


def wilson_interval(num_right: int, num_samples: int) -> Interval:
    """A share and its 95% interval.

    Wilson, "Probable inference, the law of succession, and statistical inference", 1927.

    Example:
        >>> found = wilson_interval(8, 10)
        >>> round(found.low, 4), found.value, round(found.high, 4)
        (0.4902, 0.8, 0.9433)
    """
    share, spread = num_right / num_samples, Z_95**2 / num_samples
    middle = share + spread / 2
    reach = Z_95 * math.sqrt((share * (1 - share) + spread / 4) / num_samples)
    return Interval(
        value=share,
        low=min(share, max(0.0, (middle - reach) / (1 + spread))),
        high=max(share, min(1.0, (middle + reach) / (1 + spread))),
    )


def figures_of(confusion: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """The metrics of `MEASURED`, as `fer_models.metrics.measure` defines them.

    Args:
        confusion: array of shape (..., num_classes, num_classes), true classes in rows.

    Returns:
        By metric, array of shape (...).

    Example:
        >>> figures_of(np.array([[3.0, 1.0], [1.0, 1.0]]))["balanced_accuracy"].item()
        0.625
    """
    support, found = confusion.sum(axis=-1), confusion.sum(axis=-2)
    right = np.diagonal(confusion, axis1=-2, axis2=-1)
    recall = right / np.maximum(support, 1)
    f1 = 2 * right / np.maximum(support + found, 1)
    there = support > 0
    num_there = np.maximum(there.sum(axis=-1), 1)
    return {
        "accuracy": right.sum(axis=-1) / np.maximum(support.sum(axis=-1), 1),
        "balanced_accuracy": (recall * there).sum(axis=-1) / num_there,
        "macro_f1": (f1 * there).sum(axis=-1) / num_there,
    }


@dataclass(frozen=True, slots=True)
class Resamples:
    """What some models come to on the judged samples, and on resamples of them.

    Attributes:
        values: by metric, float64 array of shape (num_models,).
        resampled: by metric, float64 array of shape (NUM_RESAMPLES, num_models).
    """

    values: Mapping[str, NDArray[np.float64]]
    resampled: Mapping[str, NDArray[np.float64]]

    def interval(self, metric: str, model: int) -> Interval:
        """A metric of a model."""
        low, high = np.percentile(self.resampled[metric][:, model], _LEVELS)
        return Interval(value=float(self.values[metric][model]), low=float(low), high=float(high))

    def difference(self, metric: str, model: int, to: int = 0) -> Interval:
        """By how much a model is better than another, on the same resamples."""
        gaps = self.resampled[metric][:, model] - self.resampled[metric][:, to]
        low, high = np.percentile(gaps, _LEVELS)
        value = float(self.values[metric][model] - self.values[metric][to])
        return Interval(value=value, low=float(low), high=float(high))


def resample(
    labels: NDArray[np.int64],
    predicted: Sequence[Sequence[NDArray[np.int64]]],
    num_classes: int,
    *,
    num_resamples: int = NUM_RESAMPLES,
    seed: int = 0,
) -> Resamples:
    """Draws the resamples.

    Args:
        labels: int64 array of shape (num_samples,).
        predicted: of each model, of each of its seeds, the predicted labels (num_samples,).
        num_classes: rows of a confusion matrix.
        num_resamples: how many.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    size = num_classes * num_classes
    cells = [labels * num_classes + run for runs in predicted for run in runs]
    counts = np.empty((num_resamples, len(cells), size))
    for number in range(num_resamples):
        drawn = rng.integers(len(labels), size=len(labels))
        for run, cell in enumerate(cells):
            counts[number, run] = np.bincount(cell[drawn], minlength=size)
    whole = np.stack([np.bincount(cell, minlength=size) for cell in cells]).astype(np.float64)
    shape = (num_classes, num_classes)
    drawn_figures = figures_of(counts.reshape(num_resamples, len(cells), *shape))
    whole_figures = figures_of(whole.reshape(len(cells), *shape))
    ends = np.cumsum([0, *map(len, predicted)])
    parts = [slice(a, b) for a, b in pairwise(ends)]
    # (num_resamples, num_seeds) for each model: which of its seeds are drawn
    seeds = [rng.integers(len(runs), size=(num_resamples, len(runs))) for runs in predicted]
    return Resamples(
        values={
            name: np.array([whole_figures[name][part].mean() for part in parts])
            for name in MEASURED
        },
        resampled={
            name: np.stack(
                [
                    np.take_along_axis(drawn_figures[name][:, part], taken, axis=1).mean(axis=1)
                    for part, taken in zip(parts, seeds, strict=True)
                ],
                axis=1,
            )
            for name in MEASURED
        },
    )

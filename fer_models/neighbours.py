"""How far classes lie apart: whether the nearest neighbours of a sample are of its class.

Measured in all dimensions of an embedding: a drawing in two shows clusters that are not there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_models.baselines.fit import draw_samples
from fer_models.metrics import Metrics, measure

NUM_NEIGHBOURS = 10
#: Most samples whose neighbours are looked for; they are looked for among all.
MAX_ASKED = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class Separation:
    """How well classes are told apart by their nearest neighbours alone.

    Attributes:
        num_neighbours: of each sample, itself not among them.
        metrics: of naming the class that most of them have; the first of the classes on a tie.
    """

    num_neighbours: int
    metrics: Metrics

    def to_json(self) -> dict[str, Any]:
        """The figures as JSON values."""
        return {
            "num_neighbours": self.num_neighbours,
            "num_samples": self.metrics.num_samples,
            "accuracy": self.metrics.accuracy,
            "balanced_accuracy": self.metrics.balanced_accuracy,
            "macro_f1": self.metrics.macro_f1,
            "chance_accuracy": self.metrics.chance_accuracy,
            "chance_balanced_accuracy": self.metrics.chance_balanced_accuracy,
            "recall": {c.class_name: c.recall for c in self.metrics.classes if c.support},
        }


def measure_separation(
    values: NDArray[np.float32],
    labels: NDArray[np.int64],
    class_names: Sequence[str],
    seed: int,
) -> Separation | None:
    """How well each sample is named by its ten nearest others; None where there is no other.

    Args:
        values: float32 array of shape (num_samples, num_values).
        labels: int array of shape (num_samples,), rows of `class_names`.
        class_names: names of the classes.
        seed: of the 5,000 samples that are asked for where there are more.
    """
    number = min(NUM_NEIGHBOURS, len(values) - 1)
    if number < 1:
        return None
    asked = draw_samples(labels, MAX_ASKED, seed)
    rows, _ = find_neighbours(values, number, asked)
    votes = np.eye(len(class_names), dtype=np.float32)[labels[rows]].mean(axis=1)
    return Separation(num_neighbours=number, metrics=measure(labels[asked], votes, class_names))


def find_neighbours(
    values: NDArray[np.float32], number: int, asked: NDArray[np.int64] | None = None
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The nearest others of each sample, by Euclidean distance, the nearest first; exact.

    Args:
        values: float32 array of shape (num_samples, num_values).
        number: of neighbours, fewer than there are samples.
        asked: rows of the samples whose neighbours are looked for; None for all.

    Returns:
        rows and distances, arrays of shape (num_asked, number).
    """
    from sklearn.neighbors import NearestNeighbors

    search = NearestNeighbors(n_neighbors=number + 1, algorithm="brute").fit(values)
    asked = asked if asked is not None else np.arange(len(values))
    distances, rows = search.kneighbors(values[asked])
    # a sample is among its own neighbours, unless so many are identical to it
    is_other = rows != asked[:, np.newaxis]
    is_other[is_other.all(axis=1), -1] = False
    shape = (len(asked), number)
    return rows[is_other].reshape(shape), distances[is_other].reshape(shape)

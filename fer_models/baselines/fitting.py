"""What the file of every baseline takes and gives."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fer_models.settings import TrainSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifierTask:
    """What a classifier is fitted on.

    Attributes:
        features: float32 array of shape (num_samples, num_features).
        labels: int64 array of shape (num_samples,), 0 to num_classes - 1, every class there.
        groups: int64 array of shape (num_samples,): an original, its twins and its copies have
            one number.
        class_weights: weight of each class, float64 of shape (num_classes,); None for all alike.
        settings: of the training.
        notes: where a sentence is put that should be said of the fit.
    """

    features: NDArray[np.float32]
    labels: NDArray[np.int64]
    groups: NDArray[np.int64]
    class_weights: NDArray[np.float64] | None
    settings: TrainSettings
    notes: list[str] = field(default_factory=list)

    @property
    def by_class(self) -> dict[int, float] | None:
        """The class weights as scikit-learn's `class_weight`."""
        weights = self.class_weights
        return None if weights is None else {n: float(w) for n, w in enumerate(weights)}

    @property
    def by_sample(self) -> NDArray[np.float64] | None:
        """The class weights as `sample_weight`, for an estimator that has no `class_weight`."""
        return None if self.class_weights is None else self.class_weights[self.labels]

    @contextmanager
    def noted_convergence(self, advice: str) -> Iterator[None]:
        """Makes a note of scikit-learn's warning that a fit has not come to its end."""
        from sklearn.exceptions import ConvergenceWarning

        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("ignore")
            warnings.simplefilter("always", ConvergenceWarning)
            yield
        if caught:
            self.notes.append(f"The fit had not settled when it ended{advice}.")

"""`svm`: a support vector machine with the RBF kernel on principal components.

The kernel baseline of the course projects: standardised pixels, PCA, scikit-learn's `SVC` (C = 1,
gamma = 1 / (features x variance)). The time grows with the square of the samples and more:
`--limit` draws some of them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fer_models.baselines.classifiers import SupportVectors, softmax
from fer_models.baselines.fitting import ClassifierTask
from fer_models.settings import TrainSettings

OPTIONS = ()
DEFAULTS = TrainSettings(model="svm", components=100)
#: A fit on more samples than this takes minutes, or hours; it is said before.
MANY = 10_000
_MAX_CALIBRATED = 4000


def fit(task: ClassifierTask) -> SupportVectors:
    """The fitted classifier."""
    every = np.arange(len(task.labels))
    return _fit_rows(task, every, _find_sharpness(task))


def _fit_rows(task: ClassifierTask, rows: NDArray[np.int64], sharpness: float) -> SupportVectors:
    from sklearn.svm import SVC

    features = task.features[rows].astype(np.float64)
    gamma = 1 / (features.shape[1] * max(features.var(), 1e-12))  # scikit-learn's "scale"
    machine = SVC(gamma=gamma, class_weight=task.by_class, cache_size=1000)
    machine.fit(features, task.labels[rows])
    # for two classes scikit-learn turns the signs around; here the first class is above zero always
    sign = -1.0 if len(machine.classes_) == 2 else 1.0
    return SupportVectors(
        vectors=machine.support_vectors_,
        counts=machine.n_support_.astype(np.int64),
        coefficients=sign * machine.dual_coef_,
        intercepts=sign * machine.intercept_,
        gamma=np.float64(gamma),
        sharpness=np.float64(sharpness),
    )


def _find_sharpness(task: ClassifierTask) -> float:
    """The factor of the votes with the least log-loss on samples that were not fitted on.

    One group in four is held back of at most 4,000 samples; 1 where that leaves a class out.
    """
    from scipy.optimize import minimize_scalar

    rng = np.random.default_rng(task.settings.seed)
    rows = rng.permutation(len(task.labels))[:_MAX_CALIBRATED]
    held_back = np.isin(
        task.groups[rows], (groups := rng.permutation(np.unique(task.groups)))[: len(groups) // 4]
    )
    fitted, judged = rows[~held_back], rows[held_back]
    if not len(judged) or len(np.unique(task.labels[fitted])) < task.labels.max() + 1:
        return 1.0
    votes = _fit_rows(task, fitted, 1.0).votes(task.features[judged])
    truth = task.labels[judged]

    def loss(log_factor: float) -> float:
        chosen = softmax(votes * np.exp(log_factor))[np.arange(len(truth)), truth]
        return float(-np.log(np.maximum(chosen, 1e-300)).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-4, 4), method="bounded").x))

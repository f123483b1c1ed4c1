"""`mlp`: two hidden layers on principal components.

The multilayer perceptron of the course projects, which they judged by cross-validation
(`--folds`): standardised pixels, PCA, scikit-learn's `MLPClassifier`; dense 256 and 128 with ReLU,
Adam, L2. What is published says no more; L2 of 1 and 12 epochs were best on a fold of FER2013's
train split, where an L2 of .01 soon learns by heart. scikit-learn's own early stopping is left off:
it would hold back single samples, and copies of them would give them away.
"""

from __future__ import annotations

import warnings

import numpy as np

from fer_models.baselines.classifiers import DenseLayers
from fer_models.baselines.fitting import ClassifierTask
from fer_models.errors import DivergedError
from fer_models.settings import TrainSettings

OPTIONS = ("epochs", "batch_size", "learning_rate")
_UNITS = (256, 128)
_L2 = 1.0
DEFAULTS = TrainSettings(model="mlp", components=100, epochs=12, batch_size=200)


def fit(task: ClassifierTask) -> DenseLayers:
    """The fitted classifier.

    Raises:
        DivergedError: the weights are no longer numbers.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    settings = task.settings
    perceptron = MLPClassifier(
        _UNITS,
        alpha=_L2,
        batch_size=min(settings.batch_size, len(task.labels)),
        learning_rate_init=settings.learning_rate,
        max_iter=settings.epochs,
        random_state=settings.seed,
    )
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        # it is stopped on purpose, before it has learned the samples by heart
        warnings.simplefilter("ignore", ConvergenceWarning)
        try:
            perceptron.fit(task.features, task.labels, sample_weight=task.by_sample)
            lost = not all(np.isfinite(np.square(weight)).all() for weight in perceptron.coefs_)
        except ValueError as error:
            if "non-finite" not in str(error):
                raise
            lost = True
    if lost:
        raise DivergedError(
            f"mlp: the weights grew beyond all numbers; try a smaller --lr than "
            f"{settings.learning_rate:g}"
        )
    return DenseLayers.from_logits(perceptron.coefs_, perceptron.intercepts_)

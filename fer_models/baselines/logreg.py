"""`logreg`: multinomial logistic regression on principal components.

The linear baseline of the course projects: standardised pixels, PCA, scikit-learn's
`LogisticRegression` (L-BFGS, L2 with C = 1). `epochs` bounds the iterations, each a pass over the
training samples.
"""

from __future__ import annotations

from fer_models.baselines.classifiers import DenseLayers
from fer_models.baselines.fitting import ClassifierTask
from fer_models.settings import TrainSettings

OPTIONS = ("epochs",)
DEFAULTS = TrainSettings(model="logreg", components=100, epochs=1000)


def fit(task: ClassifierTask) -> DenseLayers:
    """The fitted classifier."""
    from sklearn.linear_model import LogisticRegression

    regression = LogisticRegression(max_iter=task.settings.epochs, class_weight=task.by_class)
    with task.noted_convergence("; --epochs gives it more passes"):
        regression.fit(task.features, task.labels)
    return DenseLayers.from_logits([regression.coef_.T], [regression.intercept_])

"""`random-forest`: decision trees on principal components.

The tree baseline of the course projects: standardised pixels, PCA, scikit-learn's
`RandomForestClassifier` with its 100 full-grown trees (Breiman 2001).
"""

from __future__ import annotations

import numpy as np

from fer_models.baselines.classifiers import Forest
from fer_models.baselines.fitting import ClassifierTask
from fer_models.settings import TrainSettings

OPTIONS = ()
DEFAULTS = TrainSettings(model="random-forest", components=100)


def fit(task: ClassifierTask) -> Forest:
    """The fitted classifier."""
    from sklearn.ensemble import RandomForestClassifier

    forest = RandomForestClassifier(
        class_weight=task.by_class, random_state=task.settings.seed, n_jobs=-1
    )
    forest.fit(task.features, task.labels)
    trees = [estimator.tree_ for estimator in forest.estimators_]
    roots = np.cumsum([0, *(tree.node_count for tree in trees)])
    feature = np.concatenate([tree.feature for tree in trees])
    is_leaf = feature < 0
    left = np.concatenate([t.children_left + r for t, r in zip(trees, roots[:-1], strict=True)])
    right = np.concatenate([t.children_right + r for t, r in zip(trees, roots[:-1], strict=True)])
    left[is_leaf] = np.arange(is_leaf.sum())
    right[is_leaf] = -1
    shares = np.concatenate([tree.value[:, 0] for tree in trees])[is_leaf]
    return Forest(
        roots=roots[:-1].astype(np.int64),
        feature=np.where(is_leaf, -1, feature).astype(np.int32),
        threshold=np.concatenate([tree.threshold for tree in trees]),
        left=left.astype(np.int32),
        right=right.astype(np.int32),
        shares=(shares / shares.sum(axis=1, keepdims=True)).astype(np.float32),
    )

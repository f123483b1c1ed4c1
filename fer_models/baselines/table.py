"""The baselines by name, for the table of networks."""

from __future__ import annotations

from fer_models.zoo.network import Network

_FACE = (48, 48, 1)


def _baseline(
    name: str,
    summary: str,
    *,
    source: str,
    module: str = "",
    num_parameters: int = 0,
    takes_weights: bool = False,
) -> Network:
    return Network(
        name=name,
        module=f"fer_models.baselines.{module or name}",
        summary=summary,
        usual_shape=_FACE,
        usual_classes=7,
        num_parameters=num_parameters,
        min_side=1,
        source=source,
        takes_weights=takes_weights,
        kind="sklearn",
    )


# 100 components of 48x48 pixels: mean and deviation of the pixels, components
_PCA = 2 * 48 * 48 + 48 * 48 * 100

#: `num_parameters` is 0 where it depends on the samples.
BASELINES: dict[str, Network] = {
    network.name: network
    for network in (
        _baseline(
            "logreg",
            "logistic regression on 100 principal components",
            source="course project; scikit-learn's LogisticRegression",
            num_parameters=_PCA + 101 * 7,
        ),
        _baseline(
            "mlp",
            "dense 256 and 128 with ReLU on 100 principal components",
            source="course project; scikit-learn's MLPClassifier",
            num_parameters=_PCA + 101 * 256 + 257 * 128 + 129 * 7,
        ),
        _baseline(
            "random-forest",
            "100 trees on 100 principal components",
            source="course project; Breiman 2001",
            module="random_forest",
        ),
        _baseline(
            "svm",
            "support vectors (RBF) on 100 principal components",
            source="course project; scikit-learn's SVC",
        ),
        _baseline(
            "resnet50-svm",
            "support vectors (RBF) on features of ImageNet's ResNet50 at 128x128",
            source="course project; He et al. 2016",
            module="resnet50_svm",
            takes_weights=True,
        ),
    )
}

"""`resnet50-svm`: ImageNet features of ResNet50, and a support vector machine on them.

As the course projects had it: images at 128x128, `keras.applications.ResNet50` without its top and
with average pooling (2,048 features; He et al. 2016), StandardScaler, scikit-learn's
`SVC(kernel="rbf", C=1, class_weight="balanced")`. Nothing of the network is trained.
"""

from __future__ import annotations

from typing import Any

from fer_models.baselines import svm
from fer_models.settings import TrainSettings

OPTIONS = ("weights",)
DEFAULTS = TrainSettings(model="resnet50-svm", components=0)

MANY, fit = svm.MANY, svm.fit


def build_extractor(image_shape: tuple[int, int, int], weights: str, seed: int) -> Any:
    """A `keras.Model` from uint8 images (B, H, W, C) to float32 features (B, 2048).

    Args:
        image_shape: height, width, channels; smaller images are enlarged to 128x128.
        weights: path of a Keras weights file for ResNet50 without its top; `""` for ImageNet's by
            Keras' own download, `"none"` for random ones.
        seed: of random weights.

    Raises:
        MissingWeightsError: the weights are not there, or cannot be downloaded.
        SettingsError: the file is not one of ResNet50's.
    """
    import keras

    from fer_models.zoo.network import NetworkSpec
    from fer_models.zoo.resnet50 import BACKBONE
    from fer_models.zoo.transfer import build_features

    keras.utils.set_random_seed(seed)
    spec = NetworkSpec(
        image_shape=image_shape, num_classes=0, pixel_mean=(), pixel_std=(), weights=weights
    )
    return build_features(spec, BACKBONE)

"""`resnet50-svm`: ImageNet features of ResNet50, and a support vector machine on them.

As the course projects had it: images at 128x128, `keras.applications.ResNet50` without its top and
with average pooling (2,048 features; He et al. 2016), StandardScaler, scikit-learn's
`SVC(kernel="rbf", C=1, class_weight="balanced")`. Nothing of the network is trained.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from fer_data.errors import SettingsError
from fer_models.baselines import svm
from fer_models.errors import MissingWeightsError
from fer_models.settings import TrainSettings

OPTIONS = ("weights",)
DEFAULTS = TrainSettings(model="resnet50-svm", components=0)
_SIDE = 128

MANY, fit = svm.MANY, svm.fit


def build_extractor(image_shape: tuple[int, int, int], weights: str, seed: int) -> Any:
    """A `keras.Model` from uint8 images (B, H, W, C) to float32 features (B, 2048).

    Args:
        image_shape: height, width, channels; grey images are given to all three channels.
        weights: path of a Keras weights file for ResNet50 without its top; `""` for ImageNet's by
            Keras' own download, `"none"` for random ones.
        seed: of random weights.

    Raises:
        MissingWeightsError: the weights are not there, or cannot be downloaded.
        SettingsError: the file is not one of ResNet50's.
    """
    import keras
    from keras import layers

    keras.utils.set_random_seed(seed)
    pixels = keras.Input(image_shape, dtype="uint8", name="pixels")
    values = layers.Rescaling(1.0, name="as_floats")(pixels)
    if image_shape[2] == 1:
        values = layers.Concatenate(name="three_channels")([values] * 3)
    values = layers.Resizing(_SIDE, _SIDE, name="resized")(values)
    # RGB -> BGR without ImageNet's mean, as `keras.applications.resnet.preprocess_input` does;
    # a 1x1 convolution, because a bundle is loaded without running code
    values = layers.Conv2D(3, 1, name="imagenet_colours")(values)
    network = _load_resnet50(weights)
    model = keras.Model(pixels, network(values, training=False), name="resnet50_features")
    kernel = np.eye(3, dtype=np.float32)[::-1].reshape(1, 1, 3, 3)
    offsets = np.array([-103.939, -116.779, -123.68], np.float32)
    model.get_layer("imagenet_colours").set_weights([kernel, offsets])
    return model


def _load_resnet50(weights: str) -> Any:
    import keras

    def build(source: str | None) -> Any:
        return keras.applications.ResNet50(
            include_top=False, weights=source, input_shape=(_SIDE, _SIDE, 3), pooling="avg"
        )

    if weights == "none":
        return build(None)
    if not weights:
        try:
            return build("imagenet")
        except Exception as error:  # noqa: BLE001  # Keras raises bare Exception for a failed download
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise MissingWeightsError(
                f"ImageNet's weights of ResNet50 cannot be downloaded ({reason}); "
                "--weights FILE takes a copy, --weights none random ones"
            ) from None
    if not Path(weights).is_file():
        raise MissingWeightsError(
            f"{weights}: no such file; expected Keras weights of ResNet50 without its top "
            "(resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5)"
        )
    network = build(None)
    try:
        network.load_weights(weights)
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SettingsError(
            f"{weights}: not Keras weights of ResNet50 without its top ({reason})"
        ) from None
    return network

"""Transfer networks: a backbone of `keras.applications` under a new head.

Grey pictures are made RGB by repeating them, pictures with a side below the backbone's are enlarged
to it, and the pixels are prepared as the backbone's authors did, from uint8; then come global
average pooling, dropout and a softmax. The preset `finetuned` trains all layers, `frozen` the head.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fer_data.errors import SettingsError
from fer_models.augmentation import AugmentSettings
from fer_models.errors import MissingWeightsError
from fer_models.settings import TrainSettings
from fer_models.zoo.blocks import softmax_head
from fer_models.zoo.network import NetworkSpec

_URL = "https://storage.googleapis.com/tensorflow/keras-applications/"
_DROPOUT = 0.3
_CAFFE_MEANS = (103.939, 116.779, 123.68)  # of ImageNet: blue, green, red


@dataclass(frozen=True, slots=True, kw_only=True)
class Backbone:
    """A network of `keras.applications` without its top.

    Attributes:
        application: its name there.
        side: pictures are enlarged until their shorter side has this many pixels.
        caffe: how its authors prepared pixels: blue, green and red less their means on ImageNet;
            where False, red, green and blue from -1 to 1.
        weights_path: of its ImageNet weights below Keras' address for them.
        weights_md5: of that file; None where Keras does not say.
    """

    application: str
    side: int
    caffe: bool
    weights_path: str
    weights_md5: str | None

    @property
    def url(self) -> str:
        """Where Keras downloads its ImageNet weights from."""
        return _URL + self.weights_path

    @property
    def file_name(self) -> str:
        """What the downloaded file is called."""
        return self.weights_path.rpartition("/")[2]


def transfer_presets(model: str) -> dict[str, TrainSettings]:
    """Settings of the presets; the sources published none."""
    usual = TrainSettings(
        model=model,
        epochs=20,
        batch_size=64,
        patience=5,
        augment=AugmentSettings(rotation=10.0, shift=0.05, zoom=0.1),
    )
    # the head is random: the rate rises while it learns, so that the backbone is not torn apart
    finetuned = dataclasses.replace(
        usual, preset="finetuned", learning_rate=1e-4, schedule="cosine", warmup=1.0
    )
    return {
        "finetuned": finetuned,
        "frozen": dataclasses.replace(usual, preset="frozen", learning_rate=1e-3),
    }


def build_transfer(spec: NetworkSpec, backbone: Backbone) -> Any:
    """The network, from raw pixels to probabilities.

    Raises:
        MissingWeightsError: the weights are not there, or cannot be downloaded.
        SettingsError: the file holds other weights.
    """
    import keras
    from keras import layers

    features = build_features(spec, backbone)
    drop = layers.Dropout(_DROPOUT, dtype=spec.precision, name="dropout")
    (head,) = softmax_head(spec)
    name = backbone.application.lower()
    return keras.Model(features.input, head(drop(features.output)), name=name)


def build_features(spec: NetworkSpec, backbone: Backbone) -> Any:
    """A `keras.Model` from uint8 images (B, H, W, C) to the backbone's pooled features.

    The preset `frozen` of the spec takes the backbone out of training.

    Raises:
        MissingWeightsError: the weights are not there, or cannot be downloaded.
        SettingsError: the file holds other weights.
    """
    import keras
    from keras import layers, ops

    height, width, channels = spec.image_shape
    factor = max(1.0, backbone.side / min(height, width))
    height, width = round(height * factor), round(width * factor)
    pixels = keras.Input(spec.image_shape, dtype="uint8", name="pixels")
    x = pixels
    if factor > 1.0:
        x = layers.Resizing(height, width, dtype="float32", name="enlarge")(x)
    scale, offset = (1.0, [-m for m in _CAFFE_MEANS]) if backbone.caffe else (1 / 127.5, -1.0)
    if channels == 1:
        x = layers.Concatenate(dtype="float32", name="rgb")([x, x, x])
    elif backbone.caffe:
        x = ops.flip(x, axis=-1)  # RGB -> BGR
    # float32 keeps every level apart: bfloat16 has 8 bits for 0 to 255 less a mean
    x = layers.Rescaling(scale, offset, dtype="float32", name="prepare")(x)
    with _precision(spec.precision):
        application = getattr(keras.applications, backbone.application)
        body = application(include_top=False, weights=None, input_shape=(height, width, 3))
    _load_weights(body, backbone, spec.weights)
    body.trainable = spec.preset != "frozen"
    pool = layers.GlobalAveragePooling2D(dtype="float32", name="pool")
    return keras.Model(pixels, pool(body(x)), name=f"{body.name}_features")


@contextlib.contextmanager
def _precision(policy: str) -> Iterator[None]:
    """Keras' own networks take the precision that is set for all."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _load_weights(body: Any, backbone: Backbone, weights: str) -> None:
    """Puts the weights that were asked for into a backbone."""
    if weights == "none":
        return
    path = Path(weights) if weights else _download(backbone)
    if not path.is_file():
        raise MissingWeightsError(
            f"{path}: no such file; expected weights of {backbone.application} without its top, "
            f"such as {backbone.url}"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # Keras leaves what does not fit as it was
            body.load_weights(path)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, UserWarning) as error:
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise SettingsError(
            f"{path}: not the weights of {backbone.application} without its top ({reason}); "
            f"expected {backbone.file_name} of keras.applications, or a .weights.h5 of that network"
        ) from None


def _download(backbone: Backbone) -> Path:
    """The file of ImageNet weights, fetched once into Keras' own cache.

    Raises:
        MissingWeightsError: it cannot be fetched.
    """
    import keras

    shown = sys.stderr if sys.stderr.isatty() else io.StringIO()  # Keras prints; ours is for JSON
    try:
        with contextlib.redirect_stdout(shown):
            found = keras.utils.get_file(
                backbone.file_name,
                backbone.url,
                cache_subdir="models",
                file_hash=backbone.weights_md5,
            )
    except Exception as error:  # noqa: BLE001  Keras raises nothing narrower for a failed download
        reason = str(error).strip().split("\n")[0].rpartition(" -- ")[2]
        raise MissingWeightsError(
            f"ImageNet weights of {backbone.application} cannot be downloaded from {backbone.url} "
            f"({reason}); fetch that file elsewhere and say --weights FILE, "
            "or --weights none for random ones"
        ) from None
    return Path(found)

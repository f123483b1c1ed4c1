"""SavedModel: a folder for TensorFlow and TensorFlow Serving; the metadata in `assets.extra`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fer_models.export.formats import ABOUT_NAME, INPUT_NAME, OUTPUT_NAME
from fer_models.export.source import Classify, ExportSource
from fer_models.files import write_json

_SIGNATURE = "serving_default"


def write(source: ExportSource, path: Path) -> None:
    """Writes the network and what must be known of it."""
    import tensorflow as tf

    module = tf.Module()
    module.probabilities = source.function
    tf.saved_model.save(module, str(path), signatures={_SIGNATURE: module.probabilities})
    # where the format has files that are no part of the graph
    write_json(path / "assets.extra" / ABOUT_NAME, source.about)


def load(path: Path) -> Classify:
    """What TensorFlow makes of the folder."""
    import tensorflow as tf

    module = tf.saved_model.load(str(path))

    def classify(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        # asked of the module, without which a signature does not work
        found = module.signatures[_SIGNATURE](**{INPUT_NAME: tf.constant(images)})
        return np.asarray(found[OUTPUT_NAME].numpy())

    return classify

"""Keras: the network as Keras 3 loads it, on any of its backends."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fer_models.export.source import Classify, ExportSource


def write(source: ExportSource, path: Path) -> None:
    """Copies the network of the bundle."""
    path.write_bytes(source.model_path.read_bytes())


def load(path: Path) -> Classify:
    """What Keras makes of the file."""
    import keras

    network = keras.saving.load_model(path, compile=False, safe_mode=True)
    return lambda images: np.asarray(network.predict(images, verbose=0))

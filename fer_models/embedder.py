"""What a trained network makes of a picture before it names a class: its embedding."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_data.errors import SettingsError
from fer_models.baselines.fitted import FittedBaseline
from fer_models.bundle import Bundle, find_bundle, load_network, read_bundle
from fer_models.predict import OnProgress

_BATCH_SIZE = 256
_SLICE_SIZE = 2048


class Embedder:
    """A trained network that gives embeddings and probabilities in one go.

    The embedding of a picture is what the last layer of the network makes probabilities of; of a
    baseline, what its classifier sees.

    Args:
        bundle: what it was trained for.
        network: the `keras.Model`, or the `FittedBaseline` of a baseline.

    Raises:
        SettingsError: the network has no last layer.
    """

    def __init__(self, bundle: Bundle, network: Any) -> None:
        self.bundle = bundle
        self._network = network
        if isinstance(network, FittedBaseline):
            self.source = f"what the classifier of {bundle.model} sees"
        else:
            self._network, layer = _with_embedding(network)
            self.source = f'input of the layer "{layer}"'

    @staticmethod
    def load(run_or_bundle_dir: Path) -> Embedder:
        """The network of a run or a bundle.

        Raises:
            MissingBundleError: there is none at this place.
            DamagedBundleError: it cannot be read.
            SettingsError: the network has no last layer.
        """
        bundle_dir = find_bundle(run_or_bundle_dir)
        bundle = read_bundle(bundle_dir)
        return Embedder(bundle, load_network(bundle_dir, bundle))

    def embed(
        self, images: NDArray[np.uint8], on_progress: OnProgress | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Embeddings, and the probabilities of the classes.

        Args:
            images: uint8 array of shape (num_images, height, width, channels), one or more.
            on_progress: told how many are done.

        Returns:
            float32 arrays of shapes (num_images, num_values) and (num_images, num_classes).

        Raises:
            SettingsError: the network gives numbers that are not finite.
        """
        parts = []
        for start in range(0, len(images), _SLICE_SIZE):
            parts.append(self._embed_slice(images[start : start + _SLICE_SIZE]))
            if on_progress is not None:
                on_progress(start + len(parts[-1][0]), len(images))
        embeddings, probabilities = (np.concatenate(column) for column in zip(*parts, strict=True))
        if not (np.isfinite(embeddings).all() and np.isfinite(probabilities).all()):
            raise SettingsError(
                f"{self.bundle.model}: gives numbers that are not finite; expected a network that "
                "has learned: train again"
            )
        return embeddings, probabilities

    def _embed_slice(
        self, images: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        network = self._network
        if isinstance(network, FittedBaseline):
            features = network.features(images)
            probabilities = np.zeros((len(images), network.num_classes), np.float32)
            probabilities[:, network.present] = network.classifier.probabilities(features)
            return features, probabilities
        found, probabilities = network.predict(images, batch_size=_BATCH_SIZE, verbose=0)
        embeddings = np.asarray(found).reshape(len(images), -1)  # (n, ...) -> (n, num_values)
        return embeddings.astype(np.float32), np.asarray(probabilities)


def _with_embedding(network: Any) -> tuple[Any, str]:
    """A `keras.Model` from pixels to [embedding, probabilities], and the name of the last layer."""
    import keras

    embedding, layer = _last_input(network)
    return keras.Model(network.inputs, [embedding, network.outputs[0]]), layer


def _last_input(network: Any) -> tuple[Any, str]:
    """The tensor that the last layer with a matrix of weights takes, and the layer's name.

    Activations, dropout and norms behind it are passed over; in a network inside the network the
    search goes on.
    """
    import keras

    tensor = network.outputs[0]
    while True:
        layer, node, _ = tensor._keras_history
        taken = layer._inbound_nodes[node].input_tensors
        if isinstance(layer, keras.Model) and len(taken) == 1:
            inside, name = _last_input(layer)
            return keras.Model(layer.inputs, inside)(taken[0]), name
        is_vectors = all(len(weight.shape) < 2 for weight in getattr(layer, "weights", ()))
        if len(taken) == 1 and not is_vectors:
            return taken[0], layer.name
        if len(taken) != 1:
            raise SettingsError(
                f"the probabilities of {network.name} come out of {layer.name}, with no layer of "
                "weights behind it; expected a last layer, whose input is the embedding"
            )
        tensor = taken[0]

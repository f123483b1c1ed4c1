"""Embeddings in two dimensions, so that they can be looked at: PCA, t-SNE and UMAP.

t-SNE (van der Maaten and Hinton 2008) and UMAP (McInnes, Healy and Melville 2018) start from the
first 50 principal components where there are more values; distances between their clusters mean
little. The same values and seed give the same coordinates on the same machine.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_data.errors import SettingsError, UnknownNameError
from fer_models.errors import MissingLibraryError
from fer_models.neighbours import find_neighbours

#: Name of each method → how it is written.
METHODS = {"pca": "PCA", "tsne": "t-SNE", "umap": "UMAP"}
_MIN_SAMPLES = 4  # of the methods that look at neighbours
_MAX_VALUES = 50
_PERPLEXITY = 30.0
_NEIGHBOURS = 15
_WORTH_THREADS = 2000  # samples
_FEW = 3 * _NEIGHBOURS  # samples whose graph has too few eigenvectors to start from


def check_methods(methods: Sequence[str]) -> None:
    """Refuses methods that are not known or not installed; loads nothing heavy.

    Raises:
        SettingsError: there is none, or one twice.
        UnknownNameError: there is no method of a name.
        MissingLibraryError: a library that a method needs is not installed.
    """
    for name in methods:
        if name not in METHODS:
            raise UnknownNameError("method", name, METHODS)
    if not methods or len(set(methods)) < len(methods):
        raise SettingsError(f"methods are {', '.join(methods) or 'none'}; expected each once")
    if find_spec("sklearn") is None:
        raise MissingLibraryError(
            "embeddings need scikit-learn, which is not installed: pip install scikit-learn"
        )
    if "umap" in methods and find_spec("umap") is None:
        raise MissingLibraryError(
            "umap needs umap-learn, which is not installed: pip install 'ferkit[embed]'"
        )


def project(method: str, values: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    """Coordinates in two dimensions.

    Args:
        method: one of `METHODS`.
        values: float32 array of shape (num_samples, num_values), finite, one sample or more.
        seed: of all chance.

    Returns:
        float32 array of shape (num_samples, 2); zeros where all samples are the same.

    Raises:
        SettingsError: there are too few samples for the method.
    """
    if method != "pca" and len(values) < _MIN_SAMPLES:
        raise SettingsError(
            f"{method} needs {_MIN_SAMPLES} samples or more; received {len(values)}: "
            "`--method pca` takes any number"
        )
    if (values == values[0]).all():
        return np.zeros((len(values), 2), np.float32)
    if method == "pca":
        return _two_columns(_components(values, 2, seed))
    if values.shape[1] > _MAX_VALUES:
        values = _components(values, _MAX_VALUES, seed)
    found = (_tsne if method == "tsne" else _umap)(values, seed)
    return np.asarray(found, np.float32)


def _components(values: NDArray[np.float32], number: int, seed: int) -> NDArray[np.float32]:
    """The first principal components, as many of `number` as there are."""
    from sklearn.decomposition import PCA

    pca = PCA(min(number, *values.shape), random_state=seed)
    return np.asarray(pca.fit_transform(values), np.float32)


def _two_columns(found: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.pad(found, ((0, 0), (0, 2 - found.shape[1])))  # a single value lies on a line


def _tsne(values: NDArray[np.float32], seed: int) -> Any:
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    tsne = TSNE(
        2,
        perplexity=min(_PERPLEXITY, (len(values) - 1) / 3),
        init="pca" if values.shape[1] > 1 else "random",
        random_state=seed,
    )
    # It adds up what the threads find in the order in which they end: two come to the same sum.
    # For few samples a second thread takes longer to wait for than it saves.
    num_threads = 1 if len(values) < _WORTH_THREADS else 2
    with threadpool_limits(num_threads, user_api="openmp"):
        return tsne.fit_transform(values)


def _umap(values: NDArray[np.float32], seed: int) -> Any:
    umap = _load_umap()
    num_neighbours = min(_NEIGHBOURS, len(values))
    # exact, and sooner there than UMAP's search is compiled; a sample is its own first neighbour
    rows, distances = find_neighbours(values, num_neighbours - 1)
    itself = np.arange(len(values))[:, np.newaxis]
    neighbours = np.hstack([itself, rows]), np.hstack([np.zeros_like(itself), distances])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it cannot transform others, or starts at random
        return umap.UMAP(
            n_neighbors=num_neighbours,
            init="spectral" if len(values) > _FEW else "random",
            random_state=seed,
            n_jobs=1,
            precomputed_knn=(neighbours[0], neighbours[1].astype(np.float32), None),
        ).fit_transform(values)


def _load_umap() -> Any:
    """The library without its networks, for which it would load TensorFlow and PyTorch."""
    networks = "umap.parametric_umap"
    is_known = networks in sys.modules
    if not is_known:
        sys.modules[networks] = None  # type: ignore[assignment]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import umap
    except ImportError as error:
        raise MissingLibraryError(
            f"umap-learn cannot be loaded ({error}): pip install 'ferkit[embed]'"
        ) from None
    finally:
        if not is_known:
            del sys.modules[networks]
    return umap

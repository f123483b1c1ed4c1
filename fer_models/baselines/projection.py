"""Pixels to features: standardised, and turned into principal components."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_SLICE = 1024
_EXACT_VALUES = 4096
#: Most memory of the standardised pixels that components are found on.
MAX_BYTES = 512 * 2**20


@dataclass(frozen=True, slots=True)
class Projection:
    """What was learned of the values of the training images.

    Attributes:
        mean: float32 array of shape (num_values,).
        deviation: float32 array of shape (num_values,); 1 where a value never changes.
        components: float32 array of shape (num_values, num_components), whitened: on the training
            images each component has deviation 1. (num_values, 0) where there are none.
    """

    mean: NDArray[np.float32]
    deviation: NDArray[np.float32]
    components: NDArray[np.float32]

    def __call__(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """The features of some images.

        Args:
            values: uint8 or float32 array of shape (num_images, ...), num_values an image.

        Returns:
            float32 array of shape (num_images, num_components), or (num_images, num_values).
        """
        width = self.components.shape[1] or len(self.mean)
        features = np.empty((len(values), width), np.float32)
        for start in range(0, len(values), _SLICE):
            part = _standardised(values[start : start + _SLICE], self.mean, self.deviation)
            if self.components.shape[1]:
                part = part @ self.components
            features[start : start + _SLICE] = part
        return features

    @property
    def num_parameters(self) -> int:
        """Numbers that were learned."""
        return sum(a.size for a in (self.mean, self.deviation, self.components))


def fit_projection(
    values: NDArray[Any], num_components: int, seed: int
) -> tuple[Projection, list[str]]:
    """The projection of the training images, and what should be said of it.

    Args:
        values: uint8 or float32 array of shape (num_images, ...).
        num_components: to keep; 0 leaves the standardised values as they are.
        seed: of the components of images of more than 4,096 values, which chance has a part in.
    """
    mean, deviation = _moments(values)
    num_values = len(mean)
    if not num_components:
        none = np.empty((num_values, 0), np.float32)
        return Projection(mean, deviation, none), []
    notes = []
    most = min(num_values, len(values))
    if num_components > most:
        notes.append(
            f"Components: {most}, not {num_components}: {len(values):,} training samples of "
            f"{num_values:,} values have no more."
        )
        num_components = most
    if num_values <= _EXACT_VALUES:
        found, share = _exact_components(values, mean, deviation, num_components)
    else:
        found, share, note = _sampled_components(values, mean, deviation, num_components, seed)
        notes += note
    components = found.astype(np.float32)
    notes.append(f"{num_components} components hold {share:.1%} of the variance of the pixels.")
    return Projection(mean, deviation, components), notes


def _exact_components(
    values: NDArray[Any],
    mean: NDArray[np.float32],
    deviation: NDArray[np.float32],
    num_components: int,
) -> tuple[NDArray[np.float64], float]:
    """Whitened components (num_values, num_components), and the share of the variance they hold.

    From the covariance of all images, summed a slice at a time: no chance, and little memory.
    """
    from scipy.linalg import eigh

    size = len(mean)
    covariance = np.zeros((size, size))
    for start in range(0, len(values), _SLICE):
        part = _standardised(values[start : start + _SLICE], mean, deviation)
        covariance += part.T @ part
    covariance /= max(len(values) - 1, 1)
    total = float(np.trace(covariance)) or 1.0
    variances, vectors = eigh(
        covariance, subset_by_index=(size - num_components, size - 1), overwrite_a=True,
        check_finite=False,
    )  # fmt: skip
    return _whitened(variances[::-1], vectors[:, ::-1]), float(variances.sum()) / total


def _sampled_components(
    values: NDArray[Any],
    mean: NDArray[np.float32],
    deviation: NDArray[np.float32],
    num_components: int,
    seed: int,
) -> tuple[NDArray[np.float64], float, list[str]]:
    """The same of large images, and what to say: on some samples where all are too many.

    By scikit-learn's randomized solver (Halko, Martinsson and Tropp 2011).
    """
    from sklearn.decomposition import PCA

    notes = []
    max_samples = max(2 * num_components, MAX_BYTES // (4 * len(mean)))
    if len(values) > max_samples:
        rows = np.sort(np.random.default_rng(seed).permutation(len(values))[:max_samples])
        notes.append(f"Components found on {max_samples:,} of {len(values):,} training samples.")
        values = values[rows]
    pca = PCA(num_components, svd_solver="randomized", random_state=seed)
    pca.fit(_standardised(values, mean, deviation))
    found = _whitened(pca.explained_variance_, pca.components_.T)
    return found, float(pca.explained_variance_ratio_.sum()), notes


def _whitened(variances: NDArray[Any], vectors: NDArray[Any]) -> NDArray[np.float64]:
    """Components of deviation 1, each with its largest value above 0: their signs mean nothing.

    A component that holds nothing (fewer samples than components) is left out as zeros.
    """
    largest = vectors[np.abs(vectors).argmax(axis=0), np.arange(vectors.shape[1])]
    there = variances > 1e-6 * variances[0]
    scale = np.where(there, 1 / np.sqrt(np.where(there, variances, 1.0)), 0.0)
    return vectors * np.sign(largest) * scale  # type: ignore[no-any-return]


def _moments(values: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and deviation of each value over the images, (num_values,)."""
    total = square = np.zeros(int(np.prod(values.shape[1:])))
    for start in range(0, len(values), _SLICE):
        part = _flat(values[start : start + _SLICE]).astype(np.float64)
        total, square = total + part.sum(axis=0), square + (part**2).sum(axis=0)
    mean = total / len(values)
    variance = square / len(values) - mean**2
    steady = variance <= 1e-9 * np.maximum(mean**2, 1e-12)
    deviation = np.where(steady, 1.0, np.sqrt(np.maximum(variance, 0)))
    return mean.astype(np.float32), deviation.astype(np.float32)


def _standardised(
    values: NDArray[Any], mean: NDArray[np.float32], deviation: NDArray[np.float32]
) -> NDArray[np.float32]:
    return (_flat(values).astype(np.float32) - mean) / deviation


def _flat(values: NDArray[Any]) -> NDArray[Any]:
    return values.reshape(len(values), -1)  # (n, H, W, C) -> (n, H*W*C)

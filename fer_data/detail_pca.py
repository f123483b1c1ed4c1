"""A PCA fitted on blocks of pixels, and how much of a picture it cannot rebuild."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fer_data.block_krylov import Eigenpairs, Product, leading_eigenpairs
from fer_data.pixel_moments import exact_moments, shifted_rows

#: Gives the training pixels block by block, uint8 arrays of shape (n, D); anew at every call.
Blocks = Callable[[], Iterator[NDArray[np.uint8]]]

#: Pixels a picture up to which the covariance is held whole: 64x64. It takes 0.4 GB there, and its
#: eigenvectors as long as all the rest.
MAX_COVARIANCE_SIZE = 4096
#: No reconstruction error is further than this from that of the exact PCA.
MAX_ERROR = 1e-4

_SCALE = 255.0
_FEW = 32  # components: up to here the Krylov way is faster than scipy's eigh
_NO_VARIANCE = 1e-12  # of the largest: a direction in which nothing varies
_FLOAT32_NOISE = 1e-7  # the same, where products are made in float32
_EXACT_SINE = 1e-8  # of the angle to the exact components, where the covariance is at hand
_NUM_ROWS = 512  # multiplied at once


@dataclass(frozen=True, slots=True, kw_only=True)
class DetailPca:
    """A fitted PCA of pictures of D pixels.

    Attributes:
        mean: float64 array of shape (D,), in levels 0 to 255.
        components: float64 array of shape (D, k), orthonormal columns.
        variances: along each component, float64 array of shape (k,), in squared levels, descending.
        total_variance: of all pixels together, in squared levels.
        num_samples: it was fitted on.
        max_error: no reconstruction error is further than this from that of the exact PCA.
    """

    mean: NDArray[np.float64]
    components: NDArray[np.float64]
    variances: NDArray[np.float64]
    total_variance: float
    num_samples: int
    max_error: float = 0.0

    @property
    def explained_variance(self) -> float:
        """Share of the variance that the components hold, 0 to 1; 1 where nothing varies."""
        return float(self.variances.sum()) / self.total_variance if self.total_variance > 0 else 1.0


def fit_pca(
    blocks: Blocks, size: int, *, components: int, variance: float | None = None
) -> DetailPca:
    """The PCA of training pixels, one block in memory at a time.

    Directions in which nothing varies are no components, so there may be fewer than asked for.

    Args:
        blocks: the training pixels.
        size: D, pixels a picture.
        components: how many.
        variance: share of the variance that the components shall explain, 0 to 1; where given, as
            few as do so, instead of `components`.
    """
    if size > MAX_COVARIANCE_SIZE:
        return _fit_by_products(blocks, size, _Wanted(components, variance))
    return _fit_by_covariance(blocks, size, _Wanted(components, variance))


class _Wanted(NamedTuple):
    """How many components are wanted."""

    components: int
    variance: float | None

    def number(self, values: NDArray[np.float64], total: float) -> int | None:
        """By eigenvalues, descending, and their total; None where more of them must be known."""
        if self.variance is None:
            return self.components if len(values) > self.components else None
        reached = np.flatnonzero(np.cumsum(values) >= self.variance * total)
        return int(reached[0]) + 1 if len(reached) else None


def _fit_by_covariance(blocks: Blocks, size: int, wanted: _Wanted) -> DetailPca:
    mean, covariance, num_samples = exact_moments(blocks(), size)
    total = float(np.trace(covariance))
    sine = 0.0
    if wanted.variance is None and wanted.components <= _FEW:
        pairs = leading_eigenpairs(
            lambda vectors: covariance @ vectors,
            size,
            lambda values: wanted.number(values, total),
            max_sine=_EXACT_SINE,
            noise=_NO_VARIANCE,
        )
        values, vectors, sine = pairs.values, pairs.vectors, pairs.sine
    else:
        values, vectors = _eigenpairs(covariance, wanted)
    return DetailPca(
        mean=mean,
        components=vectors,
        variances=values,
        total_variance=total,
        num_samples=num_samples,
        max_error=sine,
    )


def _eigenpairs(
    covariance: NDArray[np.float64], wanted: _Wanted
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """As many of the largest eigenvalues as are wanted, descending, and their vectors."""
    eigh = importlib.import_module("scipy.linalg").eigh  # by name: it has no types
    size, total = len(covariance), float(np.trace(covariance))
    count = wanted.components
    if wanted.variance is not None:
        count = wanted.number(eigh(covariance, eigvals_only=True)[::-1], total) or size
    first = max(size - count, 0)
    values, vectors = eigh(covariance, subset_by_index=(first, size - 1))
    count = int(np.count_nonzero(values > _NO_VARIANCE * max(values[-1], 0.0)))
    return values[::-1][:count], np.ascontiguousarray(vectors[:, ::-1][:, :count])


def _fit_by_products(blocks: Blocks, size: int, wanted: _Wanted) -> DetailPca:
    num_samples, sums = 0, np.zeros(size, np.int64)
    for block in blocks():
        sums += block.sum(axis=0, dtype=np.int64)
        num_samples += len(block)
    mean = sums / max(num_samples, 1)
    offset = mean.astype(np.float32)
    total = largest = 0.0
    for x in shifted_rows(blocks(), offset, _NUM_ROWS):
        squares = np.einsum("ij,ij->i", x, x, dtype=np.float64)
        total += float(squares.sum()) / num_samples
        largest = max(largest, float(squares.max()) / size / _SCALE**2)

    # an error is |x|^2 times a share, and the share changes by the sine at most
    max_sine = min(1.0, MAX_ERROR / largest) if largest > 0 else 1.0

    def solve(kind: type, noise: float) -> Eigenpairs:
        return leading_eigenpairs(
            _product(blocks, mean.astype(kind), num_samples),
            size,
            lambda values: wanted.number(values, total),
            max_sine=max_sine,
            noise=noise,
        )

    pairs = solve(np.float32, _FLOAT32_NOISE)
    if pairs.sine > max_sine:  # components that differ by next to nothing
        pairs = solve(np.float64, _NO_VARIANCE)
    return DetailPca(
        mean=mean,
        components=pairs.vectors,
        variances=pairs.values,
        total_variance=total,
        num_samples=num_samples,
        max_error=pairs.sine * largest,
    )


def _product(blocks: Blocks, offset: NDArray[Any], num_samples: int) -> Product:
    """Multiplies with the covariance without making it, in the precision of the offset."""

    def multiply(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
        narrow, product = vectors.astype(offset.dtype), np.zeros_like(vectors)
        for x in shifted_rows(blocks(), offset, _NUM_ROWS):  # in the order of the blocks, always
            product += x.T @ (x @ narrow)
        return product / max(num_samples, 1)

    return multiply


@dataclass(frozen=True, slots=True, kw_only=True)
class PcaErrors:
    """What a PCA cannot rebuild of n pictures, each a float64 array of shape (n,).

    Attributes:
        error: mean of the squared differences of pixels 0 to 1, 0 to 1.
        relative: the same as a share of the picture's own variance, at most 1; 1 where it is blank.
    """

    error: NDArray[np.float64]
    relative: NDArray[np.float64]


def reconstruction_errors(pca: DetailPca, pixels: NDArray[np.uint8]) -> PcaErrors:
    """Errors of pictures rebuilt from the components: |x - mean|^2 - |components (x - mean)|^2.

    Args:
        pca: fitted on pictures of D pixels.
        pixels: uint8 array of shape (n, D).
    """
    size = pixels.shape[1]
    x = pixels.astype(np.float64)
    # one product gives what lies along each component, along the mean, and the sum
    sides = np.column_stack((pca.components, pca.mean, np.ones(size)))  # (D, k + 2)
    products = x @ sides
    along = products[:, :-2] - pca.mean @ pca.components
    squares = np.vecdot(x, x)
    distance = squares - 2 * products[:, -2] + pca.mean @ pca.mean
    error = np.clip(distance - np.vecdot(along, along), 0.0, None) / size
    variance = (size * squares - products[:, -1] ** 2) / size**2  # of whole numbers, so exact
    relative = np.divide(error, variance, out=np.ones_like(error), where=variance > 0)
    return PcaErrors(error=error / _SCALE**2, relative=np.minimum(relative, 1.0))

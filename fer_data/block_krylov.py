"""Leading eigenvectors of a symmetric matrix that is too large to hold, from products with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Vectors that are multiplied at once. Fewer need more passes, more need longer ones.
BLOCK_SIZE = 32
_MAX_BASIS = 2048
_SAME = 1e-7  # columns that differ by less than this share point the same way
_SEED = 20130714  # of the first block: any will do, as long as it is always the same

Product = Callable[[NDArray[np.float64]], NDArray[np.float64]]
Choose = Callable[[NDArray[np.float64]], int | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Eigenpairs:
    """The largest eigenvalues of a symmetric matrix and what belongs to them.

    Attributes:
        values: float64 array of shape (k,), descending.
        vectors: float64 array of shape (size, k), orthonormal columns.
        sine: bound of the sine of the angle between these vectors' space and the true one, 0 to 1.
        num_products: times that the matrix was multiplied.
    """

    values: NDArray[np.float64]
    vectors: NDArray[np.float64]
    sine: float
    num_products: int


def leading_eigenpairs(
    multiply: Product, size: int, choose: Choose, *, max_sine: float, noise: float
) -> Eigenpairs:
    """The leading eigenpairs by block Lanczos with full orthogonalisation.

    C. Musco, C. Musco, "Randomized block Krylov methods for stronger and faster approximate
    singular value decomposition", NeurIPS 2015. The basis grows by a block a step until the
    residuals r prove the space to be right: by Davis and Kahan's theorem the sine of the angle to
    the true space is at most the norm of |r_i| / (value_i - next value).

    Args:
        multiply: gives the matrix times a float64 array of shape (size, b).
        size: rows of the matrix, which is symmetric without negative eigenvalues.
        choose: how many eigenpairs are wanted, told all the values known so far, descending; None
            where more must be known to say.
        max_sine: when to stop. A basis of 2,048 vectors ends the search as well; `sine` tells.
        noise: rounding errors of the products, as a share of the largest eigenvalue; directions
            and eigenvalues below it are taken for zero.
    """
    start = np.random.default_rng(_SEED).standard_normal((size, BLOCK_SIZE))
    block = _orthonormal(_orthonormal(start, 0.0), 0.5)
    basis, image = np.zeros((size, 0)), np.zeros((size, 0))
    num_products = 0
    while True:
        basis = np.hstack((basis, block))
        image = np.hstack((image, multiply(block)))
        num_products += 1
        values, turn = np.linalg.eigh(_symmetric(basis.T @ image))
        values, turn = values[::-1], turn[:, ::-1]
        zero = noise * max(values[0], 0.0)
        block = _next_block(basis, image[:, -block.shape[1] :], zero)
        is_last = block.shape[1] == 0 or basis.shape[1] >= _MAX_BASIS
        count = choose(values)
        if count is None:
            if not is_last:
                continue
            count = len(values)
        count = min(count, int(np.count_nonzero(values > zero)))
        sine = _sine(basis, image, values, turn, count)
        if sine <= max_sine or is_last:
            vectors = basis @ turn[:, :count]
            return Eigenpairs(
                values=values[:count], vectors=vectors, sine=sine, num_products=num_products
            )


def _symmetric(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    return (matrix + matrix.T) / 2


def _next_block(
    basis: NDArray[np.float64], product: NDArray[np.float64], zero: float
) -> NDArray[np.float64]:
    """What the last product shows beyond the basis, orthonormal; no columns where it is nothing."""
    for _ in range(2):  # once leaves rounding behind
        product = product - basis @ (basis.T @ product)
    block = _orthonormal(product, zero)
    # what was small against the basis has grown, and so has its rounding
    return _orthonormal(block - basis @ (basis.T @ block), 0.5)


def _orthonormal(vectors: NDArray[np.float64], zero: float) -> NDArray[np.float64]:
    """The directions of some columns, without those that are shorter than `zero`.

    By the products of the columns: two passes over them, where a QR or SVD takes many.
    """
    squares, turn = np.linalg.eigh(vectors.T @ vectors)
    is_kept = squares > max(zero**2, _SAME**2 * squares.max(initial=0.0))
    kept: NDArray[np.float64] = vectors @ (turn[:, is_kept] / np.sqrt(squares[is_kept]))
    return kept


def _sine(
    basis: NDArray[np.float64],
    image: NDArray[np.float64],
    values: NDArray[np.float64],
    turn: NDArray[np.float64],
    count: int,
) -> float:
    if count == 0 or count == basis.shape[0]:
        return 0.0  # nothing varies, or nothing is left out
    known = min(count + 1, len(values))
    turn = turn[:, :known]
    residuals = np.linalg.norm(image @ turn - (basis @ turn) * values[:known], axis=0)
    # the next value: not known where the basis ends, but no more than what is left there
    following = values[count] + residuals[count] if known > count else residuals.max()
    gaps = values[:count] - following
    return min(1.0, float(np.linalg.norm(residuals[:count] / gaps))) if gaps.min() > 0 else 1.0

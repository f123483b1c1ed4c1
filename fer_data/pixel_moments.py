"""Mean and covariance of pixels, block by block, without a rounding error."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MIDDLE = 128  # levels less this are small whole numbers
_EXACT = 2**24  # whole numbers below this are exact in float32
_SAFE_ROWS = _EXACT // _MIDDLE**2  # whatever they show, their products are no larger
_COLUMNS = 256  # added at once: they fit into the cache


def exact_moments(
    blocks: Iterator[NDArray[np.uint8]], size: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    """Mean, covariance, and number of pictures.

    float32 multiplies twice as fast as float64, and here it makes no error: whole numbers are
    exact below 2^24, and no partial sum of products is larger than the largest sum of squares.
    So the result is the same to the last bit in whatever order, on whatever processor.
    """
    syrk = importlib.import_module("scipy.linalg.blas").ssyrk  # by name: it has no types
    num_samples, sums, bound = 0, np.zeros(size), 0.0
    products = np.zeros((size, size), order="F")
    partial = np.zeros((size, size), np.float32, order="F")
    for rows in shifted_rows(blocks, np.full(size, _MIDDLE, np.float32), _SAFE_ROWS * 2):
        for x in (rows[:_SAFE_ROWS], rows[_SAFE_ROWS:]) if _largest(rows) >= _EXACT else (rows,):
            largest = _largest(x)
            if bound + largest >= _EXACT:
                _add_upper(products, partial)
                bound = 0.0
            # beta 0 forgets what was added to the products
            beta = 0.0 if bound == 0.0 else 1.0
            partial = syrk(1.0, x.T, beta=beta, c=partial, overwrite_c=True)
            bound += largest
        sums += rows.sum(axis=0)
        num_samples += len(rows)
    _add_upper(products, partial)
    mean = sums / max(num_samples, 1)
    for start in range(0, size, _COLUMNS):
        stop = start + _COLUMNS
        upper = products[:stop, start:stop]
        upper /= max(num_samples, 1)
        upper -= np.outer(mean[:stop], mean[start:stop])
        # the lower half was not computed
        products[start:stop, :start] = upper[:start].T
        upper[start:] = np.triu(upper[start:]) + np.triu(upper[start:], 1).T
    return mean + _MIDDLE, products, num_samples


def _largest(x: NDArray[np.float32]) -> float:
    """The largest sum of squares of a pixel; as long as it is exact no product is larger."""
    return float(np.einsum("ij,ij->j", x, x).max(initial=0.0))


def _add_upper(products: NDArray[np.float64], partial: NDArray[np.float32]) -> None:
    for start in range(0, len(products), _COLUMNS):
        upper = np.s_[: start + _COLUMNS, start : start + _COLUMNS]
        products[upper] += partial[upper]


def shifted_rows(
    blocks: Iterator[NDArray[np.uint8]], offset: NDArray[Any], most: int
) -> Iterator[NDArray[Any]]:
    """The pictures less an offset, in its precision, `most` at a time; valid until the next."""
    buffer, filled = np.empty((most, len(offset)), offset.dtype), 0
    for block in blocks:
        left = block
        while len(left):
            part = buffer[filled : filled + len(left)]
            part[...] = left[: len(part)]
            part -= offset
            filled, left = filled + len(part), left[len(part) :]
            if filled == most:
                yield buffer
                filled = 0
    if filled:
        yield buffer[:filled]

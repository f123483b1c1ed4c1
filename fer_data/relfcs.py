"""How much of a picture its first component holds: relFCs, its variants, and the effective rank."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_EPSILON = float(np.finfo(np.float64).eps)
#: Sums of this many products of two levels are whole numbers that float32 holds exactly.
_EXACT_TERMS = 2**24 // 255**2


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentShares:
    """Shares of the first component in n images, each a float64 array of shape (n,).

    Attributes:
        relfcs: sigma_1 / sum(sigma), 0 to 1; 1 where there is nothing but the first component.
        relfcs_squared: sigma_1^2 / sum(sigma^2), 0 to 1.
        relfcs_uncentred: as `relfcs`, the mean colour left in; of grey images the same as `relfcs`.
        effective_rank: 1 to the smaller side of the image; of its light, whatever its colour.
    """

    relfcs: NDArray[np.float64]
    relfcs_squared: NDArray[np.float64]
    relfcs_uncentred: NDArray[np.float64]
    effective_rank: NDArray[np.float64]


def component_shares(images: NDArray[np.uint8], gray: NDArray[np.uint8]) -> ComponentShares:
    """Shares of the first component in each image's singular values.

    Colour: the image as an (H*W) x 3 matrix of RGB rows less their mean; all share 1 where its
    pixels lie on one line of colours, as in a picture of one tint. It is the reading of the relFCs
    column of the 96x96 AffectNet subset that fits what is known of it.
    Grey: there is one channel, so the H x W image itself stands for the matrix, not centred: 1
    where every row is a multiple of one row, as in a blank or striped picture.

    Args:
        images: uint8 array of shape (n, H, W, C), grey or RGB.
        gray: their light, uint8 array of shape (n, H, W), as of `gray_levels`.
    """
    light = _singular_values(_row_products(gray))
    if images.shape[-1] == 1:
        centred = uncentred = light
    else:
        num_images, height, width, channels = images.shape
        rows = images.reshape(num_images, height * width, channels).astype(np.float64)
        products = rows.transpose(0, 2, 1) @ rows  # (n, 3, 3)
        sums = rows.sum(axis=1)
        # times the number of pixels: whole numbers, so that one colour throughout is exactly 0
        spread = rows.shape[1] * products - sums[:, :, None] * sums[:, None, :]
        centred, uncentred = _singular_values(spread), _singular_values(products)
    return ComponentShares(
        relfcs=_first_share(centred),
        relfcs_squared=_first_share(centred**2),
        relfcs_uncentred=_first_share(uncentred),
        effective_rank=_effective_rank(light),
    )


def relfcs(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The `relfcs` of each grey or RGB image: float64 (n,) from uint8 (n, H, W, C).

    Example:
        >>> relfcs(np.full((1, 8, 8, 3), 7, np.uint8))
        array([1.])
    """
    return component_shares(images, images[..., 0]).relfcs


def _row_products(gray: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Products of the rows of each image with each other: (n, S, S), S its smaller side."""
    is_tall = gray.shape[1] > gray.shape[2]
    matrices = gray.transpose(0, 2, 1) if is_tall else gray
    is_exact = matrices.shape[2] <= _EXACT_TERMS
    rows: NDArray[Any] = matrices.astype(np.float32 if is_exact else np.float64)
    products: NDArray[np.float64] = np.matmul(rows, rows.transpose(0, 2, 1)).astype(np.float64)
    return products


def _singular_values(products: NDArray[np.float64]) -> NDArray[np.float64]:
    """Singular values of matrices by the products of their rows, ascending: float64 (n, S).

    Eigenvalues of these small matrices are the squared singular values, and far cheaper. What
    rounding makes of a zero is set to zero, or its root would count.
    """
    squares = np.linalg.eigvalsh(products)
    noise = _EPSILON * products.shape[-1] * squares[:, -1:]
    return np.sqrt(np.where(squares > noise, squares, 0.0))


def _first_share(sigma: NDArray[np.float64]) -> NDArray[np.float64]:
    total = sigma.sum(axis=1)
    # no light at all, or one colour throughout: nothing but the first component
    shares: NDArray[np.float64] = np.ones_like(total)
    np.divide(sigma[:, -1], total, out=shares, where=total > 0)
    return shares


def _effective_rank(sigma: NDArray[np.float64]) -> NDArray[np.float64]:
    """O. Roy, M. Vetterli, "The effective rank: a measure of effective dimensionality", 2007."""
    total = sigma.sum(axis=1, keepdims=True)
    shares = np.divide(sigma, total, out=np.zeros_like(sigma), where=total > 0)
    logs = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
    ranks: NDArray[np.float64] = np.exp(-(shares * logs).sum(axis=1))
    return ranks

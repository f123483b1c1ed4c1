"""Scores from the levels of single pixels and of neighbours: blank, dark, clipped, blurred?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Neighbours that differ by no more than this many levels show noise of JPEG, not detail.
EDGE_STEP = 2

_LEVELS = np.arange(256, dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class HistogramScores:
    """Scores from the grey levels of n images, each a float64 array of shape (n,).

    Attributes:
        flat_share: share of the pixels that have the commonest level, 0 to 1; 1 is a blank image.
        entropy: Shannon entropy of the levels, in bits, 0 to 8; 0 is a blank image.
        brightness: mean of the levels, 0 to 255.
        contrast: standard deviation of the levels, 0 to 127.5.
        clipping: share of the pixels at either end of the scale, 0 to 1.
    """

    flat_share: NDArray[np.float64]
    entropy: NDArray[np.float64]
    brightness: NDArray[np.float64]
    contrast: NDArray[np.float64]
    clipping: NDArray[np.float64]


def histogram_scores(gray: NDArray[np.uint8]) -> HistogramScores:
    """Scores from the histogram of each image.

    Args:
        gray: uint8 array of shape (n, H, W).
    """
    num_images, num_pixels = len(gray), int(np.prod(gray.shape[1:]))
    counts = np.zeros((num_images, 256))
    for image, row in zip(gray.reshape(num_images, num_pixels), counts, strict=True):
        row[:] = np.bincount(image, minlength=256)
    shares = counts / num_pixels
    logs = np.log2(shares, out=np.zeros_like(shares), where=shares > 0)
    # sums of whole numbers, so that a blank image has a variance of exactly 0
    total, squares = counts @ _LEVELS, counts @ _LEVELS**2
    variance = (num_pixels * squares - total**2) / num_pixels**2
    return HistogramScores(
        flat_share=shares.max(axis=1, initial=0.0),
        entropy=-(shares * logs).sum(axis=1) + 0.0,
        brightness=total / num_pixels,
        contrast=np.sqrt(variance),
        clipping=shares[:, 0] + shares[:, 255],
    )


def sharpness(gray: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Variance of each image's 4-neighbour Laplacian: float64 (n,), 0 to 1020 squared.

    J. L. Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy: a comparative
    study", ICPR 2000. Border pixels, which lack a neighbour, are left out.

    Args:
        gray: uint8 array of shape (n, H, W); H and W at least 3.
    """
    x = gray.astype(np.int16)
    middle = x[:, 1:-1, 1:-1] << 2
    middle -= x[:, :-2, 1:-1]
    middle -= x[:, 2:, 1:-1]
    middle -= x[:, 1:-1, :-2]
    middle -= x[:, 1:-1, 2:]
    num = middle.shape[1] * middle.shape[2]
    laplacian = middle.reshape(len(gray), num).astype(np.float64)
    variance: NDArray[np.float64] = (
        num * np.vecdot(laplacian, laplacian) - laplacian.sum(axis=1) ** 2
    ) / num**2
    return variance


def edge_share(gray: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Share of each image's pixels that differ from the next one: float64 (n,), 0 to 1.

    A pixel counts where the one to its right or the one below it differs by more than `EDGE_STEP`
    levels. The last row and column are left out.

    Args:
        gray: uint8 array of shape (n, H, W); H and W at least 2.
    """
    here, right, below = gray[:, :-1, :-1], gray[:, :-1, 1:], gray[:, 1:, :-1]
    # the distance of two uint8 without leaving uint8
    is_edge = np.maximum(here, right) - np.minimum(here, right) > EDGE_STEP
    is_edge |= np.maximum(here, below) - np.minimum(here, below) > EDGE_STEP
    counts: NDArray[np.int64] = np.count_nonzero(is_edge, axis=(1, 2))
    shares: NDArray[np.float64] = counts / (here.shape[1] * here.shape[2])
    return shares

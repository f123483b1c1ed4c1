"""Perceptual hashes: 64 bits a window of a picture, alike where the pictures look alike.

A hash is the signs of the window's 64 lowest cosine terms, as in pHash (Zauner 2010,
"Implementation and benchmarking of perceptual image hash functions"). One hash a picture is not
enough: face detectors cut the same photograph a little differently each time, and a shift of two
pixels in 48 changes a fifth of the bits. So every picture is hashed in several windows: whichever
way it was cut, a window of the one falls on a window of the other.

All sums are of whole numbers and exact, so a picture has the same hashes on every machine and in
whatever company.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

#: Cells a side of the coarse picture that is hashed.
GRID = 16
HASH_BITS = 64
#: Middle (down, right of the picture's middle) and side of each window, as shares of the picture.
#: Found by adding, one by one, what brings together the most pairs of FER2013's cuts of one photo
#: (docs/decisions/0005-near-duplicates.md). Every window left of the middle has its counterpart
#: on the right, so that a mirrored picture has mirrored windows.
WINDOWS = (
    (-0.035, 0.0, 0.94), (-0.02, -0.02, 0.94), (-0.02, 0.02, 0.94), (0.0, -0.035, 0.94),
    (0.0, 0.0, 0.94), (0.0, 0.035, 0.94), (0.02, 0.0, 0.94),
    (-0.05, -0.02, 0.9), (-0.05, 0.0, 0.9), (-0.05, 0.02, 0.9), (0.0, 0.0, 0.9),
    (0.02, -0.02, 0.9), (0.02, 0.02, 0.9),
    (-0.02, -0.02, 0.86), (-0.02, 0.0, 0.86), (-0.02, 0.02, 0.86), (0.0, 0.0, 0.86),
    (-0.02, -0.02, 0.82), (-0.02, 0.02, 0.82), (0.02, 0.0, 0.82),
)  # fmt: skip
NUM_WINDOWS = len(WINDOWS)
# half waves down and across of each bit: the 64 lowest pairs, the constant left out
_WAVES = sorted(
    ((down, across) for down in range(GRID) for across in range(GRID)),
    key=lambda wave: (wave[0] ** 2 + wave[1] ** 2, wave),
)[1 : HASH_BITS + 1]
_DOWN, _ACROSS = np.array(_WAVES).T
#: The bits that a mirror flips: an odd number of half waves across changes its sign.
MIRROR_BITS = int.from_bytes(np.packbits(_ACROSS % 2 == 1).tobytes(), "little")
# largest weight of a cell: 256 cells of at most 255 levels stay exact in float32 (below 2**24)
_AMPLITUDE = 255
_SAMPLES = 32  # a cell, to average a cosine over it
_FLOAT32_EXACT = 2**24
# pictures multiplied at once: matrices this small keep to one thread, so that processes working
# side by side do not wait for each other's threads
_TOGETHER = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureHashes:
    """What is known of n pictures without looking at their pixels again.

    Attributes:
        hashes: uint64 array of shape (n, NUM_WINDOWS).
        contrast: float64 array of shape (n,): standard deviation of the coarse picture's levels,
            0 to 127.5. Near 0 there is nothing to hash: the bits say noise.
    """

    hashes: NDArray[np.uint64]
    contrast: NDArray[np.float64]


def hash_pictures(gray: NDArray[np.uint8]) -> PictureHashes:
    """The hashes of pictures.

    Args:
        gray: uint8 array of shape (n, H, W).

    Example:
        >>> levels = np.arange(48, dtype=np.uint8) * np.ones((1, 48, 1), np.uint8)
        >>> brighter = hash_pictures(levels + 30).hashes
        >>> bool((brighter == hash_pictures(levels).hashes).all())
        True
    """
    num_images = len(gray)
    num_groups = -(-num_images // _TOGETHER)
    cells = np.zeros((num_groups * _TOGETHER, GRID * GRID), np.float32)
    cells[:num_images] = coarse_pictures(gray).reshape(num_images, GRID * GRID)
    cells -= np.rint(cells.mean(axis=1, keepdims=True))
    groups = cells.reshape(num_groups, 1, _TOGETHER, GRID * GRID)
    terms = groups @ _weights()  # (groups, NUM_WINDOWS, _TOGETHER, HASH_BITS)
    hashes = np.packbits(terms > 0, axis=-1).view("<u8")[..., 0].transpose(0, 2, 1)
    return PictureHashes(
        hashes=hashes.reshape(-1, NUM_WINDOWS)[:num_images].astype(np.uint64, copy=False),
        contrast=cells[:num_images].std(axis=1, dtype=np.float64),
    )


def coarse_pictures(gray: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Mean level of each cell, rounded: float32 array of shape (n, 16, 16) from (n, H, W)."""
    height, width = gray.shape[1:]
    exact = np.float32 if 255 * height * width < _FLOAT32_EXACT else np.float64
    sums = _areas(height).astype(exact) @ (gray.astype(exact) @ _areas(width).T.astype(exact))
    return np.asarray(np.rint(sums / exact(height * width)), dtype=np.float32)


@cache
def _areas(side: int) -> NDArray[np.float64]:
    """How much of each pixel lies in each cell, in 1/16 pixel: whole numbers, (16, side)."""
    edges = np.arange(GRID + 1)[:, None] * side  # in 1/16 pixel
    pixels = np.arange(side)[None, :] * GRID
    covered = np.clip(edges - pixels, 0, GRID)  # (17, side)
    return np.asarray(np.diff(covered, axis=0), dtype=np.float64)


@cache
def _weights() -> NDArray[np.float32]:
    """Weight of each cell in each bit: whole numbers, (NUM_WINDOWS, 256, HASH_BITS)."""
    weights = np.stack([_window_weights(*window) for window in WINDOWS])
    weights = weights.reshape(*weights.shape[:2], -1).transpose(0, 2, 1)
    return np.ascontiguousarray(weights, dtype=np.float32)


def _window_weights(down: float, right: float, side: float) -> NDArray[np.float64]:
    """Weights of one window, each bit's summing to about 0: (HASH_BITS, 16, 16)."""
    if right > 0:  # by way of its counterpart, for a mirror that is exact
        signs = np.where(_ACROSS % 2 == 1, -1.0, 1.0)
        return _window_weights(down, -right, side)[:, :, ::-1] * signs[:, None, None]
    rows, columns = _cosines(0.5 + down, side, _DOWN), _cosines(0.5 + right, side, _ACROSS)
    waves = rows[:, :, None] * columns[:, None, :]
    still = np.zeros(1, np.int64)
    inside = _cosines(0.5 + down, side, still).T * _cosines(0.5 + right, side, still)
    waves -= inside * (waves.sum(axis=(1, 2)) / inside.sum())[:, None, None]
    return np.rint(waves * _AMPLITUDE)


def _cosines(middle: float, side: float, half_waves: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mean over each cell of cosines that fill a window and are 0 outside: (k, 16)."""
    places = (np.arange(GRID * _SAMPLES) + 0.5) / (GRID * _SAMPLES)
    phase = (places - (middle - side / 2)) / side
    waves = np.cos(np.pi * half_waves[:, None] * phase) * ((phase >= 0) & (phase <= 1))
    return np.asarray(waves.reshape(len(half_waves), GRID, _SAMPLES).mean(axis=2))

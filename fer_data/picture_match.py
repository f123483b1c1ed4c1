"""Whether two pictures are the same photograph, judged by their pixels.

Two cuts of one photograph differ in place and size, in brightness and contrast, in compression and
in what was printed over them. So the second is first moved, stretched and levelled until it fits
the first best (Gauss-Newton on the squared difference, coarse to fine, as in Lucas & Kanade 1981,
"An iterative image registration technique"), and only where they overlap they are compared: by all
they show, and by detail alone. Faces of different people, lit alike, agree in the former; only
pictures of one moment agree in both.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

#: Height and width at which pictures are compared.
MATCH_SIDE = 48
# steps taken on the pictures at a quarter and at half of that; more change next to nothing
_COARSE_STEPS, _FINE_STEPS = 4, 3
_MAX_STRETCH = 0.25
_MAX_SHIFT = 0.5  # of half a side
_MIN_OVERLAP = 0.5
_FLAT = 0.1  # standard deviation in levels: less is rounding
_BATCH = 64  # what it needs fits a core's cache
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureMatch:
    """How well n pairs of pictures agree, each a float64 array of shape (n,), -1 to 1.

    Attributes:
        similarity: correlation of the pixels where the fitted pictures overlap; -1 where they
            overlap by less than half.
        detail: the same of what is finer than an eighth of the picture.
    """

    similarity: Floats
    detail: Floats


def prepare_for_match(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pictures in the size they are matched in: uint8 (n, 48, 48) from uint8 (n, H, W)."""
    if gray.shape[1:] == (MATCH_SIDE, MATCH_SIDE):
        return gray
    way = cv2.INTER_AREA if min(gray.shape[1:]) >= MATCH_SIDE else cv2.INTER_LINEAR_EXACT
    resized = [cv2.resize(picture, (MATCH_SIDE, MATCH_SIDE), interpolation=way) for picture in gray]
    return np.stack(resized).astype(np.uint8)


def match_pictures(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> PictureMatch:
    """How well the second of each pair agrees with the first.

    Args:
        first: uint8 array of shape (n, 48, 48).
        second: uint8 array of the same shape.
    """
    similarity, detail = np.empty(len(first)), np.empty(len(first))
    for start in range(0, len(first), _BATCH):
        part = slice(start, start + _BATCH)
        match = _match(first[part].astype(np.float64), second[part].astype(np.float64))
        similarity[part], detail[part] = match.similarity, match.detail
    return PictureMatch(similarity=similarity, detail=detail)


def _match(first: Floats, second: Floats) -> PictureMatch:
    halves = _halve(first), _halve(second)
    quarters = _halve(halves[0]), _halve(halves[1])
    place = np.tile(np.array([1.0, 0.0, 1.0, 0.0]), (len(first), 1))
    for one, other in [quarters] * _COARSE_STEPS + [halves] * _FINE_STEPS:
        place = _fit_step(one, other, place)
    moved, rows, columns = _move(second, place)
    overlap = rows[:, :, None] * columns[:, None, :]
    enough = overlap.mean(axis=(1, 2)) >= _MIN_OVERLAP
    similarity = np.where(enough, _correlation(first, moved, overlap), -1.0)
    moved, rows, columns = _move(halves[1], place)
    one, moved = _detail(halves[0], rows, columns), _detail(moved, rows, columns)
    overlap = rows[:, :, None] * columns[:, None, :]
    return PictureMatch(similarity=similarity, detail=_correlation(one, moved, overlap))


def _halve(pictures: Floats) -> Floats:
    """Pictures of half the height and width."""
    lines = pictures[:, ::2] + pictures[:, 1::2]
    return np.asarray((lines[:, :, ::2] + lines[:, :, 1::2]) * 0.25)


@cache
def _axis(side: int) -> Floats:
    """Middles of pixels, from -1 to 1 across the picture: (side,)."""
    return (2 * np.arange(side) + 1) / side - 1


def _move(pictures: Floats, place: Floats) -> tuple[Floats, Floats, Floats]:
    """Pictures at another place, and which rows and columns (n, side) have pixels there.

    Args:
        pictures: float64 array of shape (n, side, side).
        place: float64 array of shape (n, 4): stretch and shift down, stretch and shift across.
    """
    stretched, rows = _move_rows(pictures, place[:, :2])
    stretched, columns = _move_rows(stretched.transpose(0, 2, 1), place[:, 2:])
    return np.ascontiguousarray(stretched.transpose(0, 2, 1)), rows, columns


def _move_rows(pictures: Floats, place: Floats) -> tuple[Floats, Floats]:
    """Rows between rows, by linear interpolation, and which lie inside the picture (n, side)."""
    side = pictures.shape[1]
    rows = place[:, :1] * _axis(side) + place[:, 1:]  # (n, side), -1 to 1
    rows = (rows + 1) * (side / 2) - 0.5  # in pixels
    inside = (np.abs(rows - (side - 1) / 2) < side / 2).astype(np.float64)
    rows = np.clip(rows, 0, side - 1)
    above = np.minimum(rows.astype(np.int64), side - 2)
    number = np.arange(len(pictures))[:, None]
    moved = pictures[number, above]
    below = pictures[number, above + 1]
    below -= moved
    below *= (rows - above)[:, :, None]
    moved += below
    return moved, inside


def _fit_step(one: Floats, other: Floats, place: Floats) -> Floats:
    """A place where the other fits the one better.

    Solves for brightness, contrast and a small move together: one = b + g * (other + slope * move).
    """
    num_pairs, side = one.shape[:2]
    moved, rows, columns = _move(other, place)
    down, across = np.zeros_like(moved), np.zeros_like(moved)
    down[:, 1:-1] = (moved[:, 2:] - moved[:, :-2]) * (side / 4)
    across[:, :, 1:-1] = (moved[:, :, 2:] - moved[:, :, :-2]) * (side / 4)
    axis = _axis(side)
    terms = np.empty((num_pairs, 7, side, side))
    terms[:, 0] = down * axis[:, None]
    terms[:, 1] = down
    terms[:, 2] = across * axis
    terms[:, 3] = across
    terms[:, 4] = moved
    terms[:, 5] = 1
    terms[:, 6] = one
    terms *= (rows[:, :, None] * columns[:, None, :])[:, None]
    flat = terms.reshape(num_pairs, 7, side * side)
    products = flat @ flat.transpose(0, 2, 1)  # (n, 7, 7)
    left = products[:, :6, :6]
    # a trace of damping: pictures without slopes stay where they are
    left += np.eye(6) * (1e-4 * np.trace(left, axis1=1, axis2=2) + 1e-3)[:, None, None]
    solved = np.linalg.solve(left, products[:, :6, 6:])[:, :, 0]
    gain = solved[:, 4:5]
    move = np.divide(solved[:, :4], gain, out=np.zeros((num_pairs, 4)), where=gain > 0.1)
    place = place + np.clip(move, -0.2, 0.2)
    place[:, ::2] = np.clip(place[:, ::2], 1 - _MAX_STRETCH, 1 + _MAX_STRETCH)
    place[:, 1::2] = np.clip(place[:, 1::2], -_MAX_SHIFT, _MAX_SHIFT)
    return place


def _correlation(one: Floats, other: Floats, overlap: Floats) -> Floats:
    """Pearson correlation of each pair where they overlap; 0 where one is flat."""
    weight = np.maximum(overlap.sum(axis=(1, 2), keepdims=True), 1)
    one = (one - (one * overlap).sum(axis=(1, 2), keepdims=True) / weight) * overlap
    other = (other - (other * overlap).sum(axis=(1, 2), keepdims=True) / weight) * overlap
    both = np.einsum("nij,nij->n", one, other)
    sizes = np.stack([np.einsum("nij,nij->n", part, part) for part in (one, other)])
    shown = (sizes > _FLAT**2 * weight[:, 0, 0]).all(axis=0)
    found: Floats = np.zeros_like(both)
    np.divide(both, np.sqrt(sizes.prod(axis=0)), out=found, where=shown)
    return found


def _detail(pictures: Floats, rows: Floats, columns: Floats) -> Floats:
    """What is left of pictures less their surroundings, as far as those are known."""
    blur = _blur(pictures.shape[1])
    known = (rows @ blur)[:, :, None] * (columns @ blur)[:, None, :]
    inside = pictures * rows[:, :, None] * columns[:, None, :]
    return np.asarray(pictures - blur @ inside @ blur / np.maximum(known, 1e-3))


@cache
def _blur(side: int) -> Floats:
    """Gaussian weights, an eighth of the side wide: symmetric, (side, side)."""
    distance = np.arange(side)[:, None] - np.arange(side)
    return np.exp(-((distance / (side / 16)) ** 2) / 2)

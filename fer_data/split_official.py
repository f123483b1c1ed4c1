"""Which samples official splits decide on, and in which shares the others are dealt."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fer_data.split_groups import SampleGroups

Numbers = NDArray[np.int64]
Floats = NDArray[np.float64]

_TRAIN, _VALIDATION, _TEST = range(3)  # rows of SPLITS
_NONE = -1


def free_shares(ratios: Floats, official: Numbers) -> Floats:
    """Shares of train, validation and test for samples that official splits do not decide on.

    Args:
        ratios: float64 array of shape (3,): as asked for.
        official: int64 array of shape (num_samples,): 0, 1 or 2, or -1 where a source gives none.
    """
    shares = ratios.copy()
    if np.isin((_VALIDATION, _TEST), official).any():
        shares[_TEST] = 0.0  # the source keeps its test to itself, or has one
    if (official == _VALIDATION).any():
        shares[_VALIDATION] = 0.0
    done: Floats = shares / shares.sum()
    return done


def fixed_splits(official: Numbers, *, folds: bool) -> NDArray[np.bool_]:
    """Whether train, validation and test are as their sources give them: bool array of shape (3,).

    Args:
        official: as of `free_shares`.
        folds: whether all but the test split is dealt into folds.
    """
    has_validation = bool((official == _VALIDATION).any())
    if folds:
        return np.array([False, False, True])
    return np.array([has_validation, True, True])


def follow_official(groups: SampleGroups, official: Numbers, fixed: NDArray[np.bool_]) -> Numbers:
    """The split that official splits put each sample in, or -1: int64 array of shape (n,).

    A group with a sample in a fixed split is decided: each of its samples stays where its source
    put it, and those without an official split follow what they are most like: identical pixels
    before a family of near pictures, before a subject. Where those stand in several splits they
    follow into train.

    Args:
        groups: of the samples.
        official: int64 array of shape (n,), a row of the splits, or -1.
        fixed: bool array of shape (3,).
    """
    holds = (official != _NONE) & fixed[official]
    decided = np.zeros(len(groups.num_samples), np.bool_)
    decided[groups.of_sample[holds]] = True
    is_decided = decided[groups.of_sample]
    split = np.where(is_decided, official, _NONE)
    for codes in (*groups.codes.values(), groups.of_sample):
        known = np.flatnonzero(is_decided & (official != _NONE) & (codes != _NONE))
        home = np.full(codes.max(initial=-1) + 1, len(fixed), np.int64)
        np.minimum.at(home, codes[known], official[known])
        open_ = np.flatnonzero(is_decided & (split == _NONE) & (codes != _NONE))
        found = open_[home[codes[open_]] < len(fixed)]
        split[found] = home[codes[found]]
    return split

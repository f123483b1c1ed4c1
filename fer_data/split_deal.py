"""Deals groups of samples into parts, so that every class and source comes near its share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array

from fer_data.split_groups import renumber
from fer_data.split_improve import Quotas, deal_large

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]

#: A group is large where it holds more than this share of its stratum.
_LARGE = 0.02


def deal(
    group: Numbers, labels: Numbers, sources: Numbers, order: NDArray[np.uint64], shares: Floats
) -> Numbers:
    """The part each of g groups is put into: int64 array of shape (g,), from 0.

    A stratum is a class in one source. Groups that are large or of several strata go first. The
    others fill up what those leave: the groups of a stratum are laid in a row, in their order, and
    the row is cut at the shares. So samples that come or go move few others.

    Args:
        group: int64 array of shape (num_samples,), from 0.
        labels: int64 array of shape (num_samples,): classes, from 0.
        sources: int64 array of shape (num_samples,), from 0.
        order: uint64 array of shape (g,): uniform random numbers.
        shares: float64 array of shape (num_parts,), positive, of sum 1.
    """
    num_sources = int(sources.max()) + 1
    numbers, stratum = renumber(labels * num_sources + sources)
    class_of = numbers // num_sources
    shape = (len(order), len(class_of))
    counts = coo_array((np.ones(len(group)), (group, stratum)), shape=shape).tocsr()
    sizes = np.asarray(counts.sum(axis=1), np.float64)
    in_stratum = np.asarray(counts.sum(axis=0), np.float64)
    wanted = share_out(in_stratum, class_of, shares)
    stratum_of = counts.indices[counts.indptr[:-1]].astype(np.int64)
    limit = np.maximum(1.0, min(_LARGE, shares.min() / 2) * in_stratum)
    is_small = (np.diff(counts.indptr) == 1) & (sizes <= limit[stratum_of])
    small, large = np.flatnonzero(is_small), np.flatnonzero(~is_small)
    large = large[np.argsort(order[large])]  # whatever the order of the samples
    parts = np.zeros(len(order), np.int64)
    left: Floats = np.bincount(stratum_of[small], sizes[small], len(class_of)).astype(np.float64)
    quotas = Quotas(wanted=wanted, left=left, class_of=class_of, shares=shares)
    parts[large] = deal_large(counts[large], order[large], quotas)
    placed = np.zeros_like(wanted)
    rows = counts[large].tocoo()
    np.add.at(placed, (rows.col, parts[large][rows.row]), rows.data)
    free = np.maximum(wanted - placed, 0.0)
    parts[small] = _cut_rows(stratum_of[small], sizes[small], order[small], free)
    return parts


def share_out(in_stratum: Floats, class_of: Numbers, shares: Floats) -> Floats:
    """Whole samples of each stratum for each part: float64 array of shape (num_strata, num_parts).

    What is rounded in one source is made good in the next, and no part goes without a class that
    has a sample for each.

    Args:
        in_stratum: float64 array of shape (num_strata,): samples.
        class_of: int64 array of shape (num_strata,): the class of each stratum.
        shares: float64 array of shape (num_parts,), of sum 1.

    Example:
        >>> one_class = np.array([0, 0])
        >>> share_out(np.array([5.0, 5.0]), one_class, np.array([0.1, 0.1, 0.8])).tolist()
        [[0.0, 1.0, 4.0], [1.0, 0.0, 4.0]]
    """
    wanted = np.zeros((len(in_stratum), len(shares)))
    cuts = np.cumsum(shares)[:-1]
    for label in np.unique(class_of):
        rows = np.flatnonzero(class_of == label)
        ends = np.concatenate([[0.0], np.cumsum(in_stratum[rows])])
        inner = np.diff(np.rint(np.outer(ends, cuts)), axis=0)  # (num_rows, num_parts - 1)
        most = in_stratum[rows, None]
        inner = np.maximum.accumulate(np.clip(inner, 0.0, most), axis=1)
        wanted[rows] = np.diff(inner, axis=1, prepend=0.0, append=most)
        if in_stratum[rows].sum() >= len(shares):
            for part in np.flatnonzero(wanted[rows].sum(axis=0) == 0):
                row, giver = np.unravel_index(np.argmax(wanted[rows]), (len(rows), len(shares)))
                wanted[rows[row], [giver, part]] += (-1.0, 1.0)
    return wanted


def _cut_rows(
    stratum_of: Numbers, sizes: Floats, order: NDArray[np.uint64], free: Floats
) -> Numbers:
    """The part of each small group: where its middle falls in its stratum's row.

    Args:
        stratum_of: int64 array of shape (num_groups,).
        sizes: float64 array of shape (num_groups,): samples.
        order: uint64 array of shape (num_groups,).
        free: float64 array of shape (num_strata, num_parts): samples that each part still wants.
    """
    num_strata, num_parts = free.shape
    to_place = np.bincount(stratum_of, sizes, num_strata)
    wanted = free.sum(axis=1)
    free = free * (to_place / np.where(wanted > 0, wanted, 1.0))[:, None]
    starts = np.cumsum(to_place) - to_place
    ends = starts[:, None] + np.cumsum(free, axis=1)
    ends[:, -1] = starts + to_place
    sequence = np.lexsort((order, stratum_of))
    middles = np.cumsum(sizes[sequence]) - sizes[sequence] / 2
    # all rows one behind the other: (num_strata, num_parts) -> (num_strata * num_parts,)
    found = np.searchsorted(ends.ravel(), middles, side="right")
    parts = np.empty(len(sizes), np.int64)
    parts[sequence] = np.clip(found - stratum_of[sequence] * num_parts, 0, num_parts - 1)
    return parts

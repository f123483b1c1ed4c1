"""Deals large groups and those of several classes: by chance, then bettered move by move."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]

#: Deviations up to this share of a class are left alone: every move may unsettle a later split.
_TOLERANCE = 0.005
#: What a stratum's deviation counts, that of its class counting 1.
_STRATUM_WEIGHT = 0.1
#: Groups that may be moved: those next to a cut, so that added samples move few others.
_MOST_MOVABLE = 4_096
_MOST_MOVES = 5_000
_LEAST_GAIN = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotas:
    """What each part is to hold, and what small groups can make good later.

    Attributes:
        wanted: float64 array of shape (num_strata, num_parts): samples.
        left: float64 array of shape (num_strata,): samples in small groups.
        class_of: int64 array of shape (num_strata,): the class of each stratum.
        shares: float64 array of shape (num_parts,), of sum 1.
    """

    wanted: Floats
    left: Floats
    class_of: Numbers
    shares: Floats


def deal_large(counts: csr_array, order: NDArray[np.uint64], quotas: Quotas) -> Numbers:
    """The part each group is put into: int64 array of shape (num_groups,), from 0.

    Args:
        counts: sparse float64 array of shape (num_groups, num_strata): samples.
        order: uint64 array of shape (num_groups,): uniform random numbers.
        quotas: what the parts are to hold.
    """
    cuts = np.cumsum(quotas.shares)[:-1]
    places = order / 2.0**64
    parts = np.searchsorted(cuts, places, side="right").astype(np.int64)
    if len(parts) == 0 or len(cuts) == 0:
        return parts
    columns = _columns(quotas.class_of)  # (num_strata, num_columns)
    counts = counts @ csr_array(columns)
    held = np.stack(
        [counts[parts == part].sum(axis=0) for part in range(len(quotas.shares))], axis=1
    )
    movable = np.arange(len(parts))
    if len(parts) > _MOST_MOVABLE:
        distance = np.abs(places[:, None] - cuts).min(axis=1)
        movable = np.sort(np.argsort(distance, kind="stable")[:_MOST_MOVABLE])
    search = _Search(_Cost(quotas, columns), counts[movable].toarray(), parts[movable], held)
    parts[movable] = search.run()
    return parts


def _columns(class_of: Numbers) -> Floats:
    """Sums of strata that are to come out right: classes, and strata where a class has several."""
    classes = (class_of[:, None] == np.unique(class_of)).astype(np.float64)
    several = classes.sum(axis=0)[np.searchsorted(np.unique(class_of), class_of)] > 1
    return np.concatenate([classes, np.eye(len(class_of))[:, several]], axis=1)


class _Cost:
    """What it costs that a part holds so many samples of each column."""

    def __init__(self, quotas: Quotas, columns: Floats) -> None:
        num_classes = len(np.unique(quotas.class_of))
        num_parts = len(quotas.shares)
        self.most = columns.T @ quotas.wanted  # (num_columns, num_parts)
        left = columns.T @ quotas.left
        self.least = self.most - left[:, None]
        in_class = columns[:, :num_classes] @ self.most[:num_classes].sum(axis=1)
        of_column = np.array([in_class[column > 0][0] for column in columns.T])
        self.tolerance = _TOLERANCE * of_column
        is_class = np.arange(columns.shape[1]) < num_classes
        self.weight = np.where(is_class, 1.0, _STRATUM_WEIGHT) / np.maximum(of_column, 1.0) ** 2
        # a part without a class is worse than any deviation
        self.missing = (is_class & (left < num_parts)).astype(np.float64)

    def of(self, held: Floats, part: int) -> Floats:
        """float64 array of shape (…,) for samples held, of shape (…, num_columns), by a part."""
        off = np.abs(held - np.clip(held, self.least[:, part], self.most[:, part]))
        off = np.maximum(off - self.tolerance, 0.0)
        cost: Floats = (off * off) @ self.weight + (held < 0.5) @ self.missing
        return cost


class _Search:
    """Makes the best move of one group as long as one lowers the cost."""

    def __init__(self, cost: _Cost, counts: Floats, parts: Numbers, held: Floats) -> None:
        self.cost, self.counts, self.parts, self.held = cost, counts, parts.copy(), held
        num_parts = held.shape[1]
        self.leave = np.zeros(len(parts))
        self.join = np.zeros((len(parts), num_parts))
        for part in range(num_parts):
            self._renew(part)

    def run(self) -> Numbers:
        rows = np.arange(len(self.parts))
        for _ in range(_MOST_MOVES):
            change = self.leave[:, None] + self.join
            change[rows, self.parts] = 0.0
            row, part = np.unravel_index(int(np.argmin(change)), change.shape)
            if change[row, part] > -_LEAST_GAIN:
                break
            before = self.parts[row]
            self.held[:, before] -= self.counts[row]
            self.held[:, part] += self.counts[row]
            self.parts[row] = part
            self._renew(int(before))
            self._renew(int(part))
        return self.parts

    def _renew(self, part: int) -> None:
        """What it costs to leave or to join a part, of which the content has changed."""
        held = self.held[:, part]
        now = self.cost.of(held, part)
        inside = self.parts == part
        self.leave[inside] = self.cost.of(held - self.counts[inside], part) - now
        self.join[:, part] = self.cost.of(held + self.counts, part) - now

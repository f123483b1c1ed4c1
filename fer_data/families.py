"""Families: which things hang together, as links between them become known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Families:
    """A partition of the numbers 0 to n - 1 that grows coarser with every link.

    Args:
        num_members: n; in the beginning each is a family of its own.

    Attributes:
        first: int64 array of shape (n,): the smallest number of each one's family.

    Example:
        >>> families = Families(5)
        >>> families.link(np.array([4, 3]), np.array([3, 1]))
        >>> families.first.tolist()
        [0, 1, 2, 1, 1]
    """

    def __init__(self, num_members: int) -> None:
        self.first: NDArray[np.int64] = np.arange(num_members, dtype=np.int64)

    def link(self, one: NDArray[np.int64], other: NDArray[np.int64]) -> None:
        """Puts the families of `one[k]` and `other[k]` together, for every k."""
        while True:
            ends = np.stack([self.first[one], self.first[other]])
            low, high = ends.min(axis=0), ends.max(axis=0)
            apart = low != high
            if not apart.any():
                return
            np.minimum.at(self.first, high[apart], low[apart])
            self._flatten()

    def together(self, one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether `one[k]` and `other[k]` are of one family, for every k."""
        return np.asarray(self.first[one] == self.first[other])

    def _flatten(self) -> None:
        while True:
            nearer = self.first[self.first]
            if np.array_equal(nearer, self.first):
                return
            self.first = nearer

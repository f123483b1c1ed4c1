"""Whether two models are right on different samples by more than chance: McNemar's test.

McNemar, "Note on the sampling error of the difference between correlated proportions or
percentages", 1947; as Dietterich, "Approximate statistical tests for comparing supervised
classification learning algorithms", 1998, recommends it where each model was trained once. Only
samples that one of them alone gets right count, and their number is tested exactly, against the
binomial distribution of a fair coin: none is too few.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class McNemar:
    """Two models on the same samples.

    Attributes:
        only_this: samples that this model alone gets right.
        only_other: samples that the other one alone gets right.
        p_value: how often a difference as large or larger comes of chance, two-sided.
    """

    only_this: int
    only_other: int
    p_value: float


def compare_right(is_right: NDArray[np.bool_], other_is_right: NDArray[np.bool_]) -> McNemar:
    """McNemar's test of two models on the same samples.

    Args:
        is_right: bool array of shape (num_samples,): which predictions of this model are right.
        other_is_right: the same of the other model.

    Example:
        >>> found = compare_right(np.array([True] * 6 + [False]), np.array([False] * 6 + [True]))
        >>> found.only_this, found.only_other, round(found.p_value, 4)
        (6, 1, 0.125)
    """
    only_this = int((is_right & ~other_is_right).sum())
    only_other = int((~is_right & other_is_right).sum())
    num, fewer = only_this + only_other, min(only_this, only_other)
    if only_this == only_other:
        return McNemar(only_this=only_this, only_other=only_other, p_value=1.0)
    # log C(num, k) - num log 2: neither overflows for any number of samples
    logs = [
        math.lgamma(num + 1) - math.lgamma(k + 1) - math.lgamma(num - k + 1) - num * math.log(2)
        for k in range(fewer + 1)
    ]
    tail = 2 * math.fsum(map(math.exp, logs))
    return McNemar(only_this=only_this, only_other=only_other, p_value=min(1.0, tail))

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fer_data.families import Families

LINKS = st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=40)


def first_of_each(links: list[tuple[int, int]]) -> list[int]:
    """The smallest number that each of 20 hangs together with, straight from the definition."""
    together = {n: {n} for n in range(20)}
    for one, other in links:
        joined = together[one] | together[other]
        for member in joined:
            together[member] = joined
    return [min(together[n]) for n in range(20)]


@given(LINKS, st.integers(1, 5))
def test_families_are_what_hangs_together(links: list[tuple[int, int]], num_parts: int) -> None:
    families = Families(20)
    for part in np.array_split(np.array(links, np.int64).reshape(-1, 2), num_parts):
        families.link(part[:, 0], part[:, 1])
    assert families.first.tolist() == first_of_each(links)


def test_a_long_chain_is_one_family() -> None:
    families = Families(50_000)
    order = np.random.default_rng(0).permutation(50_000)
    families.link(order[:-1], order[1:])
    assert not families.first.any()

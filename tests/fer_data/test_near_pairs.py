"""Laws of the search: nothing within the distance is missed, and crowds do not blow it up."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from fer_data import hash_tables
from fer_data.duplicate_settings import DuplicateSettings
from fer_data.near_pairs import NearPairs, find_near_pairs
from fer_data.perceptual_hash import MIRROR_BITS, PictureHashes

Pairs = set[tuple[int, int, bool]]
NUM_WINDOWS = 3


class Checks:
    """A check that remembers what it was asked, and passes what `passes` says."""

    def __init__(self, passes: bool | Callable[..., NDArray[np.bool_]] = False) -> None:
        self.asked: list[tuple[int, int, bool]] = []
        self.passes = passes

    def __call__(
        self, one: NDArray[np.int64], other: NDArray[np.int64], mirrored: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        self.asked += zip(one.tolist(), other.tolist(), mirrored.tolist(), strict=True)
        passes = self.passes
        passed = passes(one, other) if callable(passes) else np.full(len(one), passes)
        return np.where(passed, np.float32(1), np.float32(np.nan))


def clustered_hashes(num_pictures: int, seed: int) -> NDArray[np.uint64]:
    """Random hashes, half of them near to others or to their mirror images."""
    rng = np.random.default_rng(seed)
    hashes = rng.integers(0, 2**64, (num_pictures, NUM_WINDOWS), dtype=np.uint64)
    for picture in range(num_pictures // 2, num_pictures):
        model = hashes[rng.integers(num_pictures // 2), rng.integers(NUM_WINDOWS)]
        for bit in rng.choice(64, rng.integers(0, 7), replace=False).tolist():
            model ^= np.uint64(1 << bit)
        if rng.random() < 0.5:
            model ^= np.uint64(MIRROR_BITS)
        hashes[picture, rng.integers(NUM_WINDOWS)] = model
    return hashes


def brute_force(hashes: NDArray[np.uint64], max_distance: int) -> Pairs:
    found: Pairs = set()
    for mirrored in (False, True):
        turned = hashes ^ np.uint64(MIRROR_BITS * mirrored)
        for first in range(NUM_WINDOWS):
            for second in range(NUM_WINDOWS):
                differing = hashes[:, None, first] ^ turned[None, :, second]
                near = np.argwhere(np.bitwise_count(differing) <= max_distance)
                found |= {(a, b, mirrored) for a, b in near.tolist() if a < b}
                found |= {(b, a, mirrored) for a, b in near.tolist() if b < a}
    return found


def search(
    hashes: NDArray[np.uint64],
    check: Checks,
    max_distance: int = 3,
    crowd: int = 10_000,
    workers: int = 1,
) -> NearPairs:
    hashed = PictureHashes(hashes=hashes, contrast=np.full(len(hashes), 50.0))
    settings = DuplicateSettings(max_distance=max_distance, crowd=crowd)
    return find_near_pairs(hashed, check, settings, workers=workers)


@pytest.mark.parametrize("max_distance", range(5))
def test_every_pair_within_the_distance_is_checked_once(max_distance: int) -> None:
    hashes = clustered_hashes(600, seed=max_distance)
    check = Checks()
    search(hashes, check, max_distance)
    assert set(check.asked) == brute_force(hashes, max_distance)
    assert len(set(check.asked)) == len(check.asked)


@pytest.mark.parametrize("workers", [1, 3])
def test_sorting_in_parts_misses_nothing(monkeypatch: pytest.MonkeyPatch, workers: int) -> None:
    hashes = clustered_hashes(800, seed=9)
    monkeypatch.setattr(hash_tables, "_SORTED_AT_ONCE", 300)
    check = Checks()
    search(hashes, check, workers=workers)
    assert set(check.asked) == brute_force(hashes, 3)


def test_longer_keys_miss_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hash_tables, "_SPARE_BITS", 20)  # as for hundreds of millions
    hashes = clustered_hashes(600, seed=4)
    check = Checks()
    search(hashes, check)
    assert set(check.asked) == brute_force(hashes, 3)


def test_pictures_near_each_other_become_families() -> None:
    hashes = clustered_hashes(500, seed=1)
    found = search(hashes, Checks(passes=True))
    first = list(range(500))
    for one, other, _ in sorted(brute_force(hashes, 3)):
        low, high = sorted((first[one], first[other]))
        first = [low if number == high else number for number in first]
    assert found.families.first.tolist() == first
    assert not found.crowded.any()


def test_the_number_of_threads_changes_nothing() -> None:
    hashes = clustered_hashes(500, seed=2)
    alone, together = (search(hashes, Checks(passes=True), workers=w) for w in (1, 2))
    for name in ("one", "other", "mirrored", "similarity"):
        np.testing.assert_array_equal(getattr(alone, name), getattr(together, name))


def test_a_crowd_of_different_pictures_is_given_up_and_said() -> None:
    hashes = np.full((5_000, NUM_WINDOWS), 0x0123456789ABCDEF, np.uint64)
    check = Checks()
    found = search(hashes, check, crowd=8)
    assert len(check.asked) < 5_000 * 32  # not 12,497,500
    assert found.crowded.all()


def test_a_crowd_of_one_picture_is_one_family_at_little_cost() -> None:
    hashes = np.full((20_000, NUM_WINDOWS), 0x0123456789ABCDEF, np.uint64)
    check = Checks(passes=True)
    found = search(hashes, check, crowd=8)
    assert not found.families.first.any()
    assert len(check.asked) < 3 * 20_000
    assert not found.crowded.any()


def test_two_crowds_under_one_hash_become_two_families() -> None:
    hashes = np.full((4_000, NUM_WINDOWS), 0x0123456789ABCDEF, np.uint64)
    check = Checks(passes=lambda one, other: one % 2 == other % 2)
    found = search(hashes, check, crowd=8)
    assert len(check.asked) < 40 * 4_000
    assert set(found.families.first[~found.crowded].tolist()) <= {0, 1}


def test_a_crowd_does_not_hide_other_twins() -> None:
    rng = np.random.default_rng(0)
    hashes = np.full((3_000, NUM_WINDOWS), 0x0123456789ABCDEF, np.uint64)
    twins = rng.integers(0, 2**64, (50, NUM_WINDOWS), dtype=np.uint64)
    hashes = np.concatenate([twins, hashes, twins])
    check = Checks(passes=lambda one, other: other - one == 3_050)
    found = search(hashes, check, crowd=8)
    assert found.one.tolist() == list(range(50))
    assert found.other.tolist() == list(range(3_050, 3_100))


@pytest.mark.parametrize("num_pictures", [0, 1])
def test_too_few_pictures_have_no_pairs(num_pictures: int) -> None:
    found = search(np.zeros((num_pictures, NUM_WINDOWS), np.uint64), Checks())
    assert (len(found.one), found.num_checked) == (0, 0)

"""Hashes sorted so that those which nearly agree stand together.

Two hashes that differ in at most r of 64 bits, cut into m > r pieces, agree exactly in at least
m - r pieces. So for every choice of m - r pieces the hashes are sorted by these alone, and only
neighbours that agree in them need be looked at: nothing within r is missed (Manku, Jain, Das
Sarma 2007, "Detecting near-duplicates for web crawling"). More hashes take more pieces: longer
keys, so that chance neighbours stay few and the work grows with the number of hashes.

A picture and its mirror image are sorted to the same place: a mirror flips a fixed half of the
bits, so a key whose foremost such bit is 1 is flipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np
from numpy.typing import NDArray

from fer_data.cluster import Cluster
from fer_data.executors import Workers
from fer_data.perceptual_hash import HASH_BITS, MIRROR_BITS
from fer_data.threads import map_in_threads

# bits of a key beyond those that number the hashes: keeps chance neighbours few
_SPARE_BITS = 3
_LONGEST_KEY = 32
_SORTED_AT_ONCE = 1_000_000
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True)
class Key:
    """The bits that hashes are sorted by: pieces of (lowest bit, number of bits)."""

    pieces: tuple[tuple[int, int], ...]

    def of(self, hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """These bits of each hash, put together: uint64 array of the same shape."""
        keys = np.zeros_like(hashes)
        for lowest, size in self.pieces:
            keys <<= np.uint64(size)
            keys |= (hashes >> np.uint64(lowest)) & np.uint64((1 << size) - 1)
        return keys


def complete_keys(num_hashes: int, max_distance: int) -> list[Key]:
    """Keys of which every two hashes within `max_distance` bits agree in one at least.

    Example:
        >>> len(complete_keys(1000, 3)), len(complete_keys(10_000_000, 3))
        (4, 20)
    """
    wanted = min(num_hashes.bit_length() + _SPARE_BITS, _LONGEST_KEY)
    num_pieces = max_distance + 1
    while HASH_BITS * (num_pieces - max_distance) < wanted * num_pieces:
        num_pieces += 1
    edges = [HASH_BITS * k // num_pieces for k in range(num_pieces + 1)]
    pieces = [(lowest, end - lowest) for lowest, end in pairwise(edges)]
    return [Key(chosen) for chosen in combinations(pieces, num_pieces - max_distance)]


@dataclass(frozen=True, slots=True, kw_only=True)
class SortedHashes:
    """Hashes in the order of their keys, those turned to the mirror whose key was flipped.

    Of very many, most of those that share their key with none are left out.

    Attributes:
        hashes: uint64 array of shape (n,).
        rows: int32 array of shape (n,): where each stands among all hashes; rising where keys
            and `flipped` are the same.
        flipped: bool array of shape (n,): whether it was turned. Where two differ in this, one
            is compared with the mirror image of the other.
        ends: int32 array of shape (n,): the place behind the last that has the same key.
    """

    hashes: NDArray[np.uint64]
    rows: NDArray[np.int32]
    flipped: NDArray[np.bool_]
    ends: NDArray[np.int32]


def sorted_tables(
    hashes: NDArray[np.uint64], max_distance: int, *, workers: Workers = None
) -> Iterator[tuple[SortedHashes, float]]:
    """Tables of which every two near hashes stand under the same key in one at least.

    Each comes with the share of the work that is done with it. What has the same key is in one
    table; apart from that very many hashes are sorted a part at a time, which bounds the memory.

    Args:
        hashes: uint64 array of shape (n,).
        max_distance: bits in which near hashes may differ, a mirror apart.
        workers: threads; default, and beside a cluster: one a core.
    """
    keys = complete_keys(len(hashes), max_distance)
    part_bits = (len(hashes) // _SORTED_AT_ONCE).bit_length()
    num_tables = len(keys) << part_bits
    tasks = ((key, rows) for key in keys for rows in _parts(hashes, key, part_bits))
    threads = None if isinstance(workers, Cluster) else workers  # all hashes are here
    tables = map_in_threads(lambda task: _sort(hashes, *task), tasks, workers=threads)
    for done, table in enumerate(tables, start=1):
        yield table, done / num_tables


def _parts(
    hashes: NDArray[np.uint64], key: Key, part_bits: int
) -> Iterator[NDArray[np.int32] | None]:
    """Rows of hashes, those of the same key together; None for all of them."""
    if part_bits == 0:
        yield None
        return
    # the key's bits that a mirror leaves alone, mixed (Knuth's multiplicative hashing)
    bits = sum(((1 << size) - 1) << lowest for lowest, size in key.pieces)
    steady = np.uint64(bits & ~MIRROR_BITS)
    parts = np.empty(len(hashes), np.uint16)
    for start in range(0, len(hashes), _SORTED_AT_ONCE):
        mixed = (hashes[start : start + _SORTED_AT_ONCE] & steady) * _GOLDEN
        parts[start : start + _SORTED_AT_ONCE] = mixed >> np.uint64(HASH_BITS - part_bits)
    for part in range(1 << part_bits):
        yield np.flatnonzero(parts == part).astype(np.int32)


def _sort(hashes: NDArray[np.uint64], key: Key, rows: NDArray[np.int32] | None) -> SortedHashes:
    """Hashes in the order of a key; only some rows of them, where these are given."""
    if rows is not None:
        hashes = hashes[rows]
    codes = key.of(hashes)
    mirror = key.of(np.array([MIRROR_BITS], np.uint64))[0]
    foremost = np.uint64(max(int(mirror).bit_length() - 1, 0))
    turned = (codes >> foremost) & np.uint64(mirror > 0)
    codes ^= turned * mirror
    if rows is not None:  # keys are long then, and most are nobody else's
        shared = np.flatnonzero(_may_be_shared(codes))
        hashes, codes, turned, rows = hashes[shared], codes[shared], turned[shared], rows[shared]
    # key, flip and place in one number: sorting it is several times faster than an argsort
    place_bits = np.uint64(max(len(codes) - 1, 1).bit_length())
    codes = (codes << np.uint64(1) | turned) << place_bits
    codes |= np.arange(len(codes), dtype=np.uint64)
    codes.sort()
    places = (codes & ((np.uint64(1) << place_bits) - np.uint64(1))).astype(np.int32)
    codes >>= place_bits
    flipped = (codes & np.uint64(1)).astype(np.bool_)
    codes >>= np.uint64(1)
    last = np.append(np.flatnonzero(codes[1:] != codes[:-1]), len(codes) - 1)
    in_order = hashes[places]
    in_order ^= flipped * np.uint64(MIRROR_BITS)
    return SortedHashes(
        hashes=in_order,
        rows=places if rows is None else rows[places],
        flipped=flipped,
        ends=np.repeat((last + 1).astype(np.int32), np.diff(last, prepend=-1)),
    )


def _may_be_shared(keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Whether another is the same, as far as a small table tells; false only if none is.

    It costs a third of sorting them.
    """
    bits = len(keys).bit_length() + 2
    boxes = (keys * _GOLDEN >> np.uint64(HASH_BITS - bits)).astype(np.int64)
    numbers = np.arange(len(keys), dtype=np.int32)
    last = np.empty(1 << bits, np.int32)
    last[boxes] = numbers
    crowded = np.zeros(1 << bits, np.bool_)
    crowded[boxes[last[boxes] != numbers]] = True
    return np.asarray(crowded[boxes])

"""The search for pictures that nearly agree, without comparing each with each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_data.duplicate_settings import DuplicateSettings
from fer_data.executors import Workers
from fer_data.families import Families
from fer_data.hash_tables import SortedHashes, sorted_tables
from fer_data.perceptual_hash import PictureHashes

Indices = NDArray[np.int64]
Flags = NDArray[np.bool_]
#: Says how alike pictures `one[k]` and `other[k]` are, the second seen in a mirror where
#: `mirrored[k]`: float32 array, NaN where they are not near.
Check = Callable[[Indices, Indices, Flags], NDArray[np.float32]]
# pairs are checked when so many wait: with fewer, opening files costs more than comparing. Of
# very many pictures one in so many waits
_WORTH_CHECKING = 512
_SHARE_WAITING = 64
# times `crowd`: neighbours under one key that a hash is compared with
_NEIGHBOURS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class NearPairs:
    """Pairs of pictures that a check confirmed, and the families they make.

    Attributes:
        one: int64 array of shape (k,): the smaller number of each pair.
        other: int64 array of shape (k,): the larger number.
        mirrored: bool array of shape (k,): whether one is the other's mirror image.
        similarity: float32 array of shape (k,), as checked.
        families: of all n pictures.
        crowded: bool array of shape (n,): pictures for which the search was cut short.
        num_checked: pairs given to the check.
    """

    one: Indices
    other: Indices
    mirrored: Flags
    similarity: NDArray[np.float32]
    families: Families
    crowded: Flags
    num_checked: int


def find_near_pairs(
    hashed: PictureHashes,
    check: Check,
    settings: DuplicateSettings,
    *,
    workers: Workers = None,
    on_progress: Callable[[float], None] | None = None,
) -> NearPairs:
    """Pairs of pictures that have two hashes within a distance and pass a check.

    Every pair within the distance is checked, once, unless both are of one family by then. The
    search is cut short, so that it never compares all with all, where a multitude of pictures
    have the same hash and differ all the same: a picture that has failed `crowd` checks is not
    checked any more; of one family at most `crowd` hashes of one key are compared with those of
    other families, if they are many; and no hash with more than 32 times as many neighbours.
    Pictures that this concerns are marked as crowded.

    Args:
        hashed: n pictures.
        check: decides on pairs, a batch at a time.
        settings: the distances, and what is a crowd.
        workers: threads; default: one a core.
        on_progress: called with the share that is done, 0 to 1.

    Returns:
        The same for the same pictures in the same order, whatever the machine.
    """
    search = _Search(hashed, check, settings)
    hashes = hashed.hashes.ravel()
    for table, share in sorted_tables(hashes, settings.max_distance, workers=workers):
        search.look_under(table)
        if on_progress is not None:
            on_progress(share)
    return search.result()


class _Search:
    """What is known so far."""

    def __init__(self, hashed: PictureHashes, check: Check, settings: DuplicateSettings) -> None:
        self.num_pictures, self.num_windows = hashed.hashes.shape
        self.check, self.settings, self.crowd = check, settings, settings.crowd
        self.families = Families(self.num_pictures)
        self.num_failed = np.zeros(self.num_pictures, np.int64)
        self.cut_short = np.zeros(self.num_pictures, np.bool_)
        self.failed: Indices = np.empty(0, np.int64)  # codes of pairs, rising
        self.passed: list[tuple[Indices, NDArray[np.float32]]] = []
        self.num_checked = 0
        self.waiting: list[Indices] = []  # codes of pairs
        self.num_waiting = 0
        self.enough = max(_WORTH_CHECKING, self.num_pictures // _SHARE_WAITING)

    def look_under(self, table: SortedHashes) -> None:
        """Checks all that is near among hashes of the same key."""
        left = self._scan(table, np.arange(len(table.rows)), table.ends, self.crowd)
        if len(left):
            # the keys under which there are many, thinned out
            places = np.flatnonzero(np.isin(table.ends, table.ends[left]))
            places = self._thin_out(table, places)
            ends = np.searchsorted(table.ends[places], table.ends[places], side="right")
            left = self._scan(table, places, ends, _NEIGHBOURS * self.crowd)
            self.cut_short[self._owners(table.rows[places[left]])] = True

    def result(self) -> NearPairs:
        """All that was found."""
        self._decide()
        codes = np.concatenate([codes for codes, _ in self.passed] or [np.empty(0, np.int64)])
        alike = [similarity for _, similarity in self.passed]
        one, other, mirrored = self._pairs(codes)
        return NearPairs(
            one=one,
            other=other,
            mirrored=mirrored,
            similarity=np.concatenate(alike or [np.empty(0, np.float32)]),
            families=self.families,
            crowded=self.cut_short | self._is_crowded(np.arange(self.num_pictures)),
            num_checked=self.num_checked,
        )

    def _scan(
        self, table: SortedHashes, places: Indices, ends: NDArray[Any], last_step: int
    ) -> Indices:
        """Compares each with its followers of the same key; returns those that have more.

        Args:
            table: hashes in order.
            places: of those to compare, rising.
            ends: for each, the number in `places` behind the last of the same key.
            last_step: number of followers it is compared with.
        """
        hashes = table.hashes[places] if len(places) < len(table.hashes) else table.hashes
        first = np.flatnonzero(ends > np.arange(1, len(ends) + 1))
        followers = ends[first] - first - 1
        step = 1
        while len(first) and step <= last_step:
            differing = hashes[first] ^ hashes[first + step]
            near = first[np.bitwise_count(differing) <= self.settings.max_distance]
            self._let_wait(table, places[near], places[near + step])
            more = followers > step
            step += 1
            first, followers = first[more], followers[more]
            if self.num_waiting >= self.enough:
                self._decide()
                hopeful = ~self._is_crowded(self._owners(table.rows[places[first]]))
                first, followers = first[hopeful], followers[hopeful]
        return first

    def _let_wait(self, table: SortedHashes, one: Indices, other: Indices) -> None:
        """Lets pairs of places that are of two families wait for a check."""
        mirrored = table.flipped[one] != table.flipped[other]
        one, other = self._owners(table.rows[one]), self._owners(table.rows[other])
        codes = np.minimum(one, other) * self.num_pictures + np.maximum(one, other)
        codes = (codes * 2 + mirrored)[~self.families.together(one, other)]
        self.waiting.append(codes)
        self.num_waiting += len(codes)

    def _decide(self) -> None:
        """Checks those of the waiting pairs that have not been, and links what passes."""
        codes = np.unique(np.concatenate(self.waiting or [np.empty(0, np.int64)]))
        self.waiting, self.num_waiting = [], 0
        if len(self.failed):
            places = np.minimum(np.searchsorted(self.failed, codes), len(self.failed) - 1)
            codes = codes[self.failed[places] != codes]
        one, other, _ = self._pairs(codes)
        done = self._is_crowded(one) | self._is_crowded(other) | self.families.together(one, other)
        codes = codes[~done]
        one, other, mirrored = self._pairs(codes)
        similarity = self.check(one, other, mirrored)
        failed = np.isnan(similarity)
        self.num_checked += len(codes)
        self.passed.append((codes[~failed], similarity[~failed]))
        self.families.link(one[~failed], other[~failed])
        # a stable sort merges two rising parts
        self.failed = np.sort(np.concatenate([self.failed, codes[failed]]), kind="stable")
        for side in (one, other):
            np.add.at(self.num_failed, side[failed], 1)

    def _thin_out(self, table: SortedHashes, places: Indices) -> Indices:
        """Of each key some places of every family, if it has several; none of the crowded."""
        places = places[~self._is_crowded(self._owners(table.rows[places]))]
        owners = self._owners(table.rows[places])
        families, keys = self.families.first[owners], table.ends[places]
        order = np.lexsort((families, keys))  # stable: places stay in order
        new_key = _changes(keys[order])
        new_family = new_key | _changes(families[order])
        numbers = np.arange(len(order))
        rank = numbers - np.maximum.accumulate(np.where(new_family, numbers, 0))
        key_number = np.cumsum(new_key) - 1
        several = (np.bincount(key_number, weights=new_family) > 1)[key_number]
        kept = several & (rank < self.crowd)
        self.cut_short[owners[order[several & ~kept]]] = True
        chosen: Indices = places[np.sort(order[kept])]
        return chosen

    def _owners(self, rows: NDArray[np.int32]) -> Indices:
        """The pictures that hashes are of."""
        return np.asarray(rows.astype(np.int64) // self.num_windows)

    def _pairs(self, codes: Indices) -> tuple[Indices, Indices, Flags]:
        pairs, mirrored = np.divmod(codes, 2)
        one, other = np.divmod(pairs, self.num_pictures)
        return one, other, mirrored == 1

    def _is_crowded(self, pictures: Indices) -> Flags:
        return np.asarray(self.num_failed[pictures] >= self.crowd)


def _changes(values: NDArray[Any]) -> Flags:
    """Where a value is not that before it; true for the first."""
    changed = np.ones(len(values), np.bool_)
    changed[1:] = values[1:] != values[:-1]
    return changed

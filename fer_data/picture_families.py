"""Families of near pictures: which comes first, and how each of the others relates to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fer_data.near_pairs import Check, Flags, Indices, NearPairs


@dataclass(frozen=True, slots=True, kw_only=True)
class Kinship:
    """How each of n pictures relates to its family.

    Attributes:
        head: int64 array of shape (n,): the first picture of its family; itself if it is that.
        partner: int64 array of shape (n,): the picture it is compared with; itself for a head.
        mirrored: bool array of shape (n,): whether it is its partner's mirror image.
        similarity: float32 array of shape (n,): with its partner; 1 for a head.
    """

    head: Indices
    partner: Indices
    mirrored: Flags
    similarity: NDArray[np.float32]


def relate_pictures(pairs: NearPairs, order: Indices, check: Check) -> Kinship:
    """How each picture relates to the first of its family.

    The partner of a picture is the head if the two are near, or mirrored; else the picture it is
    most similar to among those it was found near to: such a picture belongs to the family by a
    chain.

    Args:
        pairs: of near pictures.
        order: int64 array of shape (n,): where each picture stands in the data set.
        check: as it was given to `find_near_pairs`.
    """
    num_pictures = len(order)
    by_family = np.lexsort((order, pairs.families.first))
    sorted_first = pairs.families.first[by_family]
    is_head = np.ones(num_pictures, np.bool_)
    is_head[1:] = sorted_first[1:] != sorted_first[:-1]
    head = np.empty(num_pictures, np.int64)
    head[by_family] = by_family[np.flatnonzero(is_head)][np.cumsum(is_head) - 1]
    kinship = Kinship(
        head=head,
        partner=np.arange(num_pictures),
        mirrored=np.zeros(num_pictures, np.bool_),
        similarity=np.ones(num_pictures, np.float32),
    )
    members = np.flatnonzero(head != kinship.partner)
    for mirrored in (False, True):
        similarity = _with_head(pairs, head, members, mirrored, check)
        near = ~np.isnan(similarity)
        kinship.partner[members[near]] = head[members[near]]
        kinship.mirrored[members[near]] = mirrored
        kinship.similarity[members[near]] = similarity[near]
        members = members[~near]
    _join_chains(kinship, pairs, order, members)
    return kinship


def _with_head(
    pairs: NearPairs, head: Indices, members: Indices, mirrored: bool, check: Check
) -> NDArray[np.float32]:
    """Similarity of members with their heads, NaN where not near; asks only what is not known."""
    known = np.full(len(head), np.nan, np.float32)
    alike = pairs.mirrored == mirrored
    for one, other in ((pairs.one, pairs.other), (pairs.other, pairs.one)):
        direct = alike & (head[one] == other)
        known[one[direct]] = pairs.similarity[direct]
    unknown = members[np.isnan(known[members])]
    low, high = np.minimum(unknown, head[unknown]), np.maximum(unknown, head[unknown])
    known[unknown] = check(low, high, np.full(len(unknown), mirrored))
    return known[members]


def _join_chains(kinship: Kinship, pairs: NearPairs, order: Indices, members: Indices) -> None:
    """Gives members that are not near their head the partner they are most similar to."""
    own = np.concatenate([pairs.one, pairs.other])
    partner = np.concatenate([pairs.other, pairs.one])
    ends = np.arange(len(own)) % max(len(pairs.one), 1)  # the pair that each end is of
    wanted = np.isin(own, members)
    own, partner, ends = own[wanted], partner[wanted], ends[wanted]
    best_first = np.lexsort((order[partner], -pairs.similarity[ends], own))
    own, partner, ends = own[best_first], partner[best_first], ends[best_first]
    own, best = np.unique(own, return_index=True)
    kinship.partner[own] = partner[best]
    kinship.mirrored[own] = pairs.mirrored[ends[best]]
    kinship.similarity[own] = pairs.similarity[ends[best]]

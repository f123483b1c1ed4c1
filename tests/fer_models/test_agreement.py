"""Agreement with people: every figure as if the votes were counted by hand, one by one."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_models.agreement import measure_agreement


@st.composite
def voted(draw):
    """Votes, labels, probabilities; some samples without votes or with one vote only."""
    num_classes = draw(st.integers(2, 5))
    size = draw(st.integers(1, 12))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    votes = rng.integers(0, draw(st.integers(2, 6)), (size, num_classes)).astype(np.float32)
    votes[rng.random(size) < 0.2] = 0
    probabilities = rng.dirichlet(np.ones(num_classes), size).astype(np.float32)
    return votes, rng.integers(num_classes, size=size), probabilities


def by_hand(votes, probabilities):
    """Each figure over lists of single votes."""
    people = [[k for k, n in enumerate(row) for _ in range(int(n))] for row in votes]
    asked = [(chosen, p) for chosen, p in zip(people, probabilities, strict=True) if chosen]
    losses, entropies, agreed, any_vote, best = [], [], [], [], []
    for chosen, p in asked:
        losses.append(np.mean([-math.log(p[k]) for k in chosen]))
        counts = Counter(chosen)
        shares = [n / len(chosen) for n in counts.values()]
        entropies.append(-sum(q * math.log(q) for q in shares))
        guess = int(np.argmax(p))
        agreed.append(np.mean([k == guess for k in chosen]))
        any_vote.append(guess in chosen)
        best.append(max(shares))
    pairs, majority, every = [], [], []
    for chosen, _ in asked:
        if len(chosen) < 2:
            continue
        every += chosen
        pairs.append(np.mean([a == b for a, b in itertools.permutations(chosen, 2)]))
        hits = []
        for number, k in enumerate(chosen):
            others = Counter(chosen[:number] + chosen[number + 1 :])
            most = [c for c, n in others.items() if n == max(others.values())]
            hits.append((k in most) / len(most))
        majority.append(np.mean(hits))
    chance = sum((n / len(every)) ** 2 for n in Counter(every).values())
    return {
        "asked": (losses, entropies, agreed, any_vote, best),
        "people": (pairs, majority, chance),
    }


@settings(max_examples=300, deadline=None)
@given(voted())
def test_every_figure_is_that_of_single_votes(case):
    votes, labels, probabilities = case
    found = measure_agreement(votes, labels, probabilities)
    if not votes.any():
        assert found is None
        return
    expected = by_hand(votes, probabilities)
    losses, entropies, agreed, any_vote, best = map(np.mean, expected["asked"])
    assert found.num_samples == len(expected["asked"][0])
    assert found.cross_entropy == pytest.approx(losses, rel=1e-6)
    assert found.entropy == pytest.approx(entropies, abs=1e-12)
    assert found.divergence == pytest.approx(losses - entropies, rel=1e-5, abs=1e-7)
    assert found.divergence > -1e-6
    assert found.agreement.value == pytest.approx(agreed)
    assert found.any_vote == pytest.approx(any_vote)
    assert found.best_agreement == pytest.approx(best)
    pairs, majority, chance = expected["people"]
    if not pairs:
        assert found.people is None
        return
    assert found.people.num_samples == len(pairs)
    assert found.people.pair_agreement.value == pytest.approx(np.mean(pairs))
    assert found.people.majority_agreement.value == pytest.approx(np.mean(majority))
    if chance < 1:
        kappa = (np.mean(pairs) - chance) / (1 - chance)
        assert found.people.fleiss_kappa == pytest.approx(kappa)
    else:
        assert math.isnan(found.people.fleiss_kappa)
        assert found.to_json()["people"]["fleiss_kappa"] is None


def test_kappa_is_that_of_the_usual_example():
    """14 raters, 10 subjects, 5 categories, as Wikipedia's "Fleiss' kappa" works it out: 0.210."""
    votes = np.array(
        [
            [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
            [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
        ],
        np.float32,
    )  # fmt: skip
    found = measure_agreement(votes, votes.argmax(axis=1), np.full((10, 5), 0.2, np.float32))
    assert found.people.pair_agreement.value == pytest.approx(0.378, abs=5e-4)
    assert found.people.fleiss_kappa == pytest.approx(0.210, abs=5e-4)


@settings(max_examples=100, deadline=None)
@given(voted())
def test_every_sample_with_votes_is_in_one_group_by_sureness(case):
    votes, labels, probabilities = case
    found = measure_agreement(votes, labels, probabilities)
    if found is None:
        return
    asked = votes.any(axis=1)
    right = (probabilities.argmax(axis=1) == labels)[asked]
    sizes = [group.num_samples for group in found.by_sureness]
    assert sum(sizes) == asked.sum()
    shares = [group.accuracy.value for group in found.by_sureness]
    assert np.dot(sizes, shares) == pytest.approx(right.sum())
    agreed = [group.agreement for group in found.by_sureness]
    assert np.dot(sizes, agreed) / sum(sizes) == pytest.approx(found.agreement.value)


def test_groups_are_cut_where_their_names_say():
    votes = np.array([[10, 0], [9, 1], [8, 2], [7, 3], [6, 4], [5, 5]], np.float32)
    found = measure_agreement(votes, np.zeros(6, int), np.full((6, 2), 0.5, np.float32))
    assert [(group.name, group.num_samples) for group in found.by_sureness] == [
        ("all the same", 1), ("80% to 99%", 2), ("60% to 79%", 2), ("under 60%", 1),
    ]  # fmt: skip


def test_shares_in_place_of_counts_say_nothing_of_pairs_of_people():
    shares = np.array([[0.75, 0.25], [0.5, 0.5]], np.float32)
    found = measure_agreement(shares, np.zeros(2, int), np.array([[0.9, 0.1], [0.2, 0.8]]))
    assert found.people is None
    assert found.by_sureness[0].pair_agreement is None
    assert found.agreement.value == pytest.approx(0.625)


def test_without_votes_nothing_is_said():
    labels, probabilities = np.zeros(2, int), np.full((2, 2), 0.5, np.float32)
    assert measure_agreement(None, labels, probabilities) is None
    assert measure_agreement(np.zeros((2, 2), np.float32), labels, probabilities) is None


def test_a_prediction_of_zero_for_what_people_chose_is_not_infinitely_wrong():
    votes = np.array([[1, 1]], np.float32)
    found = measure_agreement(votes, np.zeros(1, int), np.array([[1.0, 0.0]], np.float32))
    assert math.isfinite(found.cross_entropy)

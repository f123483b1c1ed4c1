"""Metrics against cases worked out by hand, and their laws."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_data.errors import SettingsError
from fer_models.metrics import confusion_matrix, guessed_macro_f1, log_loss, measure


def sure(predicted, num_classes):
    """Probabilities that leave no doubt."""
    return np.eye(num_classes, dtype=np.float32)[predicted]


def test_a_case_worked_out_by_hand():
    # true a a a b b c; predicted a a b b c c
    labels = np.array([0, 0, 0, 1, 1, 2])
    metrics = measure(labels, sure([0, 0, 1, 1, 2, 2], 3), ("a", "b", "c"))
    assert metrics.confusion == ((2, 1, 0), (0, 1, 1), (0, 0, 1))
    assert metrics.accuracy == pytest.approx(4 / 6)
    assert [c.precision for c in metrics.classes] == pytest.approx([1, 1 / 2, 1 / 2])
    assert [c.recall for c in metrics.classes] == pytest.approx([2 / 3, 1 / 2, 1])
    assert [c.f1 for c in metrics.classes] == pytest.approx([4 / 5, 1 / 2, 2 / 3])
    assert metrics.balanced_accuracy == pytest.approx((2 / 3 + 1 / 2 + 1) / 3)
    assert metrics.macro_f1 == pytest.approx((4 / 5 + 1 / 2 + 2 / 3) / 3)
    assert metrics.weighted_f1 == pytest.approx((3 * 4 / 5 + 2 * 1 / 2 + 2 / 3) / 6)
    assert metrics.weighted_precision == pytest.approx((3 * 1 + 2 / 2 + 1 / 2) / 6)
    assert metrics.chance_accuracy == pytest.approx(3 / 6)
    assert metrics.chance_balanced_accuracy == pytest.approx(1 / 3)


def test_log_loss_by_hand():
    probabilities = np.array([[0.5, 0.5], [0.2, 0.8]], np.float32)
    expected = -(math.log(0.5) + math.log(0.2)) / 2
    assert log_loss(np.array([0, 0]), probabilities) == pytest.approx(expected)


def test_a_probability_of_zero_gives_a_finite_loss():
    assert 80 < log_loss(np.array([1]), sure([0], 2)) < 90


def test_a_class_without_samples_does_not_count():
    metrics = measure(np.array([0, 0, 1]), sure([0, 2, 1], 3), ("a", "b", "none of it"))
    assert metrics.balanced_accuracy == pytest.approx((1 / 2 + 1) / 2)
    assert metrics.macro_f1 == pytest.approx((2 / 3 + 1) / 2)
    assert metrics.chance_balanced_accuracy == pytest.approx(1 / 2)


def test_nothing_to_judge_is_refused():
    with pytest.raises(SettingsError, match="at least one sample"):
        measure(np.array([], np.int64), np.zeros((0, 2), np.float32), ("a", "b"))
    with pytest.raises(SettingsError, match=r"received \(1, 2\)"):
        measure(np.array([0]), np.zeros((1, 2), np.float32), ("a", "b", "c"))


@st.composite
def judged(draw):
    num_classes = draw(st.integers(2, 6))
    size = draw(st.integers(1, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    probabilities = rng.dirichlet(np.ones(num_classes), size).astype(np.float32)
    return rng.integers(num_classes, size=size), probabilities


@given(judged())
def test_laws(case):
    labels, probabilities = case
    num_classes = probabilities.shape[1]
    names = tuple("abcdef"[:num_classes])
    metrics = measure(labels, probabilities, names)
    counts = np.array(metrics.confusion)
    assert counts.sum() == metrics.num_samples == len(labels)
    assert metrics.accuracy == pytest.approx(np.trace(counts) / counts.sum())
    assert metrics.weighted_recall == pytest.approx(metrics.accuracy)
    assert metrics.macro_recall == metrics.balanced_accuracy
    assert sum(c.support for c in metrics.classes) == sum(c.predicted for c in metrics.classes)
    for c in metrics.classes:
        assert 0 <= min(c.precision, c.recall) <= c.f1 + 1e-12
        assert c.f1 <= max(c.precision, c.recall) + 1e-12
    assert metrics.log_loss >= 0
    # Order of the samples does not matter, and names of the classes may be permuted.
    order = np.random.default_rng(0).permutation(len(labels))
    assert measure(labels[order], probabilities[order], names).macro_f1 == pytest.approx(
        metrics.macro_f1
    )
    swap = np.random.default_rng(1).permutation(num_classes)
    swapped = measure(swap[labels], probabilities[:, np.argsort(swap)], names)
    assert swapped.macro_f1 == pytest.approx(metrics.macro_f1)


@given(judged())
def test_perfect_predictions_are_perfect(case):
    labels, probabilities = case
    num_classes = probabilities.shape[1]
    metrics = measure(labels, sure(labels, num_classes), tuple("abcdef"[:num_classes]))
    assert (metrics.accuracy, metrics.balanced_accuracy, metrics.macro_f1) == (1, 1, 1)
    assert metrics.log_loss == 0
    matrix = confusion_matrix(labels, labels, num_classes)
    assert (matrix == np.diag(matrix.diagonal())).all()


def test_chance_of_macro_f1_is_what_even_guesses_come_to():
    rng = np.random.default_rng(0)
    counts = np.array([600, 0, 9000, 2400])  # one class without samples is never guessed
    labels = np.repeat(np.arange(4), counts)
    guesses = rng.choice([0, 2, 3], size=(20, counts.sum()))
    found = [measure(labels, np.eye(4)[guess], list("abcd")).macro_f1 for guess in guesses]
    assert guessed_macro_f1(counts) == pytest.approx(np.mean(found), abs=2e-3)

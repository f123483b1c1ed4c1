"""Laws of confident learning: against its definition, sample by sample, and on made noise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from fer_data.errors import SettingsError
from fer_models.label_errors import class_rows, find_label_errors


def softmax(values):
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


@st.composite
def judged(draw):
    """Labels and probabilities, with absent classes and ties among them."""
    count, num_classes = draw(st.integers(1, 40)), draw(st.integers(2, 6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    labels = rng.integers(draw(st.integers(1, num_classes)), size=count)
    scores = rng.integers(-3, 4, (count, num_classes)) * draw(st.sampled_from([0.0, 0.5, 3.0]))
    return labels, softmax(scores)


@given(judged())
def test_it_is_the_definition_sample_by_sample(case):
    labels, probabilities = case
    found = find_label_errors(labels, probabilities)
    num_classes = probabilities.shape[1]
    thresholds = [
        probabilities[labels == k, k].astype(np.float64).mean() if (labels == k).any() else np.inf
        for k in range(num_classes)
    ]
    np.testing.assert_allclose(found.thresholds, thresholds)
    counts = np.zeros((num_classes, num_classes))
    for row, label in enumerate(labels):
        able = [k for k in range(num_classes) if probabilities[row, k] >= thresholds[k] - 1e-6]
        likely = max(able, key=lambda k: (probabilities[row, k], -k)) if able else label
        assert found.likely[row] == likely
        counts[label, likely] += bool(able)
        others = np.delete(probabilities[row], label)
        assert found.margins[row] == pytest.approx(probabilities[row, label] - others.max())
    for k in range(num_classes):
        size = (labels == k).sum()
        if counts[k].sum():
            np.testing.assert_allclose(found.joint[k], counts[k] * size / counts[k].sum())
        else:
            np.testing.assert_allclose(found.joint[k], np.eye(num_classes)[k] * size)


@given(judged())
def test_counts_add_up(case):
    labels, probabilities = case
    found = find_label_errors(labels, probabilities)
    names = [f"class {k}" for k in range(probabilities.shape[1])]
    rows = class_rows(labels, found, names)
    ranked = found.ranked(labels)
    assert sum(row.num_samples for row in rows) == len(labels) == round(found.joint.sum())
    assert sum(row.num_suspects for row in rows) == len(ranked)
    assert round(sum(row.num_estimated for row in rows)) == pytest.approx(
        found.num_estimated, abs=1
    )
    assert (np.diff(found.margins[ranked]) >= 0).all()
    assert (found.likely[ranked] != labels[ranked]).all()
    for row in rows:
        assert bool(row.mostly) == (row.num_estimated > 0)
        assert row.mostly != row.class_name


def test_sure_and_right_predictions_suspect_nobody():
    labels = np.array([0, 1, 2, 1])
    found = find_label_errors(labels, np.eye(3, dtype=np.float32)[labels])
    assert not len(found.ranked(labels))
    assert found.num_estimated == 0


def test_exchanged_labels_are_found_and_counted():
    rng = np.random.default_rng(0)
    true = rng.integers(5, size=4_000)
    labels = true.copy()
    wrong = rng.choice(4_000, 400, replace=False)
    labels[wrong] = (true[wrong] + rng.integers(1, 5, 400)) % 5
    scores = rng.normal(size=(4_000, 5))
    scores[np.arange(4_000), true] += 4.5  # right in 99 of 100
    found = find_label_errors(labels, softmax(2 * scores))
    is_wrong = labels != true
    assert average_precision_score(is_wrong, -found.margins) > 0.95
    assert found.num_estimated == pytest.approx(400, rel=0.1)
    suspects = found.ranked(labels)
    assert is_wrong[suspects].mean() > 0.9
    assert (found.likely[suspects] == true[suspects]).mean() > 0.9


@pytest.mark.parametrize("shape", [(0, 3), (4, 1)])
def test_nothing_to_choose_from_is_refused(shape):
    probabilities = np.ones(shape, np.float32) / shape[1]
    with pytest.raises(SettingsError, match=f"{shape[0]} samples of {shape[1]} classes"):
        find_label_errors(np.zeros(shape[0], np.int64), probabilities)

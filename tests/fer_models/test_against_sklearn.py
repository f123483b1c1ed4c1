"""Every figure of an evaluation against scikit-learn, on predictions of all kinds."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk
from sklearn.calibration import calibration_curve

from fer_models.calibration import measure_calibration
from fer_models.metrics import measure
from fer_models.ranking import rank_curves

NAMES = tuple("abcdefgh")


@st.composite
def predictions(draw):
    """Labels and probabilities; classes may be absent, probabilities tied, one class alone."""
    num_classes = draw(st.integers(2, len(NAMES)))
    size = draw(st.integers(1, 80))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    there = draw(st.integers(1, num_classes))
    labels = rng.choice(rng.permutation(num_classes)[:there], size)
    probabilities = rng.dirichlet(np.full(num_classes, draw(st.sampled_from([0.1, 1.0]))), size)
    if draw(st.booleans()):  # ties within a row, and between rows
        probabilities = np.round(probabilities * 4) + 1
        probabilities /= probabilities.sum(axis=1, keepdims=True)
    return labels, probabilities.astype(np.float32)


@settings(max_examples=1000, deadline=None)
@given(predictions())
def test_every_figure_is_that_of_scikit_learn(case):
    labels, probabilities = case
    num_classes = probabilities.shape[1]
    names = NAMES[:num_classes]
    found = measure(labels, probabilities, names)
    predicted, there = probabilities.argmax(axis=1), np.unique(labels)
    options = {"labels": there, "zero_division": 0}

    assert found.confusion == tuple(
        map(tuple, sk.confusion_matrix(labels, predicted, labels=range(num_classes)).tolist())
    )
    assert found.accuracy == pytest.approx(sk.accuracy_score(labels, predicted))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "y_pred contains classes not in y_true")
        warnings.filterwarnings("ignore", "A single label was found")
        balanced = sk.balanced_accuracy_score(labels, predicted)
    assert found.balanced_accuracy == pytest.approx(balanced)
    for average in ("macro", "weighted"):
        expected = sk.precision_recall_fscore_support(labels, predicted, average=average, **options)
        ours = [getattr(found, f"{average}_{name}") for name in ("precision", "recall", "f1")]
        assert ours == pytest.approx(expected[:3])
    each = sk.precision_recall_fscore_support(
        labels, predicted, labels=range(num_classes), zero_division=0
    )
    for name, values in zip(("precision", "recall", "f1", "support"), each, strict=True):
        assert [getattr(c, name) for c in found.classes] == pytest.approx(values.tolist())
    if probabilities[np.arange(len(labels)), labels].min() > 1e-6:  # below, scikit-learn clips
        expected = sk.log_loss(labels, probabilities, labels=range(num_classes))
        assert found.log_loss == pytest.approx(expected, rel=1e-5, abs=1e-6)


@settings(max_examples=1000, deadline=None)
@given(predictions())
def test_top2_is_that_of_scikit_learn(case):
    labels, probabilities = case
    num_classes = probabilities.shape[1]
    names = NAMES[:num_classes]
    found = measure(labels, probabilities, names).top2_accuracy
    if num_classes == 2:
        assert found == 1.0
        return
    expected = sk.top_k_accuracy_score(labels, probabilities, k=2, labels=range(num_classes))
    if all(len(set(row)) == num_classes for row in probabilities.tolist()):
        assert found == pytest.approx(expected)
    first = probabilities.argmax(axis=1)
    rest = probabilities.copy()
    rest[np.arange(len(labels)), first] = -1
    second = rest.argmax(axis=1)  # of equal ones the first, as the prediction is
    assert found == pytest.approx(np.mean((first == labels) | (second == labels)))


@settings(max_examples=1000, deadline=None)
@given(predictions())
def test_every_curve_is_that_of_scikit_learn(case):
    labels, probabilities = case
    names = NAMES[: probabilities.shape[1]]
    curves = rank_curves(labels, probabilities, names)
    for column, name in enumerate(names):
        is_class, scores = labels == column, probabilities[:, column]
        if is_class.all() or not is_class.any():
            assert name not in curves
            continue
        curve = curves[name]
        assert curve.roc_auc == pytest.approx(sk.roc_auc_score(is_class, scores))
        expected = sk.average_precision_score(is_class, scores)
        assert curve.average_precision == pytest.approx(expected)
        rates, recall, _ = sk.roc_curve(is_class, scores, drop_intermediate=False)
        assert curve.false_positive_rate == pytest.approx(rates[1:])
        assert curve.recall == pytest.approx(recall[1:])
        precision, _, _ = sk.precision_recall_curve(is_class, scores)
        assert curve.precision == pytest.approx(precision[:-1][::-1])


@settings(max_examples=1000, deadline=None)
@given(predictions())
def test_calibration_is_that_of_scikit_learn(case):
    labels, probabilities = case
    found = measure_calibration(labels, probabilities)
    claims = probabilities.max(axis=1).astype(np.float64)
    is_right = probabilities.argmax(axis=1) == labels
    assert sum(each.num_samples for each in found.bins) == len(labels)
    gaps = [abs(b.accuracy - b.confidence) * b.num_samples for b in found.bins]
    assert found.error == pytest.approx(sum(gaps) / len(labels))
    edges = np.linspace(0, 1, 16)
    if np.isclose(claims[:, None], edges).any():
        return  # on an edge scikit-learn takes the other bin
    accuracy, confidence = calibration_curve(is_right, claims, n_bins=15)
    assert [each.accuracy for each in found.bins] == pytest.approx(accuracy)
    assert [each.confidence for each in found.bins] == pytest.approx(confidence)

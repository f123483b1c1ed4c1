"""What is said of predictions beside the figures: intervals, and samples that were seen before."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from fer_models.intervals import resample
from fer_models.judgement import find_twins, judge_predictions
from fer_models.metrics import measure
from tests.made_shards import make_samples, make_shards

NAMES = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")


def make_predictions(rng, size, num_classes):
    probabilities = rng.dirichlet(np.ones(num_classes), size).astype(np.float32)
    return rng.integers(num_classes, size=size), probabilities


def test_figures_without_twins_are_those_of_the_others():
    labels, probabilities = make_predictions(np.random.default_rng(0), 60, 3)
    twins = np.arange(60) % 4 == 0
    found = judge_predictions(labels, probabilities, NAMES[:3], twins)
    assert found.num_twins == 15
    assert found.metrics == measure(labels, probabilities, NAMES[:3])
    assert found.without_twins == measure(labels[~twins], probabilities[~twins], NAMES[:3])
    for name, interval in found.intervals.items():
        assert interval.low <= interval.value == getattr(found.metrics, name) <= interval.high
    told = found.to_json()
    assert told["accuracy"] == found.metrics.accuracy
    assert told["without_twins"]["num_samples"] == 45
    assert set(told["roc_auc"]) == set(NAMES[:3])


@pytest.mark.parametrize("all_twins", [True, False])
def test_without_others_or_twins_nothing_is_said_of_them(all_twins):
    labels, probabilities = make_predictions(np.random.default_rng(1), 10, 2)
    found = judge_predictions(labels, probabilities, NAMES[:2], np.full(10, all_twins))
    assert found.without_twins is None
    assert found.num_twins == 10 * all_twins


def test_twins_are_those_that_the_index_names_of_the_splits_learned_from(tmp_path):
    names = [f"set/{number}.png" for number in range(30)]
    labels = [number % len(NAMES) for number in range(30)]
    pictures = np.random.default_rng(2).integers(0, 256, (30, 6, 6, 1), dtype=np.uint8)
    parts = {"train": slice(0, 10), "validation": slice(10, 20), "test": slice(20, 30)}
    splits = {
        split: make_samples(pictures[rows], labels[rows], names[rows])
        for split, rows in parts.items()
    }
    index = make_shards(tmp_path, splits, shard_samples=7)
    keys = {split: samples.keys.tolist() for split, samples in splits.items()}
    twins = {
        "train": {"test": [keys["train"][0]], "validation": [keys["train"][1]]},
        "validation": {"train": [keys["validation"][5]]},
        "test": {"train": [keys["test"][3]], "validation": [keys["test"][8]]},
    }
    index = dataclasses.replace(index, leakage=index.leakage | {"twins": twins})

    def rows(split, *learned):
        return np.flatnonzero(find_twins(index, split, splits[split], *learned)).tolist()

    assert rows("validation") == [5]
    assert rows("test") == [3]
    assert rows("test", ("train", "validation")) == [3, 8]
    assert rows("validation", ("train", "validation")) == rows("train") == []


@pytest.mark.slow
def test_intervals_hold_the_truth_as_often_as_they_say():
    """Of splits drawn from one population, whose true figures are known, about 95 in 100."""
    rng = np.random.default_rng(3)
    num_classes, num_splits = 4, 300
    confusion = 0.6 * np.eye(num_classes) + 0.1  # each true class, as what it is predicted
    shares = np.array([0.4, 0.3, 0.2, 0.1])
    whole = shares[:, None] * confusion
    precision, recall = np.diag(whole) / whole.sum(axis=0), np.diag(confusion)
    truth = {
        "accuracy": np.trace(whole),
        "balanced_accuracy": recall.mean(),
        "macro_f1": (2 * precision * recall / (precision + recall)).mean(),
    }
    held = dict.fromkeys(truth, 0)
    for number in range(num_splits):
        cells = rng.choice(num_classes**2, 400, p=whole.ravel())
        drawn = resample(
            cells // num_classes, [[cells % num_classes]], num_classes,
            num_resamples=400, seed=number,
        )  # fmt: skip
        for name, value in truth.items():
            interval = drawn.interval(name, 0)
            held[name] += interval.low <= value <= interval.high
    for name, count in held.items():
        assert 0.91 <= count / num_splits <= 0.98, name

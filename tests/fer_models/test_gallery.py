"""The pictures of a report: mistakes, what is confused most, and what the network looked at."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from fer_models.metrics import confusion_matrix
from fer_models.report.gallery import choose_pictures
from tests.made_shards import make_samples

NAMES = ("anger", "joy", "neutral")


@pytest.fixture
def judged():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (90, 6, 6, 1), dtype=np.uint8)
    images[1] = images[0]
    samples = make_samples(images, (np.arange(90) % 3).tolist(), [f"a/{n}" for n in range(90)])
    return samples, rng.dirichlet(np.ones(3), 90).astype(np.float32)


def row_of(picture):
    return int(picture.key.split("/")[1])


def test_what_is_confused_most_is_shown_with_its_surest_pictures(judged):
    samples, probabilities = judged
    predicted = probabilities.argmax(axis=1)
    found = choose_pictures(samples, probabilities, NAMES)
    counts = confusion_matrix(samples.labels, predicted, 3)
    rates = counts / counts.sum(axis=1, keepdims=True)
    np.fill_diagonal(rates, 0)
    assert [c.rate for c in found.confusions] == sorted(rates.ravel(), reverse=True)[:5]
    for confusion in found.confusions:
        label, guess = NAMES.index(confusion.true), NAMES.index(confusion.predicted)
        assert confusion.count == counts[label, guess]
        rows = [row_of(picture) for picture in confusion.pictures]
        assert 0 < len(rows) <= 6
        assert (samples.labels[rows] == label).all()
        assert (predicted[rows] == guess).all()
        sure = [picture.probability for picture in confusion.pictures]
        assert sure == sorted(sure, reverse=True)
    assert not found.has_attention
    assert not any(picture.attention for picture in found.wrong)


def test_attention_is_asked_once_about_the_predicted_classes_of_mistakes(judged):
    samples, probabilities = judged
    predicted = probabilities.argmax(axis=1)
    asked = []

    def attend(images, classes):
        asked.append((images, classes))
        maps = np.zeros((len(images), 2, 3), np.float32)
        maps[:, 1, 2] = 1.0
        return maps

    found = choose_pictures(samples, probabilities, NAMES, attend)
    ((images, classes),) = asked
    shown = [*found.wrong, *(p for c in found.confusions for p in c.pictures)]
    rows = sorted({row_of(picture) for picture in shown})
    np.testing.assert_array_equal(images, samples.images[rows])
    np.testing.assert_array_equal(classes, predicted[rows])
    assert found.has_attention
    assert not any(picture.attention for picture in found.right)
    for picture in shown:
        data = base64.b64decode(picture.attention.removeprefix("data:image/png;base64,"))
        heat = np.asarray(Image.open(io.BytesIO(data)))
        assert heat.shape == (2, 3, 4)
        assert heat[1, 2, 3] > 0
        assert heat[..., 3].sum() == heat[1, 2, 3]  # clear where nothing speaks for the class


def test_a_network_that_is_always_right_has_nothing_to_look_at(judged):
    samples, _ = judged
    right = np.eye(3, dtype=np.float32)[samples.labels]

    def attend(images, classes):
        raise AssertionError("asked about nothing")

    found = choose_pictures(samples, right, NAMES, attend)
    assert (found.wrong, found.confusions, found.has_attention) == ((), (), False)
    assert found.right


def test_large_pictures_do_not_make_a_page_too_large():
    """Each mistake stands there twice, plain and with its map: at most 15 MB, of noise even."""
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (120, 224, 224, 3), dtype=np.uint8)
    samples = make_samples(images, (np.arange(120) % 3).tolist(), [f"a/{n}" for n in range(120)])
    probabilities = rng.dirichlet(np.ones(3), 120).astype(np.float32)
    found = choose_pictures(samples, probabilities, NAMES)
    mistakes = [*found.wrong, *(p for c in found.confusions for p in c.pictures)]
    assert sum(len(p.source) for p in [*found.right, *mistakes, *mistakes]) < 12e6
    data = found.wrong[0].source.partition(",")[2]
    assert Image.open(io.BytesIO(base64.b64decode(data))).size == (128, 128)

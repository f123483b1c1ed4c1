"""Worse pictures: the same ones each time, of the same kind, and the stronger the worse."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from fer_models.corruptions import CORRUPTIONS, measure_damages
from fer_models.metrics import measure

NAMES = ("dark", "light")


def smooth_images(shape, num=6):
    rng = np.random.default_rng(0)
    height, width, channels = shape
    small = rng.integers(0, 256, (num, 7, 7, channels), dtype=np.uint8)
    resized = [cv2.resize(image, (width, height)).reshape(shape) for image in small]
    return np.stack(resized)


@pytest.mark.parametrize("shape", [(48, 48, 1), (96, 96, 3), (48, 60, 3)], ids=str)
@pytest.mark.parametrize("corruption", CORRUPTIONS, ids=lambda each: each.name)
def test_the_stronger_the_further_from_what_it_was(corruption, shape):
    images = smooth_images(shape)
    before = images.copy()
    distances = []
    for strength in corruption.strengths:
        found = corruption(images, strength)
        assert found.shape == images.shape
        assert found.dtype == np.uint8
        assert (found == corruption(images, strength)).all()
        assert (found[:2] == corruption(images[:2], strength)).all()
        distances.append(np.abs(found.astype(int) - images).mean())
    assert (images == before).all()
    assert distances[0] > 0
    assert distances == sorted(distances)


@pytest.mark.parametrize("corruption", CORRUPTIONS, ids=lambda each: each.name)
def test_colours_stay_in_their_channels(corruption):
    red = np.zeros((1, 48, 48, 3), np.uint8)
    red[..., 0] = 200
    found = corruption(red, corruption.strengths[0]).astype(int)
    assert found[..., 0].mean() > found[..., 2].mean() + 50


def test_dark_and_light_are_told_apart_until_it_is_dark():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, 40)
    images = np.where(labels[:, None, None, None], 200, 90) + rng.integers(0, 9, (40, 8, 8, 1))

    def predict(pictures):
        light = pictures.mean(axis=(1, 2, 3)) > 128
        return np.eye(2, dtype=np.float32)[light.astype(int)]

    images = images.astype(np.uint8)
    assert measure(labels, predict(images), NAMES).accuracy == 1.0
    damages = {each.name: each for each in measure_damages(predict, images, labels, NAMES)}
    share = np.mean(labels == 0)
    assert damages["darker"].accuracy == pytest.approx([1.0] + [share] * 4)
    assert damages["lighter"].accuracy == pytest.approx([1.0] + [1 - share] * 4)
    assert damages["blur"].accuracy == pytest.approx([1.0] * 5)
    assert set(damages) == {each.name for each in CORRUPTIONS}

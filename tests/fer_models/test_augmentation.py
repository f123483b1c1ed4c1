"""Augmentation moves images as far as it was told, and no further."""

from __future__ import annotations

import numpy as np
import pytest

from fer_data.errors import SettingsError
from fer_models.augmentation import AugmentSettings, augment_images

NOTHING = AugmentSettings(rotation=0, shift=0, zoom=0, flip=False)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (64, 12, 12, 1), dtype=np.uint8)


def augment(images, seed=(1, 2), settings=NOTHING):
    return augment_images(images, seed, settings).numpy()


def test_no_movement_changes_nothing(images):
    np.testing.assert_array_equal(augment(images), images)


def test_flip_mirrors_about_half_of_the_images(images):
    flipped = augment(images, settings=AugmentSettings(rotation=0, shift=0, zoom=0))
    same = (flipped == images).all(axis=(1, 2, 3))
    mirrored = (flipped == images[:, :, ::-1]).all(axis=(1, 2, 3))
    assert (same ^ mirrored).all()
    assert 16 < mirrored.sum() < 48


def test_same_seed_same_images_and_another_seed_others(images):
    settings = AugmentSettings()
    np.testing.assert_array_equal(
        augment(images, (1, 2), settings), augment(images, (1, 2), settings)
    )
    assert (augment(images, (1, 2), settings) != augment(images, (1, 3), settings)).any()


def test_the_middle_stays_in_the_middle():
    images = np.zeros((32, 13, 13, 1), np.uint8)
    images[:, 6, 6] = 255
    moved = augment(images, settings=AugmentSettings(rotation=90, shift=0, zoom=0.1))
    assert (moved[:, 6, 6] > 200).all()


def test_a_shift_is_a_share_of_the_side_and_repeats_the_border():
    images = np.tile(np.arange(20, dtype=np.uint8)[None, :, None, None] * 10, (200, 1, 20, 1))
    moved = augment(images, settings=AugmentSettings(rotation=0, shift=0.1, zoom=0, flip=False))
    rows = (moved[:, 10, 10, 0].astype(float) - 100) / 10
    assert 1.5 < np.abs(rows).max() <= 2.1
    assert moved.max() <= 190


def test_wrong_settings_are_refused():
    with pytest.raises(SettingsError, match=r"zoom must be 0 to 0\.99; received 1\.5"):
        AugmentSettings(zoom=1.5)

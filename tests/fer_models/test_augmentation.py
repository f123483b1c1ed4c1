"""Augmentation moves images as far as it was told, and no further."""

from __future__ import annotations

import numpy as np
import pytest

from fer_data.errors import SettingsError
from fer_models.augmentation import (
    AugmentSettings,
    draw_movements,
    move_images,
    with_movements,
)

NOTHING = AugmentSettings(rotation=0, shift=0, zoom=0, flip=False)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (64, 12, 12, 1), dtype=np.uint8)


def augment(images, seed=(1, 2), settings=NOTHING, numbers=None):
    numbers = np.arange(len(images)) if numbers is None else numbers
    movements = draw_movements(numbers, seed, images.shape[1:3], settings)
    return move_images(images, movements).numpy()


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


def test_an_image_is_moved_alike_in_any_batch(images):
    settings = AugmentSettings()
    together = augment(images, settings=settings)
    rows = np.random.default_rng(1).permutation(len(images))
    np.testing.assert_array_equal(
        augment(images[rows[:5]], settings=settings, numbers=rows[:5]), together[rows[:5]]
    )


def test_movements_are_spread_evenly_and_depend_on_every_part_of_their_seed():
    settings = AugmentSettings(rotation=0, shift=0.5, zoom=0, flip=False)

    def shifts(seed, numbers):
        moves = draw_movements(numbers, seed, (2, 2), settings).numpy()
        return moves[:, [2, 5]]  # each evenly from -1 to 1

    numbers = np.arange(100_000)
    drawn = {seed: shifts(seed, numbers) for seed in [(0, 0), (0, 1), (1, 0), (2**31, 7)]}
    for seed, shift in drawn.items():
        assert -1 <= shift.min() < -0.999 < 0.999 < shift.max() <= 1, seed
        np.testing.assert_allclose(np.histogram(shift, 10)[0] / shift.size, 0.1, atol=3e-3)
        related = np.corrcoef(np.hstack([shift, np.roll(shift, 1, axis=0)]).T) - np.eye(4)
        assert np.abs(related).max() < 0.015  # of directions, and of neighbours
        for other in drawn.values():
            assert other is shift or np.abs(np.corrcoef(shift[:, 0], other[:, 0])[0, 1]) < 0.015
    np.testing.assert_array_equal(shifts((0, 1), numbers[77_000:]), drawn[0, 1][77_000:])


def test_a_learner_sees_moved_images_and_shares_the_weights(images):
    import keras
    from keras import layers

    network = keras.Sequential(
        [keras.Input((12, 12, 1), dtype="uint8"), layers.Rescaling(1.0), layers.Flatten()]
    )
    learner = with_movements(network)
    movements = draw_movements(np.arange(64), (1, 2), (12, 12), AugmentSettings()).numpy()
    moved = move_images(images, movements).numpy()
    assert (moved != images).any()
    np.testing.assert_array_equal(
        np.asarray(learner([images, movements])), moved.reshape(64, -1).astype(np.float32)
    )
    assert [id(w) for w in learner.weights] == [id(w) for w in network.weights]


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

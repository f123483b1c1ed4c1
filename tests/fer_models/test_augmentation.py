"""Augmentation moves images as far as it was told, and no further."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from fer_data.errors import SettingsError
from fer_models.augmentation import (
    ERASED,
    LIGHT,
    MOVEMENT,
    NO_CHANGES,
    AugmentSettings,
    draw_changes,
    share_of_other,
)
from fer_models.image_changes import change_images, with_changes


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (64, 12, 12, 1), dtype=np.uint8)


def augment(images, seed=(1, 2), settings=NO_CHANGES, numbers=None):
    numbers = np.arange(len(images)) if numbers is None else numbers
    changes = draw_changes(numbers, seed, images.shape[1:3], settings)
    return change_images(images, changes, settings).numpy()


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
        moves = draw_changes(numbers, seed, (2, 2), settings).numpy()[:, MOVEMENT]
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
    settings = AugmentSettings()
    learner = with_changes(network, settings)
    changes = draw_changes(np.arange(64), (1, 2), (12, 12), settings).numpy()
    moved = change_images(images, changes, settings).numpy()
    assert (moved != images).any()
    np.testing.assert_array_equal(
        np.asarray(learner([images, changes])), moved.reshape(64, -1).astype(np.float32)
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


def test_light_and_erasing_stay_within_what_they_were_told(images):
    numbers = np.arange(2000)
    settings = dataclasses.replace(NO_CHANGES, brightness=0.2, contrast=0.3, erasing=0.25)
    changes = draw_changes(numbers, (1, 2), (12, 12), settings).numpy()
    light = changes[:, LIGHT]
    assert -0.2 <= light[:, 0].min() < -0.19
    assert 0.19 < light[:, 0].max() <= 0.2
    assert 1.29 < light[:, 1].max() <= 1.3
    assert 0.7 <= light[:, 1].min() < 0.71
    top, bottom, left, right, _grey = changes[:, ERASED].T
    sizes = (bottom - top) * (right - left)
    assert 0.2 < (sizes > 0).mean() < 0.3
    assert 0 <= min(top.min(), left.min()) <= max(bottom.max(), right.max()) == 12
    assert 0.02 * 144 - 7 < sizes[sizes > 0].min() <= sizes.max() < 0.33 * 144 + 7
    erased = augment(images, settings=dataclasses.replace(NO_CHANGES, erasing=1.0))
    drawn = draw_changes(np.arange(64), (1, 2), (12, 12), AugmentSettings(erasing=1.0)).numpy()
    for before, after, (y, y2, x, x2, level) in zip(
        images, erased, drawn[:, ERASED].astype(int), strict=True
    ):
        expected = before.copy()
        expected[y:y2, x:x2] = level
        np.testing.assert_array_equal(after, expected)


def test_brightness_and_contrast_change_levels_as_drawn(images):
    settings = dataclasses.replace(NO_CHANGES, brightness=0.1, contrast=0.5)
    lit = augment(images, settings=settings)
    light = draw_changes(np.arange(64), (1, 2), (12, 12), settings).numpy()[:, LIGHT]
    for before, after, (more, factor) in zip(images, lit, light, strict=True):
        mean = before.mean()
        expected = np.clip((before - mean) * factor + mean + 255 * more, 0, 255)
        np.testing.assert_allclose(after, expected, atol=0.51)


@pytest.mark.parametrize("kinds", [{"mixup": 0.4}, {"cutmix": 1.0}, {"mixup": 0.4, "cutmix": 1.0}])
def test_pixels_and_targets_are_mixed_by_the_same_share(kinds):
    levels = np.arange(16, dtype=np.uint8) * 16
    images = np.tile(levels[:, None, None, None], (1, 12, 12, 1))
    settings = dataclasses.replace(NO_CHANGES, **kinds)
    changes = draw_changes(np.arange(16), (1, 2), (12, 12), settings)
    share = share_of_other(changes, (12, 12)).numpy()
    mixed = change_images(images, changes, settings).numpy().mean(axis=(1, 2, 3))
    np.testing.assert_allclose(mixed, levels + (np.roll(levels, 1) - levels.astype(float)) * share,
                               atol=0.51)  # fmt: skip
    assert ((share >= 0) & (share <= 1)).all()
    assert len(np.unique(share)) > 8


def test_the_share_that_is_mixed_in_follows_its_distribution():
    settings = dataclasses.replace(NO_CHANGES, mixup=0.4)
    changes = draw_changes(np.arange(20_000), (1, 2), (8, 8), settings)
    share = share_of_other(changes, (8, 8)).numpy()
    assert share.mean() == pytest.approx(0.5, abs=0.01)
    assert share.var() == pytest.approx(1 / (4 * (2 * 0.4 + 1)), rel=0.03)  # of Beta(a, a)

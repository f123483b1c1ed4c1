"""Laws of perceptual hashes."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from fer_data.perceptual_hash import (
    GRID,
    MIRROR_BITS,
    NUM_WINDOWS,
    WINDOWS,
    coarse_pictures,
    hash_pictures,
)
from tests.conftest import face_pixels


def faces(num_faces: int, size: int = 48) -> NDArray[np.uint8]:
    return np.stack([face_pixels(seed, size) for seed in range(num_faces)])


def test_hashes_do_not_depend_on_the_company() -> None:
    together = hash_pictures(faces(40))
    for number, picture in enumerate(faces(40)):
        alone = hash_pictures(picture[None])
        np.testing.assert_array_equal(alone.hashes[0], together.hashes[number])
        assert alone.contrast[0] == together.contrast[number]


def test_brightness_changes_no_bit() -> None:
    levels = np.clip(faces(20), 40, 200)
    np.testing.assert_array_equal(
        hash_pictures(levels + np.uint8(50)).hashes, hash_pictures(levels).hashes
    )


def test_a_mirror_flips_the_mirror_bits_of_the_opposite_window() -> None:
    opposite = [WINDOWS.index((down, -right, side)) for down, right, side in WINDOWS]
    hashes = hash_pictures(faces(30)).hashes
    mirrored = hash_pictures(faces(30)[:, :, ::-1]).hashes
    np.testing.assert_array_equal(mirrored, hashes[:, opposite] ^ np.uint64(MIRROR_BITS))


def test_another_size_of_the_same_picture_has_nearly_the_same_hashes() -> None:
    small = faces(10)
    large = small.repeat(2, axis=1).repeat(2, axis=2)
    differing = hash_pictures(small).hashes ^ hash_pictures(large).hashes
    assert not differing.any()


def test_other_pictures_have_other_hashes() -> None:
    hashes = hash_pictures(faces(50)).hashes[:, 0]
    distances = np.bitwise_count(hashes[:, None] ^ hashes[None])
    assert distances[~np.eye(50, dtype=bool)].min() > 8


@pytest.mark.parametrize("shape", [(16, 16), (17, 23), (48, 48), (64, 50), (300, 301)])
def test_coarse_pictures_are_the_means_of_their_cells(shape: tuple[int, int]) -> None:
    height, width = shape
    gray = np.random.default_rng(0).integers(0, 256, (3, height, width), dtype=np.uint8)
    fine = gray.repeat(GRID, axis=1).repeat(GRID, axis=2).astype(np.float64)
    expected = fine.reshape(3, GRID, height, GRID, width).mean(axis=(2, 4))
    np.testing.assert_array_equal(coarse_pictures(gray), np.rint(expected))


def test_a_flat_picture_has_no_contrast() -> None:
    levels = np.stack([np.full((48, 48), level, np.uint8) for level in (0, 7, 255)])
    np.testing.assert_array_equal(hash_pictures(levels).contrast, 0)


def test_no_pictures_have_no_hashes() -> None:
    assert hash_pictures(np.empty((0, 48, 48), np.uint8)).hashes.shape == (0, NUM_WINDOWS)

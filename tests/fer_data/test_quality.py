from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from fer_data.quality import gray_levels, histogram_scores, relfcs

GRAY = arrays(np.uint8, (2, 12, 12, 1))
RGB = arrays(np.uint8, (2, 12, 12, 3))


def relfcs_by_definition(image: NDArray[np.uint8]) -> float:
    """The formula, straight from its definition: one image, full SVD."""
    if image.shape[-1] == 1:
        matrix = image[..., 0].astype(float)
    else:
        rows = image.reshape(-1, 3).astype(float)
        matrix = rows - rows.mean(axis=0)
    sigma = np.linalg.svd(matrix, compute_uv=False)
    return float(sigma[0] / sigma.sum()) if sigma.sum() > 0 else 1.0


@given(st.one_of(GRAY, RGB))
def test_relfcs_is_the_share_of_the_first_singular_value(images: NDArray[np.uint8]) -> None:
    expected = [relfcs_by_definition(image) for image in images]
    # the Gram matrix squares the condition: tiny singular values carry errors of 1e-8 sigma_1
    np.testing.assert_allclose(relfcs(images), expected, atol=1e-6)


@given(RGB, st.permutations(range(3)))
def test_relfcs_does_not_depend_on_the_order_of_channels(
    images: NDArray[np.uint8], order: list[int]
) -> None:
    np.testing.assert_allclose(relfcs(images[..., order]), relfcs(images), atol=1e-6)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_blank_image_has_nothing_beyond_its_first_component(channels: int) -> None:
    images = np.stack([np.full((48, 48, channels), level, np.uint8) for level in (0, 7, 255)])
    np.testing.assert_allclose(relfcs(images), 1.0, atol=1e-6)


def test_a_picture_of_one_tint_scores_high_and_a_colourful_one_low() -> None:
    rng = np.random.default_rng(0)
    light = rng.integers(0, 256, (48, 48, 1))
    tinted = (light * np.array([1.0, 0.6, 0.3])).astype(np.uint8)
    colourful = rng.integers(0, 256, (48, 48, 3)).astype(np.uint8)
    high, low = relfcs(np.stack([tinted, colourful]))
    assert high > 0.95
    assert low < 0.45


@given(GRAY)
def test_histogram_scores_keep_their_ranges(images: NDArray[np.uint8]) -> None:
    scores = histogram_scores(gray_levels(images))
    assert ((scores.flat_share > 0) & (scores.flat_share <= 1)).all()
    assert ((scores.entropy >= 0) & (scores.entropy <= 8)).all()
    assert ((scores.contrast >= 0) & (scores.contrast <= 127.5)).all()


def test_histogram_scores_of_known_images() -> None:
    half = np.zeros((4, 4), np.uint8)
    half[:2] = 200
    scores = histogram_scores(np.stack([np.full((4, 4), 9, np.uint8), half]))
    np.testing.assert_allclose(scores.flat_share, [1.0, 0.5])
    np.testing.assert_allclose(scores.entropy, [0.0, 1.0])
    np.testing.assert_allclose(scores.contrast, [0.0, 100.0])


def test_scores_of_one_image_do_not_depend_on_its_neighbours() -> None:
    images = np.random.default_rng(1).integers(0, 256, (5, 48, 48, 1), dtype=np.uint8)
    together = histogram_scores(gray_levels(images)).entropy
    alone = [histogram_scores(gray_levels(images[[i]])).entropy[0] for i in range(5)]
    np.testing.assert_array_equal(together, alone)
    np.testing.assert_allclose(relfcs(images)[3], relfcs(images[[3]])[0], rtol=1e-12)

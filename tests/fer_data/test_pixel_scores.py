"""Scores of single pixels and neighbours: known pictures, definitions, and what changes nothing."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from fer_data.pixel_scores import (
    EDGE_STEP,
    HistogramScores,
    edge_share,
    histogram_scores,
    sharpness,
)

PICTURES = arrays(np.uint8, (2, 12, 10))
ROWS, COLUMNS = np.indices((48, 48))
CHECKERBOARD = (255 * ((ROWS + COLUMNS) % 2)).astype(np.uint8)[None]


def ramp(step: int, size: int = 24) -> NDArray[np.uint8]:
    """A gradient to the right: one picture, `step` levels a pixel."""
    return np.tile(np.arange(size, dtype=np.uint8) * step, (1, size, 1))


def constant(level: int) -> NDArray[np.uint8]:
    return np.full((1, 48, 48), level, np.uint8)


def values(scores: HistogramScores) -> tuple[float, ...]:
    names = ("flat_share", "entropy", "brightness", "contrast", "clipping")
    return tuple(float(getattr(scores, name)[0]) for name in names)


@pytest.mark.parametrize(("level", "clipping"), [(0, 1.0), (9, 0.0), (255, 1.0)])
def test_a_blank_picture_is_all_one_level(level: int, clipping: float) -> None:
    assert values(histogram_scores(constant(level))) == (1.0, 0.0, level, 0.0, clipping)
    assert sharpness(constant(level))[0] == 0.0
    assert edge_share(constant(level))[0] == 0.0


def test_a_checkerboard_stands_at_the_far_end() -> None:
    assert values(histogram_scores(CHECKERBOARD)) == (0.5, 1.0, 127.5, 127.5, 1.0)
    assert sharpness(CHECKERBOARD)[0] == 1020.0**2
    assert edge_share(CHECKERBOARD)[0] == 1.0


@pytest.mark.parametrize("step", [1, EDGE_STEP, EDGE_STEP + 1, 10])
def test_a_gradient_is_never_sharp_and_has_edges_where_it_is_steep(step: int) -> None:
    assert sharpness(ramp(step))[0] == 0.0
    assert edge_share(ramp(step))[0] == (1.0 if step > EDGE_STEP else 0.0)


def test_every_level_once_has_eight_bits() -> None:
    scores = histogram_scores(np.arange(256, dtype=np.uint8).reshape(1, 16, 16))
    assert values(scores)[:3] == (1 / 256, 8.0, 127.5)


@given(PICTURES)
def test_histogram_scores_follow_their_definitions(pictures: NDArray[np.uint8]) -> None:
    scores = histogram_scores(pictures)
    for number, picture in enumerate(pictures):
        shares = np.unique(picture, return_counts=True)[1] / picture.size
        assert scores.flat_share[number] == pytest.approx(shares.max())
        assert scores.entropy[number] == pytest.approx(-(shares * np.log2(shares)).sum(), abs=1e-9)
        assert scores.brightness[number] == pytest.approx(picture.mean())
        assert scores.contrast[number] == pytest.approx(picture.std())
        assert scores.clipping[number] == pytest.approx(np.isin(picture, (0, 255)).mean())


@given(PICTURES, st.permutations(range(120)))
def test_histogram_scores_do_not_see_where_pixels_are(
    pictures: NDArray[np.uint8], order: list[int]
) -> None:
    shuffled = pictures.reshape(2, -1)[:, order].reshape(pictures.shape)
    assert values(histogram_scores(shuffled)) == values(histogram_scores(pictures))


@given(PICTURES)
def test_sharpness_is_the_variance_of_opencvs_laplacian(pictures: NDArray[np.uint8]) -> None:
    laplacians = [cv2.Laplacian(picture, cv2.CV_64F)[1:-1, 1:-1] for picture in pictures]
    expected = [laplacian.var() for laplacian in laplacians]
    np.testing.assert_allclose(sharpness(pictures), expected, rtol=1e-9, atol=1e-9)


@given(PICTURES, st.integers(0, 50))
def test_lighter_pictures_are_as_sharp(pictures: NDArray[np.uint8], light: int) -> None:
    dark = pictures // 2
    np.testing.assert_array_equal(sharpness(dark + np.uint8(light)), sharpness(dark))
    np.testing.assert_array_equal(edge_share(dark + np.uint8(light)), edge_share(dark))


def test_blur_lowers_sharpness_and_edges() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (48, 48), dtype=np.uint8)
    blurred = [cv2.GaussianBlur(picture, (0, 0), sigma) for sigma in (1.0, 2.0, 4.0)]
    stack = np.stack([picture, *blurred])
    assert (np.diff(sharpness(stack)) < 0).all()
    assert (np.diff(edge_share(stack)) < 0).all()


def test_a_picture_has_the_same_scores_alone_and_among_others() -> None:
    pictures = np.random.default_rng(1).integers(0, 256, (5, 48, 48), dtype=np.uint8)
    assert values(histogram_scores(pictures[3:])) == values(histogram_scores(pictures[[3]]))
    assert sharpness(pictures)[3] == sharpness(pictures[[3]])[0]
    assert edge_share(pictures)[3] == edge_share(pictures[[3]])[0]

"""The PCA against its definition by a full SVD, and laws of blocks, order and limits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fer_data import detail_pca
from fer_data.detail_pca import MAX_ERROR, Blocks, DetailPca, fit_pca, reconstruction_errors
from fer_data.pixel_moments import exact_moments
from tests.conftest import face_pixels

SIDE = 20


@pytest.fixture(params=["covariance", "products"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How the PCA is fitted: small pictures would always hold the whole covariance."""
    if request.param == "products":
        monkeypatch.setattr(detail_pca, "MAX_COVARIANCE_SIZE", 0)
    return str(request.param)


def pictures(side: int = SIDE, count: int = 150) -> NDArray[np.uint8]:
    """Smooth pictures with noise and some blank ones: uint8 (count, side * side)."""
    faces = [cv2.resize(face_pixels(seed, 24), (side, side)) for seed in range(count - 2)]
    blank = [np.full((side, side), level, np.uint8) for level in (0, 255)]
    return np.stack([*faces, *blank]).reshape(count, -1)


def in_blocks(x: NDArray[np.uint8], lengths: Sequence[int] = (64,)) -> Blocks:
    """The rows of x in blocks of these lengths, over and over."""

    def blocks() -> Iterator[NDArray[np.uint8]]:
        start = number = 0
        while start < len(x):
            length = lengths[number % len(lengths)]
            yield x[start : start + length]
            start, number = start + length, number + 1

    return blocks


def fit(x: NDArray[np.uint8], components: int = 10, variance: float | None = None) -> DetailPca:
    return fit_pca(in_blocks(x), x.shape[1], components=components, variance=variance)


def errors_by_definition(x: NDArray[np.uint8], components: int) -> NDArray[np.float64]:
    """Mean squared error of pictures 0 to 1 by a full SVD, nothing clever about it."""
    scaled = x / 255.0
    mean = scaled.mean(axis=0)
    axes = np.linalg.svd(scaled - mean, full_matrices=False)[2][:components]
    rebuilt = (scaled - mean) @ axes.T @ axes + mean
    errors: NDArray[np.float64] = ((scaled - rebuilt) ** 2).mean(axis=1)
    return errors


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("components", [1, 10, 60])
def test_errors_are_those_of_the_full_pca(components: int) -> None:
    x = pictures()
    pca = fit(x, components)
    assert pca.max_error <= MAX_ERROR
    errors = reconstruction_errors(pca, x).error
    np.testing.assert_allclose(errors, errors_by_definition(x, components), atol=1e-6)


def test_pictures_of_96_pixels_are_rebuilt_as_by_the_full_pca() -> None:
    x = pictures(96, count=60)
    assert x.shape[1] > detail_pca.MAX_COVARIANCE_SIZE
    pca = fit(x)
    assert 0 < pca.max_error <= MAX_ERROR
    errors = reconstruction_errors(pca, x).error
    np.testing.assert_allclose(errors, errors_by_definition(x, 10), atol=1e-6)


@pytest.mark.usefixtures("way")
def test_errors_agree_with_scikit_learns_full_pca() -> None:
    decomposition = pytest.importorskip("sklearn.decomposition")
    x = pictures()
    peer = decomposition.PCA(20, svd_solver="full").fit(x / 255.0)
    rebuilt = peer.inverse_transform(peer.transform(x / 255.0))
    expected = ((x / 255.0 - rebuilt) ** 2).mean(axis=1)
    errors = reconstruction_errors(fit(x, 20), x).error
    np.testing.assert_allclose(errors, expected, atol=MAX_ERROR)


@settings(deadline=None, max_examples=20)
@given(st.permutations(range(150)), st.lists(st.integers(1, 100), min_size=1, max_size=5))
def test_moments_are_exact_in_any_order_and_blocks_of_any_size(
    order: list[int], lengths: list[int]
) -> None:
    x = pictures()
    seen = exact_moments(in_blocks(x[order], lengths)(), x.shape[1])
    expected = exact_moments(in_blocks(x)(), x.shape[1])
    for one, other in zip(seen, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_moments_of_the_strongest_pictures_are_exact() -> None:
    # black and white alone: the largest products, so that partial sums are emptied early
    x = (np.random.default_rng(0).integers(0, 2, (5000, 30)) * 255).astype(np.uint8)
    mean, covariance, _ = exact_moments(in_blocks(x, (2000,))(), 30)
    np.testing.assert_array_equal(mean, x.mean(axis=0))
    exact = np.cov(x.T.astype(np.float64), bias=True)
    np.testing.assert_allclose(covariance, exact, rtol=1e-10, atol=1e-8)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("variance", [0.3, 0.8, 0.95])
def test_as_few_components_as_explain_the_variance(variance: float) -> None:
    x = pictures()
    pca = fit(x, variance=variance)
    assert pca.explained_variance >= variance
    assert (pca.explained_variance - pca.variances[-1] / pca.total_variance) < variance


@pytest.mark.usefixtures("way")
def test_more_components_leave_smaller_errors() -> None:
    x = pictures()
    errors = [reconstruction_errors(fit(x, number), x).error for number in (2, 8, 40)]
    assert (np.diff(errors, axis=0) <= 1e-9).all()


@pytest.mark.usefixtures("way")
def test_components_are_orthonormal_and_never_more_than_vary() -> None:
    x = pictures(count=12)  # varies in 11 directions
    for components in (5, 40):
        pca = fit(x, components)
        number = len(pca.variances)
        assert number == min(components, 11)
        gram = pca.components.T @ pca.components
        np.testing.assert_allclose(gram, np.eye(number), atol=1e-6)
    np.testing.assert_allclose(reconstruction_errors(pca, x).error, 0.0, atol=1e-6)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("count", [0, 1, 3])
def test_pictures_that_do_not_vary_have_no_components(count: int) -> None:
    x = np.full((count, SIDE * SIDE), 7, np.uint8)
    pca = fit(x)
    assert pca.components.shape == (SIDE * SIDE, 0)
    assert (pca.num_samples, pca.total_variance, pca.explained_variance) == (count, 0.0, 1.0)
    other = np.full((1, SIDE * SIDE), 58, np.uint8)
    expected = ((58 - pca.mean[0]) / 255) ** 2
    assert reconstruction_errors(pca, other).error[0] == pytest.approx(expected, abs=1e-12)


def test_a_blank_picture_has_no_variance_of_its_own_to_explain() -> None:
    x = pictures()
    errors = reconstruction_errors(fit(x), x)
    np.testing.assert_array_equal(errors.relative[-2:], 1.0)
    assert ((errors.relative >= 0) & (errors.relative <= 1)).all()
    variances = x[:-2].var(axis=1) / 255**2
    np.testing.assert_allclose(errors.relative[:-2], errors.error[:-2] / variances, rtol=1e-9)


def test_errors_of_one_picture_do_not_depend_on_its_neighbours() -> None:
    x = pictures()
    pca = fit(x)
    together = reconstruction_errors(pca, x).error
    alone = [reconstruction_errors(pca, row[None]).error[0] for row in x]
    np.testing.assert_allclose(together, alone, rtol=1e-9, atol=1e-14)

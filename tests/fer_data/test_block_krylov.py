"""Eigenpairs of matrices whose eigenpairs are known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from fer_data.block_krylov import Eigenpairs, leading_eigenpairs


def matrix(values: NDArray[np.float64], seed: int = 0) -> tuple[NDArray[np.float64], ...]:
    """A symmetric matrix with these eigenvalues, and its eigenvectors."""
    size = len(values)
    vectors = np.linalg.qr(np.random.default_rng(seed).standard_normal((size, size)))[0]
    return (vectors * values) @ vectors.T, vectors


def solve(a: NDArray[np.float64], count: int, max_sine: float = 1e-8) -> Eigenpairs:
    return leading_eigenpairs(
        lambda block: a @ block,
        len(a),
        lambda values: count if len(values) > count else None,
        max_sine=max_sine,
        noise=1e-13,
    )


@pytest.mark.parametrize("count", [1, 7, 40])
@pytest.mark.parametrize("decay", [0.9, 0.97])
def test_known_eigenpairs_are_found(count: int, decay: float) -> None:
    values = decay ** np.arange(300)
    a, vectors = matrix(values)
    pairs = solve(a, count)
    assert pairs.sine <= 1e-8
    np.testing.assert_allclose(pairs.values, values[:count], rtol=1e-9)
    overlap = np.linalg.svd(pairs.vectors.T @ vectors[:, :count], compute_uv=False)
    np.testing.assert_allclose(overlap, 1.0, atol=1e-9)


@pytest.mark.parametrize("max_sine", [0.1, 1e-3, 1e-6])
def test_the_bound_holds_for_the_true_angle(max_sine: float) -> None:
    values = 1 / np.arange(1, 401) ** 1.2  # decays slowly, as pictures do
    a, vectors = matrix(values)
    pairs = solve(a, 20, max_sine)
    outside = pairs.vectors - vectors[:, :20] @ (vectors[:, :20].T @ pairs.vectors)
    assert np.linalg.norm(outside, 2) <= pairs.sine <= max_sine


def test_repeated_eigenvalues_are_all_found() -> None:
    a, vectors = matrix(np.array([5.0] * 6 + [1.0] * 94))
    pairs = solve(a, 6)
    np.testing.assert_allclose(pairs.values, 5.0)
    np.testing.assert_allclose(np.linalg.norm(vectors[:, :6].T @ pairs.vectors), np.sqrt(6))


@pytest.mark.parametrize("rank", [0, 1, 20])
def test_no_more_pairs_than_the_rank(rank: int) -> None:
    values = np.zeros(80)
    values[:rank] = np.arange(rank, 0, -1)
    pairs = solve(matrix(values)[0], 50)
    assert pairs.values.shape == (rank,)
    assert pairs.vectors.shape == (80, rank)


def test_a_matrix_smaller_than_a_block() -> None:
    values = np.array([3.0, 2.0, 1.0])
    pairs = solve(matrix(values)[0], 2)
    np.testing.assert_allclose(pairs.values, [3.0, 2.0])


def test_the_same_matrix_gives_the_same_bytes() -> None:
    a, _ = matrix(0.95 ** np.arange(200))
    assert solve(a, 10).vectors.tobytes() == solve(a, 10).vectors.tobytes()

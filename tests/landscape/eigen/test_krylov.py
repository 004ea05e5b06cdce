"""The basis of a Lanczos process stays orthonormal, and no eigenvalue is found twice."""

import numpy as np
import pytest
import torch

from landscape.eigen.krylov import Krylov
from landscape.eigen.lanczos import lanczos
from landscape.eigen.operator import random_vector
from landscape.errors import NotMeasurableError
from tests.landscape.eigen.checks import check_honest, top
from tests.landscape.eigen.planted import by_magnitude, generator, planted
from tests.profile import repeats

NEVER = -1.0  # a tolerance that no residual is within


@pytest.mark.parametrize("seed", range(repeats(1, 3)))
def test_no_eigenvalue_is_found_twice_however_long_it_runs(seed):
    values = by_magnitude(np.concatenate([100 * 0.8 ** np.arange(20), -np.linspace(0.1, 1, 20)]))
    pairs = top(planted(values, seed), 40, seed, tolerance=NEVER, max_steps=400)
    assert pairs.steps == 40
    np.testing.assert_allclose(pairs.eigenvalues, values, rtol=1e-9)


@pytest.mark.parametrize("count", [5, 30, 300])
def test_no_ghosts_in_single_precision(count):
    values = by_magnitude(np.concatenate([100 * 0.9 ** np.arange(30), np.linspace(-2, 2, 270)]))
    operator = planted(values, dtype=torch.float32)
    pairs = top(operator, count, tolerance=NEVER, max_steps=3000)
    assert pairs.steps == 300
    expected = by_magnitude(np.linalg.eigvalsh(operator.matrix.double()))[:count]
    # Sorted by value: where two are equal in size, rounding decides which is first.
    np.testing.assert_allclose(np.sort(pairs.eigenvalues), np.sort(expected), rtol=0, atol=1e-4)
    gram = (pairs.vectors.T @ pairs.vectors).double()
    np.testing.assert_allclose(gram, np.eye(count), atol=1e-3)


def test_the_basis_stays_orthonormal():
    operator = planted(np.concatenate([1000 * 0.5 ** np.arange(30), np.full(70, 1e-3)]))
    krylov = Krylov(operator, random_vector(operator, generator()), generator(1), 100)
    for _ in range(100):
        krylov.advance(operator.matmat(krylov.vector.unsqueeze(1)).squeeze(1))
    assert krylov.is_complete
    basis = krylov.ritz_vectors(np.eye(100))
    np.testing.assert_allclose(basis.T @ basis, np.eye(100), atol=1e-13)
    values, _ = krylov.ritz()
    np.testing.assert_allclose(values, np.linalg.eigvalsh(operator.matrix), atol=1e-10)


def test_the_tridiagonal_matrix_is_that_of_the_operator_in_the_basis():
    operator = planted(np.linspace(-1, 3, 40))
    krylov = Krylov(operator, random_vector(operator, generator()), generator(1), 60)
    for _ in range(12):
        krylov.advance(operator.matmat(krylov.vector.unsqueeze(1)).squeeze(1))
    basis = krylov.ritz_vectors(np.eye(12)).numpy()
    expected = basis.T @ operator.matrix.numpy() @ basis
    np.testing.assert_allclose(np.triu(expected, 2), 0, atol=1e-12)
    values, vectors = krylov.ritz()
    np.testing.assert_allclose(expected @ vectors, vectors * values, atol=1e-12)
    # What is known of H times a vector without multiplying is H times it.
    np.testing.assert_allclose(
        krylov.images(np.eye(12)), operator.matrix.numpy() @ basis, atol=1e-12
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("columns", [18, 20, 25, 40])
def test_a_basis_that_is_cut_back_finds_the_same(columns, dtype):
    values = by_magnitude(np.concatenate([100 * 0.8 ** np.arange(12), np.linspace(-3, 3, 188)]))
    operator = planted(values, dtype=dtype)
    pairs = top(operator, 6, columns=columns)
    check_honest(operator, pairs, 1e-6 if dtype == torch.float64 else 1e-4)
    assert pairs.converged.all()
    np.testing.assert_allclose(pairs.eigenvalues, values[:6], rtol=1e-4)
    gram = (pairs.vectors.T @ pairs.vectors).double()
    np.testing.assert_allclose(gram, np.eye(6), atol=1e-4)


def test_after_a_restart_the_matrix_is_still_that_of_the_operator():
    operator = planted(np.linspace(-1, 3, 60))
    krylov = Krylov(operator, random_vector(operator, generator()), generator(1), 60, 12)
    for _ in range(5):
        while not krylov.is_full:
            krylov.advance(operator.matmat(krylov.vector.unsqueeze(1)).squeeze(1))
        identity = np.eye(krylov.width)
        basis = krylov.ritz_vectors(identity).numpy()
        np.testing.assert_allclose(basis.T @ basis, identity, atol=1e-12)
        values, vectors = krylov.ritz()
        expected = basis.T @ operator.matrix.numpy() @ basis
        np.testing.assert_allclose(expected @ vectors, vectors * values, atol=1e-12)
        images = operator.matrix.numpy() @ basis
        np.testing.assert_allclose(krylov.images(identity), images, atol=1e-12)
        errors = np.linalg.norm(images @ vectors - basis @ vectors * values, axis=0)
        np.testing.assert_allclose(krylov.errors(vectors), errors, atol=1e-12)
        krylov.restart(np.argsort(-np.abs(values))[:5])
        assert krylov.width == 5


def test_without_room_for_the_pairs_it_says_so():
    with pytest.raises(NotMeasurableError, match="room for 8 vectors only, too few for 6"):
        lanczos(planted(np.linspace(0, 1, 50)), 6, generator(), columns=8)


def test_a_restart_changes_no_residual_and_no_image():
    operator = planted(np.linspace(-1, 3, 40))
    krylov = Krylov(operator, random_vector(operator, generator()), generator(1), 60, 12)
    for _ in range(2):  # the second time at once after the first
        while not krylov.is_full and krylov.steps <= 12:
            krylov.advance(operator.matmat(krylov.vector.unsqueeze(1)).squeeze(1))
        krylov.restart(np.arange(krylov.width)[-6:])
        _, coordinates = krylov.ritz()
        vectors = krylov.ritz_vectors(coordinates)
        products = operator.matrix @ vectors
        np.testing.assert_allclose(krylov.images(coordinates), products, atol=1e-12)
        quotients = (vectors * products).sum(0)
        errors = torch.linalg.vector_norm(products - vectors * quotients, dim=0)
        assert errors.max() > 1e-3
        np.testing.assert_allclose(krylov.errors(coordinates), errors, atol=1e-12)

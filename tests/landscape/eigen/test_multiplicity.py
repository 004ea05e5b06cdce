"""Repeated eigenvalues come as often as they occur."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from landscape.curvature.operators import CurvatureOperator
from landscape.eigen.krylov import Krylov
from landscape.eigen.multiplicity import DeflatedOperator, highest_multiplicity
from landscape.eigen.operator import random_vector
from landscape.objective.objective import Objective
from tests.landscape.eigen.checks import top
from tests.landscape.eigen.planted import by_magnitude, diagonal, generator, planted
from tests.profile import repeats


def test_the_highest_multiplicity():
    assert highest_multiplicity(np.array([]), 1e-6) == 0
    assert highest_multiplicity(np.array([3.0]), 1e-6) == 1
    assert highest_multiplicity(np.array([2.0, -1.0, 2.0, 5.0, -1.0, 2.0]), 1e-6) == 3
    close = np.array([1.0, 1.0 + 1e-7, 1.0 + 2e-7, 1.1])
    assert highest_multiplicity(close, 1e-6) == 3
    assert highest_multiplicity(close, 1e-8) == 1


def test_a_deflated_operator_has_zeros_in_place_of_what_is_known():
    operator = planted([5.0, -3.0, 2.0, 1.0, 0.5])
    values, vectors = torch.linalg.eigh(operator.matrix)
    deflated = DeflatedOperator(operator, vectors[:, [0, 4]])
    expected = (vectors * torch.where(values.abs() > 2.5, 0.0, values)) @ vectors.T
    identity = torch.eye(5, dtype=torch.float64)
    for product in (deflated.matmat(identity), deflated.exact_matmat(identity)):
        torch.testing.assert_close(product, expected, rtol=0, atol=1e-13)
    assert (vectors[:, [0, 4]].T @ deflated.project(identity)).abs().max() < 1e-14


@pytest.mark.parametrize("make", [planted, diagonal])
@pytest.mark.parametrize("copies", [2, 3, 5])
def test_repeated_eigenvalues_come_as_often_as_they_are(make, copies):
    values = [5.0] * copies + list(np.linspace(0, 4, 35))
    pairs = top(make(values), copies + 1)
    np.testing.assert_allclose(pairs.eigenvalues, by_magnitude(values)[: copies + 1], rtol=1e-6)


@pytest.mark.parametrize("make", [planted, diagonal])
def test_repeated_eigenvalues_at_both_ends(make):
    values = [-4.0] * 3 + list(np.linspace(-1, 1, 60)) + [5.0] * 6
    pairs = top(make(values), 4, pairs=8, which="ends")
    np.testing.assert_allclose(sorted(pairs.eigenvalues), [-4] * 3 + [-1] + [5] * 4, rtol=1e-5)
    assert pairs.converged.all()


@pytest.mark.parametrize("make", [planted, diagonal])
def test_a_projector_has_as_many_ones_as_its_rank(make):
    pairs = top(make([1.0] * 20 + [0.0] * 40), 20)
    np.testing.assert_allclose(pairs.eigenvalues, 1, rtol=1e-6)


@pytest.mark.parametrize("seed", range(repeats(1, 4)))
def test_as_many_copies_as_a_linear_layer_has(seed):
    # Its Hessian repeats every eigenvalue for every output.
    torch.manual_seed(seed)
    inputs = torch.randn(400, 20, dtype=torch.float64) * torch.logspace(0, -2, 20)
    targets = torch.randn(400, 5, dtype=torch.float64)
    objective = Objective(
        nn.Linear(20, 5, bias=False),
        (inputs, targets),
        F.mse_loss,
        device="cpu",
        dtype=torch.float64,
    )
    once = torch.linalg.eigvalsh(2 * inputs.T @ inputs / 400 / 5).numpy()
    expected = by_magnitude(np.repeat(once, 5))
    for count in (1, 3, 12):
        pairs = top(CurvatureOperator(objective), count, seed)
        np.testing.assert_allclose(pairs.eigenvalues, expected[:count], rtol=1e-6)
        assert pairs.converged.all()
    # A single process finds fewer, each an eigenvalue all the same.
    lone = top(CurvatureOperator(objective), 12, seed, multiplicity=False)
    gaps = np.abs(lone.eigenvalues.numpy()[:, None] - once).min(1)
    assert (gaps < 1e-6 * np.abs(lone.eigenvalues.numpy())).all()
    assert lone.steps < top(CurvatureOperator(objective), 12, seed).steps


@pytest.mark.parametrize("seed", range(repeats(3, 20)))
def test_no_eigenvector_has_a_larger_share_of_the_start(seed):
    values = [*np.linspace(-1, 1, 60), 1.5, -1.7]
    operator = planted(values, seed)
    start = random_vector(operator, generator(seed))
    krylov = Krylov(operator, start, generator(seed), 12)
    truth, vectors = torch.linalg.eigh(operator.matrix)
    shares = (vectors.T @ start) ** 2 / (start @ start)
    for _ in range(12):
        krylov.advance(operator.matrix @ krylov.vector)
        ritz, _ = krylov.ritz()
        for value, share in zip(truth.tolist(), shares.tolist(), strict=True):
            if value > ritz.max() or value < ritz.min():
                assert share <= krylov.largest_share(value) * (1 + 1e-9)


def test_copies_are_looked_for_with_few_products_where_the_spectrum_is_simple():
    simple = [30.0, 20.0, 15.0, 12.0, 10.0, *np.linspace(-1, 1, 400)]
    cost = top(planted(simple), 5).steps - top(planted(simple), 5, multiplicity=False).steps
    assert 1 <= cost <= 3
    # Nothing stands out, so that all products of the screen are taken.
    even = np.linspace(0.1, 1, 400)
    cost = top(planted(even), 5).steps - top(planted(even), 5, multiplicity=False).steps
    assert 4 <= cost <= 8


def test_a_single_eigenvalue_needs_no_search_for_copies():
    for values in ([5.0, 5.0, *np.linspace(-1, 1, 60)], np.linspace(0.1, 1, 60), [2.0] * 60):
        alone = top(planted(values), 1, multiplicity=False)
        searched = top(planted(values), 1, multiplicity=True)
        assert searched.steps == alone.steps
        assert searched.eigenvalues.tolist() == alone.eigenvalues.tolist()


@pytest.mark.parametrize("sign", [1, -1])
def test_copies_are_searched_for_from_the_smallest_eigenvalue_that_has_room_for_them(sign):
    # Copies of 2 would change nothing, and copies of 20 show themselves at once.
    values = [sign * 20.0, -sign * 2.0, *np.linspace(-1, 1, 400)]
    far, near = (
        top(planted(values), count).steps - top(planted(values), count, multiplicity=False).steps
        for count in (2, 3)
    )
    assert 1 <= far <= 3 < near


def test_copies_are_overlooked_as_seldom_as_is_said():
    values = [5.0, 4.0, 3.0, 3.0, *np.linspace(-1.5, 1.5, 150)]
    operator = planted(values)
    runs = repeats(40, 200)
    found = [
        top(operator, 4, seed).eigenvalues[3].item() == pytest.approx(3) for seed in range(runs)
    ]
    assert sum(found) >= 0.94 * runs

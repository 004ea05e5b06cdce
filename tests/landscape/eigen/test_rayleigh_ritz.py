"""Eigenpairs out of the density's processes: as right as Lanczos's own, for fewer products."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from landscape.curvature.operators import CurvatureOperator
from landscape.objective.objective import Objective
from tests.landscape.eigen.checks import refined
from tests.landscape.eigen.planted import (
    by_magnitude,
    planted,
    reported_errors,
    rounding,
    true_errors,
)
from tests.oracles.cases import CASES
from tests.profile import IS_FULL, repeats


@settings(max_examples=repeats(20, 60), deadline=None, database=None)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(1, 60),
    count=st.integers(1, 8),
    kind=st.sampled_from(["even", "decaying", "outliers", "repeated", "low rank", "negative"]),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
def test_what_is_reported_is_true(seed, n, count, kind, dtype):
    random = np.random.default_rng(seed)
    values = {
        "even": np.linspace(-1, 2, n),
        "decaying": 0.8 ** np.arange(n) * random.choice([-1, 1], n),
        "outliers": np.where(
            np.arange(n) < 4, 5.0 + np.arange(n), 0.01 * random.standard_normal(n)
        ),
        "repeated": np.where(np.arange(n) < 3, 4.0, random.uniform(0, 3, n)),
        "low rank": np.where(np.arange(n) < 3, 1.0 + np.arange(n), 0.0),
        "negative": -np.geomspace(1, 1e-3, n),
    }[kind]
    count = min(count, n)
    operator = planted(values, seed, dtype)
    tolerance = 1e-6 if dtype == torch.float64 else 1e-4
    pairs, _, _ = refined(operator, count, probes=3, steps=min(n, 12), seed=seed)
    assert pairs.eigenvalues.shape == (count,)
    reported, floor = reported_errors(pairs), rounding(operator)
    assert (reported >= 0.99 * true_errors(operator, pairs) - floor).all()
    truth = np.linalg.eigvalsh(operator.matrix.double().numpy())
    distance = np.abs(pairs.eigenvalues.numpy()[:, None] - truth).min(1)
    assert (distance <= reported + floor).all()
    if pairs.converged.all():
        sizes = np.sort(np.abs(truth))[::-1][:count]
        magnitudes = np.abs(pairs.eigenvalues.numpy())
        np.testing.assert_allclose(magnitudes, sizes, rtol=10 * tolerance, atol=10 * floor)


@pytest.mark.parametrize("case", CASES if IS_FULL else CASES[::2], ids=lambda case: case.name)
def test_of_a_network(case):
    objective = Objective(
        case.model(), case.data, case.loss, batch_size=3, device="cpu", dtype=torch.float64
    )
    operator = CurvatureOperator(objective)
    count = min(10, operator.size)
    pairs, _, _ = refined(operator, count, probes=4, steps=15)
    expected = by_magnitude(np.linalg.eigvalsh(case.hessian()))[:count]
    np.testing.assert_allclose(pairs.eigenvalues, expected, rtol=1e-6, atol=1e-12)
    assert pairs.converged.all()


def test_nothing_more_is_spent_where_the_density_knows_it_all():
    values = np.concatenate([[50.0, 40.0, 30.0, -20.0], np.linspace(-1, 1, 196)])
    operator = planted(values, dtype=torch.float32)
    pairs, _, _ = refined(operator, 4, probes=3, steps=30)
    assert pairs.steps == 0
    assert operator.products == 3 * 30 + 4  # each pair is certified singly at this tolerance
    np.testing.assert_allclose(pairs.eigenvalues, [50, 40, 30, -20], rtol=1e-5)


def test_copies_of_an_eigenvalue_come_from_the_probes():
    values = [7.0, 7.0, 7.0, *np.linspace(0, 2, 100)]
    pairs, _, _ = refined(planted(values), 4, probes=4, steps=25)
    np.testing.assert_allclose(pairs.eigenvalues, [7, 7, 7, 2], rtol=1e-6)


@pytest.mark.parametrize("seed", range(repeats(1, 3)))
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_more_copies_than_there_are_probes(dtype, seed):
    values = [7.0] * 9 + [6.0] * 9 + list(np.linspace(0, 5.5, 150))
    pairs, _, _ = refined(planted(values, dtype=dtype), 14, probes=4, steps=25, seed=seed)
    np.testing.assert_allclose(pairs.eigenvalues, [7] * 9 + [6] * 5, rtol=1e-5)
    assert pairs.converged.all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_zeros_are_not_looked_for_as_copies(dtype):
    operator = planted([3.0, 2.0] + [0.0] * 200, dtype=dtype)
    pairs, _, _ = refined(operator, 8, probes=2, steps=20)
    np.testing.assert_allclose(pairs.eigenvalues[:2], [3, 2], rtol=1e-5)
    np.testing.assert_allclose(pairs.eigenvalues[2:], 0, atol=1e-6)
    assert operator.products < 100


def test_nothing_is_spent_on_copies_where_no_process_can_miss_one():
    operator = planted([7.0, 7.0, 7.0, *np.linspace(0, 2, 100)])
    pairs, _, _ = refined(operator, 3, probes=4, steps=40)
    assert pairs.steps == 0
    np.testing.assert_allclose(pairs.eigenvalues, 7, rtol=1e-6)


def test_both_ends():
    values = np.concatenate([[-4.0, -3.0], np.linspace(-0.5, 0.5, 100), [9.0, 10.0]])
    pairs, _, _ = refined(planted(values), 2, which="ends", steps=12)
    np.testing.assert_allclose(pairs.eigenvalues, [10, 9, -4, -3], rtol=1e-5)


def test_products_are_limited():
    operator = planted(np.linspace(0.9, 1, 80))
    pairs, _, _ = refined(operator, 5, probes=2, steps=6, max_products=12)
    assert pairs.steps <= 12
    assert not pairs.converged.all()


@pytest.mark.parametrize("which", ["magnitude", "magnitude with ends", "ends"])
@pytest.mark.parametrize("probes", [1, 2])
@pytest.mark.parametrize("rank", [0, 2])
def test_as_many_pairs_come_as_are_asked_for_of_a_subspace_that_holds_fewer(rank, probes, which):
    values = [3.0, 2.0][:rank] + [0.0] * (30 - rank)
    pairs, _, _ = refined(planted(values), 5, probes=probes, steps=1, which=which)
    asked = 10 if which == "ends" else 5
    assert len(pairs.eigenvalues) >= asked
    expected = by_magnitude(values)[:5]
    found = by_magnitude(pairs.eigenvalues.numpy())[:5]
    np.testing.assert_allclose(found, expected, atol=1e-9)

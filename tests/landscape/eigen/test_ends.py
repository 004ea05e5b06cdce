"""The largest and the smallest eigenvalue beside those of largest magnitude."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from landscape.eigen.eigenpairs import WITH_ENDS, choose
from landscape.eigen.lanczos import lanczos
from tests.landscape.eigen.checks import refined
from tests.landscape.eigen.planted import (
    generator,
    planted,
    reported_errors,
    rounding,
    true_errors,
)
from tests.profile import repeats

LARGER_NEGATIVE = [-10.0, -8.0, -6.0, *np.linspace(-1, 1, 80), 3.0]
SPECTRA = {
    "larger negative end": LARGER_NEGATIVE,
    "repeated at both ends": [-3.0] * 3 + [2.0] * 2 + list(np.linspace(-1, 1, 50)),
    "no negative": np.geomspace(1, 1e-3, 60),
    "no positive": -np.geomspace(1, 1e-3, 60),
    "one": [4.0],
    "two": [-2.0, 1.0],
    "zeros": [0.0] * 10,
}


def by_lanczos(operator, count):
    return lanczos(operator, count, generator(), which=WITH_ENDS)


def by_refinement(operator, count):
    return refined(operator, count, which=WITH_ENDS)[0]


@pytest.mark.parametrize("method", [by_lanczos, by_refinement])
@pytest.mark.parametrize("name", SPECTRA)
@pytest.mark.parametrize("count", [1, 3])
def test_both_ends_are_those_of_the_dense_matrix(method, name, count):
    values = np.sort(SPECTRA[name])
    count = min(count, len(values))
    operator = planted(values)
    pairs = method(operator, count)
    assert count <= len(pairs.eigenvalues) <= count + 2
    leading = np.sort(np.abs(values))[::-1][:count]
    np.testing.assert_allclose(pairs.eigenvalues[:count].abs(), leading, rtol=1e-6, atol=1e-12)
    assert pairs.converged[:count].all()
    largest, smallest = pairs.ends.eigenvalues.tolist()
    assert largest == pytest.approx(values[-1], rel=1e-5, abs=1e-6)
    reported, floor = reported_errors(pairs), rounding(operator)
    assert (reported >= 0.99 * true_errors(operator, pairs) - floor).all()
    # Converged or not, no eigenvalue is below the smallest by more than rounding ...
    assert smallest >= values[0] - floor
    # ... and one of the matrix is as close as the residual says.
    assert np.abs(values - smallest).min() <= reported[pairs.eigenvalues.argmin()] + floor


@settings(max_examples=repeats(15, 60), deadline=None, database=None)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 40), count=st.integers(1, 5))
def test_the_ends_of_random_matrices(seed, n, count):
    values = np.random.default_rng(seed).standard_normal(n)
    pairs = by_lanczos(planted(values, seed), min(count, n))
    assert pairs.ends.eigenvalues[0].item() == pytest.approx(values.max(), rel=1e-4, abs=1e-6)
    assert pairs.ends.eigenvalues[1].item() >= values.min() - 1e-9


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_no_product_is_spent_on_the_smallest(dtype):
    """But its certificate: it lies at the edge of the bulk, and comes as far as it has come."""
    values = [5.0, 4.0, 3.0, *np.linspace(-0.3, 0.3, 120)]
    alone, both = planted(values, dtype=dtype), planted(values, dtype=dtype)
    lanczos(alone, 2, generator())
    pairs = by_lanczos(both, 2)
    # The random vectors of the search for copies are the same, so nothing else differs.
    certificates = 0 if dtype == torch.float64 else 1  # in float64 one certifies all pairs
    assert both.products == alone.products + certificates
    assert pairs.converged.tolist() == [True, True, False]
    assert -0.3 <= pairs.ends.eigenvalues[1].item() < -0.2


def test_a_largest_eigenvalue_below_the_negative_ones_is_iterated():
    pairs = by_lanczos(planted(LARGER_NEGATIVE), 2)
    np.testing.assert_allclose(pairs.eigenvalues, [-10, -8, 3], rtol=1e-9)
    assert pairs.converged.all()
    assert pairs.ends.eigenvalues.tolist() == pytest.approx([3, -10])


def test_what_is_chosen():
    values = np.array([-1.0, 0.5, -3.0, 2.0])
    assert choose(values, 1, WITH_ENDS).tolist() == [2, 3]
    assert choose(values, 2, WITH_ENDS).tolist() == [2, 3]
    assert choose(-values, 1, WITH_ENDS).tolist() == [2, 3]
    assert choose(np.abs(values), 1, WITH_ENDS).tolist() == [2, 1]
    assert choose(values[:1], 1, WITH_ENDS).tolist() == [0]

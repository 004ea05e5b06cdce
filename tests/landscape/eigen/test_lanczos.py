"""Lanczos finds the leading eigenvalues, and its residuals are true."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from landscape.eigen.lanczos import lanczos
from landscape.errors import InputError
from tests.landscape.eigen.checks import check_honest, top
from tests.landscape.eigen.planted import by_magnitude, diagonal, generator, planted
from tests.profile import repeats

# --------------------------------------------------------------------------- planted spectra

SHAPES = {
    "uniform": lambda random, n: np.sort(random.uniform(0.1, 1, n)),
    "even": lambda random, n: np.linspace(1 / n, 1, n),
    "decaying": lambda random, n: random.uniform(0.4, 0.95) ** np.arange(n),
    "outliers": lambda random, n: np.where(
        np.arange(n) < n // 6 + 1, 1 + np.arange(n), 0.01 * (1 + np.arange(n) / n)
    ),
    "clusters": lambda random, n: (1 + np.arange(n) % 3) * (1 + 1e-3 * (np.arange(n) // 3)),
    "close to the top": lambda random, n: 1 - 1e-3 * np.arange(n) ** 1.5 / n,
}
SIGNS = {
    "positive": lambda random, n: np.ones(n),
    "negative": lambda random, n: -np.ones(n),
    "random": lambda random, n: random.choice([-1, 1], n),
    "mostly negative": lambda random, n: np.where(np.arange(n) % 4, -1, 1),
}


@st.composite
def spectra(draw):
    """A spectrum, a seed for its eigenvectors and start, and how many are asked for."""
    n = draw(st.integers(1, 60))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    values = SHAPES[draw(st.sampled_from(sorted(SHAPES)))](random, n)
    values = values * SIGNS[draw(st.sampled_from(sorted(SIGNS)))](random, n)
    repeated = draw(st.sampled_from([0, 0, 1, 5]))
    values[: min(repeated, n)] = values[0]
    rank = draw(st.sampled_from([n, n, n, n // 2]))
    values[rank:] = 0
    scale = 10.0 ** draw(st.integers(-8, 8))
    count = draw(st.integers(1, min(n, 12)))
    return values * scale, draw(st.integers(0, 1000)), count


@settings(max_examples=repeats(40, 150), deadline=None, database=None)
@given(problem=spectra(), max_steps=st.sampled_from([1, 5, 20, 300]))
def test_residuals_are_what_they_are_said_to_be(problem, max_steps):
    values, seed, count = problem
    operator = planted(values, seed)
    pairs = top(operator, count, seed, max_steps=max_steps)
    check_honest(operator, pairs, 1e-6)
    np.testing.assert_allclose(torch.linalg.vector_norm(pairs.vectors, dim=0), 1, rtol=1e-12)
    assert pairs.steps < operator.products <= pairs.steps + 1 + count
    assert pairs.steps <= max(max_steps, count)


@settings(max_examples=repeats(30, 100), deadline=None, database=None)
@given(problem=spectra())
def test_residuals_are_honest_in_single_precision(problem):
    values, seed, count = problem
    operator = planted(values, seed, torch.float32)
    check_honest(operator, top(operator, count, seed), 1e-4)


@settings(max_examples=repeats(40, 200), deadline=None, database=None)
@given(problem=spectra())
def test_converged_pairs_are_the_largest_by_magnitude(problem):
    values, seed, count = problem
    ordered = by_magnitude(values)
    steps = -np.diff(np.abs(ordered)) / abs(ordered[0])
    pairs = top(planted(values, seed), count, seed)
    # Of eigenvalues that are equal in size any may come first, or instead of another.
    if pairs.converged.all() and (steps[:count] > 1e-4).all():
        np.testing.assert_allclose(pairs.eigenvalues, ordered[:count], rtol=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("sign", SIGNS)
def test_the_largest_by_magnitude_are_found(shape, sign):
    random = np.random.default_rng(1)
    values = SHAPES[shape](random, 60) * SIGNS[sign](random, 60)
    pairs = top(planted(values), 6)
    assert pairs.converged.all()
    magnitudes = np.abs(pairs.eigenvalues.numpy())
    np.testing.assert_allclose(magnitudes, np.abs(by_magnitude(values)[:6]), rtol=1e-6)


def test_a_spectrum_with_its_largest_at_the_negative_end():
    values = [-9.0, -7.0, -6.5, 3.0, 2.0, *np.linspace(0.1, 0.2, 30)]
    pairs = top(planted(values), 5)
    np.testing.assert_allclose(pairs.eigenvalues, [-9, -7, -6.5, 3, 2], rtol=1e-9)


def test_equal_sizes_of_opposite_sign():
    values = [2.0, -2.0, 1.0, -1.0, *np.linspace(-0.5, 0.5, 30)]
    pairs = top(planted(values), 4)
    assert pairs.converged.all()
    np.testing.assert_allclose(np.sort(pairs.eigenvalues), [-2, -1, 1, 2], rtol=1e-9)


def test_eigenvectors_are_those_of_the_matrix():
    operator = planted(np.linspace(-1, 2, 50) ** 3)
    pairs = top(operator, 4)
    values, vectors = torch.linalg.eigh(operator.matrix)
    order = values.abs().argsort(descending=True)[:4]
    overlaps = (vectors[:, order] * pairs.vectors).sum(0).abs()
    np.testing.assert_allclose(overlaps, 1, rtol=1e-9)


# --------------------------------------------------------------------- small and degenerate


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("value", [3.0, -2.0, 0.0])
def test_one_by_one(value, dtype):
    pairs = top(diagonal([value], dtype), 1)
    assert pairs.eigenvalues.item() == pytest.approx(value, rel=1e-6)
    assert pairs.converged.item()
    assert pairs.steps == 1


@pytest.mark.parametrize("count", [1, 2])
def test_two_by_two(count):
    pairs = top(planted([3.0, -4.0]), count)
    np.testing.assert_allclose(pairs.eigenvalues, [-4.0, 3.0][:count], rtol=1e-12)
    assert pairs.converged.all()


@pytest.mark.parametrize("n", [3, 16, 17, 33, 60])
def test_the_whole_spectrum(n):
    values = np.linspace(-1, 2, n) + 0.01
    pairs = top(planted(values), n)
    np.testing.assert_allclose(np.sort(pairs.eigenvalues), np.sort(values), rtol=1e-9, atol=1e-13)
    products = pairs.vectors.T @ pairs.vectors
    np.testing.assert_allclose(products, np.eye(n), atol=1e-10)


def test_a_zero_operator():
    pairs = top(diagonal([0.0] * 20), 3)
    assert pairs.eigenvalues.tolist() == [0, 0, 0]
    assert pairs.residuals.tolist() == [0, 0, 0]
    assert pairs.converged.all()
    assert torch.linalg.matrix_rank(pairs.vectors) == 3


@pytest.mark.parametrize("make", [planted, diagonal])
def test_a_matrix_of_low_rank(make):
    operator = make([3.0, -2.0, 1.0] + [0.0] * 40)
    pairs = top(operator, 6)
    np.testing.assert_allclose(pairs.eigenvalues[:3], [3, -2, 1], rtol=1e-12)
    np.testing.assert_allclose(pairs.eigenvalues[3:], 0, atol=1e-14)
    assert pairs.converged[:3].all()
    check_honest(operator, pairs, 1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("values", "count"),
    [([3.0, -2.0, 1.0], 1), ([3.0, -2.0, 1.0], 3), ([2.0], 1), ([], 2), ([5.0] * 500, 3)],
    ids=["one of rank 3", "rank 3", "rank 1", "zero", "multiple of the identity"],
)
def test_an_operator_that_is_soon_exhausted_is_cheap(values, count, dtype):
    operator = planted(values + [0.0] * (500 - len(values)), dtype=dtype)
    pairs = top(operator, count)
    np.testing.assert_allclose(pairs.eigenvalues, (values + [0.0] * count)[:count], atol=1e-5)
    assert pairs.converged.all()
    assert pairs.steps <= 40


def test_a_spectrum_that_soon_drowns_in_rounding_is_cheap():
    values = np.concatenate([100 * 0.5 ** np.arange(60), np.full(440, 1e-6)])
    pairs = top(planted(values, dtype=torch.float32), 8)
    np.testing.assert_allclose(pairs.eigenvalues, values[:8], rtol=1e-4)
    assert pairs.converged.all()
    assert pairs.steps <= 80


@pytest.mark.parametrize("count", [-1, 0, 6])
def test_more_eigenvalues_than_there_are_and_none_are_refused(count):
    with pytest.raises(InputError, match=f"between 1 and 5 .* got {count}"):
        lanczos(diagonal([1.0, 2.0, 3.0, 4.0, 5.0]), count, generator())


# ------------------------------------------------------------------------------------ both ends


@pytest.mark.parametrize("columns", [None, 22])
def test_both_ends_of_the_spectrum(columns):
    values = np.concatenate([[-4.0, -3.5, -1.0], np.linspace(-0.5, 0.5, 60), [9.0, 10.0, 11.0]])
    operator = planted(values)
    pairs = top(operator, 3, pairs=6, which="ends", columns=columns)
    np.testing.assert_allclose(pairs.eigenvalues, [11, 10, 9, -4, -3.5, -1], rtol=1e-6)
    assert pairs.converged.all()
    errors = pairs.residuals * pairs.eigenvalues.abs()
    assert (errors <= 1e-6 * 11).all()


def test_both_ends_of_a_positive_spectrum():
    values = np.linspace(1, 2, 40)
    pairs = top(planted(values), 2, pairs=4, which="ends")
    np.testing.assert_allclose(np.sort(pairs.eigenvalues), np.sort(values)[[0, 1, -2, -1]], 1e-6)


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_both_ends_of_a_small_matrix_are_all_of_it(n):
    values = np.arange(1.0, n + 1)
    pairs = top(planted(values), min(3, n), pairs=min(n, 6), which="ends")
    np.testing.assert_allclose(np.sort(pairs.eigenvalues), values, rtol=1e-9)


# ---------------------------------------------------------------------------- how it behaves


def test_a_seed_means_one_answer_and_the_global_state_is_left_alone():
    operator = planted(np.linspace(-1, 3, 30))
    before = torch.get_rng_state()
    first, again, reseeded = (top(operator, 3, seed, max_steps=8) for seed in (1, 1, 2))
    assert torch.equal(first.eigenvalues, again.eigenvalues)
    assert not torch.equal(first.eigenvalues, reseeded.eigenvalues)
    assert torch.equal(before, torch.get_rng_state())


def test_it_stops_when_it_is_done():
    values = [100.0, 50.0, 25.0, *np.linspace(0, 1, 197)]
    operator = planted(values)
    pairs = top(operator, 3)
    assert pairs.converged.all()
    assert pairs.steps < 60
    assert operator.products == pairs.steps + 1


def test_a_looser_tolerance_is_cheaper():
    loose, tight = planted(np.linspace(0, 1, 60)), planted(np.linspace(0, 1, 60))
    assert top(loose, 1, tolerance=1e-1).converged.all()
    assert top(tight, 1, tolerance=1e-10).converged.all()
    assert loose.products < tight.products


def test_too_few_steps_are_owned_up_to():
    pairs = top(planted(np.linspace(0.9, 1, 60)), 5, max_steps=6)
    assert pairs.steps == 6
    assert not pairs.converged.all()

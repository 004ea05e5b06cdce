import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from landscape.curvature.operators import CurvatureOperator
from landscape.eigen.krylov import Krylov
from landscape.eigen.lanczos import lanczos
from landscape.eigen.operator import random_vector
from landscape.errors import InputError, NotMeasurableError
from landscape.objective.objective import Objective
from tests.landscape.eigen.planted import (
    by_magnitude,
    diagonal,
    generator,
    planted,
    reported_errors,
    rounding,
    true_errors,
)
from tests.oracles.cases import BY_NAME, CASES

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def top(operator, asked, seed=0, pairs=None, **options):
    count = pairs or asked
    pairs = lanczos(operator, asked, generator(seed), **options)
    assert pairs.eigenvalues.shape == pairs.residuals.shape == pairs.converged.shape == (count,)
    assert pairs.vectors.shape == (operator.size, count)
    assert pairs.method == "lanczos"
    return pairs


def check_honest(operator, pairs, tolerance):
    """What is said of each pair is true of it."""
    reported, floor = reported_errors(pairs), rounding(operator)
    assert (reported >= 0.99 * true_errors(operator, pairs) - floor).all()
    assert torch.equal(pairs.converged, pairs.residuals <= tolerance)
    values = pairs.eigenvalues.numpy()
    assert (np.diff(np.abs(values)) <= 0).all()
    truth = np.linalg.eigvalsh(operator.matrix.double().numpy())
    assert (np.abs(values[:, None] - truth).min(1) <= reported + floor).all()


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


@settings(max_examples=150, deadline=None, database=None)
@given(problem=spectra(), max_steps=st.sampled_from([1, 5, 20, 300]))
def test_residuals_are_what_they_are_said_to_be(problem, max_steps):
    values, seed, count = problem
    operator = planted(values, seed)
    pairs = top(operator, count, seed, max_steps=max_steps)
    check_honest(operator, pairs, 1e-6)
    np.testing.assert_allclose(torch.linalg.vector_norm(pairs.vectors, dim=0), 1, rtol=1e-12)
    assert operator.products == pairs.steps + count
    assert pairs.steps <= max(max_steps, count)


@settings(max_examples=100, deadline=None, database=None)
@given(problem=spectra())
def test_residuals_are_honest_in_single_precision(problem):
    values, seed, count = problem
    operator = planted(values, seed, torch.float32)
    check_honest(operator, top(operator, count, seed), 1e-4)


@settings(max_examples=200, deadline=None, database=None)
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
    found = np.abs(pairs.eigenvalues.numpy())
    np.testing.assert_allclose(found, np.abs(by_magnitude(values)[:6]), rtol=1e-6)


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


@pytest.mark.parametrize("seed", range(4))
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
        found = top(CurvatureOperator(objective), count, seed)
        np.testing.assert_allclose(found.eigenvalues, expected[:count], rtol=1e-6)
        assert found.converged.all()
    # A single process finds fewer, each an eigenvalue all the same.
    lone = top(CurvatureOperator(objective), 12, seed, multiplicity=False)
    gaps = np.abs(lone.eigenvalues.numpy()[:, None] - once).min(1)
    assert (gaps < 1e-6 * np.abs(lone.eigenvalues.numpy())).all()
    assert lone.steps < top(CurvatureOperator(objective), 12, seed).steps


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


# --------------------------------------------------------------------------------- no ghosts


NEVER = -1.0  # a tolerance that no residual is within


@pytest.mark.parametrize("seed", range(3))
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
    one, again, other = (top(operator, 3, seed, max_steps=8) for seed in (1, 1, 2))
    assert torch.equal(one.eigenvalues, again.eigenvalues)
    assert not torch.equal(one.eigenvalues, other.eigenvalues)
    assert torch.equal(before, torch.get_rng_state())


def test_it_stops_when_it_is_done():
    values = [100.0, 50.0, 25.0, *np.linspace(0, 1, 197)]
    operator = planted(values)
    pairs = top(operator, 3)
    assert pairs.converged.all()
    assert pairs.steps < 60
    assert operator.products == pairs.steps + 3


def test_a_looser_tolerance_is_cheaper():
    loose, tight = planted(np.linspace(0, 1, 60)), planted(np.linspace(0, 1, 60))
    assert top(loose, 1, tolerance=1e-1).converged.all()
    assert top(tight, 1, tolerance=1e-10).converged.all()
    assert loose.products < tight.products


def test_too_few_steps_are_owned_up_to():
    pairs = top(planted(np.linspace(0.9, 1, 60)), 5, max_steps=6)
    assert pairs.steps == 6
    assert not pairs.converged.all()


@every_case
@pytest.mark.parametrize("batch_size", [3, 7])
def test_the_top_ten_of_a_network_are_those_of_the_dense_hessian(case, batch_size):
    objective = Objective(
        case.model(),
        case.data,
        case.loss,
        batch_size=batch_size,
        device="cpu",
        dtype=torch.float64,
    )
    operator = CurvatureOperator(objective)
    pairs = top(operator, 10)
    expected = by_magnitude(np.linalg.eigvalsh(case.hessian()))[:10]
    # One to one, so none is found twice.
    np.testing.assert_allclose(pairs.eigenvalues, expected, rtol=1e-6)
    assert pairs.converged.all()
    assert operator.products == pairs.steps + 10
    errors = case.hessian() @ pairs.vectors - pairs.vectors * pairs.eigenvalues
    true = torch.linalg.vector_norm(errors, dim=0) / pairs.eigenvalues.abs()
    assert (pairs.residuals >= 0.99 * true - 1e-12).all()


@pytest.mark.parametrize("name", ["vit", "resnet with batch norm", "mlp with an unused layer"])
def test_single_precision_finds_the_same(name):
    case = BY_NAME[name]
    objective = Objective(case.model().float(), case.data, case.loss, batch_size=3, device="cpu")
    pairs = top(CurvatureOperator(objective), 10)
    expected = by_magnitude(np.linalg.eigvalsh(case.hessian()))[:10]
    assert pairs.converged.all()
    np.testing.assert_allclose(pairs.eigenvalues, expected, rtol=1e-4)

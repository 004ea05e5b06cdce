"""One exact product bounds the residuals of several pairs, and catches faults of the fast form."""

import math
from itertools import product

import numpy as np
import pytest
import torch

from landscape.eigen.eigenpairs import default_tolerance
from landscape.eigen.joint_certificate import ATTEMPTS, EXCEEDED, JointCertificate
from landscape.eigen.lanczos import lanczos
from tests.landscape.eigen.checks import check_honest, refined
from tests.landscape.eigen.planted import (
    MatrixOperator,
    generator,
    planted,
    reported_errors,
    rounding,
    true_errors,
)
from tests.profile import repeats, some

VALUES = [20.0, -15.0, 11.0, 8.0, 6.0, *np.linspace(-1, 1, 90)]


class FaultyOperator(MatrixOperator):
    """Its fast products are those of another matrix; ``exact`` counts the exact ones."""

    def __init__(self, matrix, fault):
        super().__init__(matrix)
        self.fast = matrix + fault
        self.exact = 0

    def matmat(self, vectors):
        self.products += vectors.shape[1]
        return self.fast @ vectors

    def exact_matmat(self, vectors):
        self.exact += vectors.shape[1]
        return self.matrix @ vectors


def fault_of(kind, operator, seed):
    """A symmetric matrix of norm 1."""
    _, vectors = torch.linalg.eigh(operator.matrix)
    draw = torch.randn(operator.size, operator.size, generator=generator(seed)).double()
    if kind == "dense":
        fault = draw + draw.T
    elif kind == "of rank one":
        fault = draw[:, :1] @ draw[:, :1].T
    elif kind == "of one eigenvector, along it":
        fault = vectors[:, -2:-1] @ vectors[:, -2:-1].T
    else:
        across = vectors[:, 10:40] @ draw[:30, :1]  # eigenvectors of the bulk
        fault = vectors[:, -2:-1] @ across.T
        fault = fault + fault.T
    return (fault / torch.linalg.matrix_norm(fault, 2)).to(operator.dtype)


FAULTS = ["dense", "of rank one", "of one eigenvector, along it", "of one eigenvector, across it"]


def by_lanczos(operator, seed):
    return lanczos(operator, 5, generator(seed))


def by_refinement(operator, seed):
    return refined(operator, 5, steps=30, seed=seed)[0]


@pytest.mark.parametrize("method", [by_lanczos, by_refinement])
def test_it_takes_one_exact_product(method):
    matrix = planted(VALUES).matrix
    operator = FaultyOperator(matrix, torch.zeros_like(matrix))
    pairs = method(operator, 0)
    assert operator.exact == 1
    assert pairs.converged.all()
    check_honest(operator, pairs, 1e-6)


@pytest.mark.parametrize(("tolerance", "products"), [(1e-2, 1), (1e-3, 2), (3e-4, 3), (1e-6, 5)])
def test_in_single_precision_the_tolerance_says_how_many(tolerance, products):
    matrix = planted(VALUES, dtype=torch.float32).matrix
    operator = FaultyOperator(matrix, torch.zeros_like(matrix))
    check_honest(operator, lanczos(operator, 5, generator(), tolerance=tolerance), tolerance)
    assert operator.exact == products


@pytest.mark.parametrize("kind", FAULTS)
def test_where_products_say_too_little_some_are_added(kind):
    """The distance of fast products from exact ones is larger than usual, and small enough."""
    operator = planted(VALUES)
    counts = set()
    for seed in range(repeats(5, 20)):
        faulty = FaultyOperator(operator.matrix, 2e-4 * fault_of(kind, operator, seed))
        pairs = lanczos(faulty, 5, generator(seed), tolerance=1e-3)
        check_honest(operator, pairs, 1e-3)
        assert pairs.converged.all()
        counts.add(faulty.exact)
    assert counts & {2, 3, 4}  # products of combinations, fewer than pairs


@pytest.mark.parametrize("method", [by_lanczos, by_refinement])
@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize("size", [1e-2, 1e-5, 1e-8])
def test_a_fault_of_the_fast_form_is_caught(kind, size, method):
    operator = planted(VALUES)
    tolerance = default_tolerance(operator)
    for seed in range(repeats(3, 10)):
        faulty = FaultyOperator(operator.matrix, size * fault_of(kind, operator, seed))
        pairs = method(faulty, seed)
        reported, floor = reported_errors(pairs), rounding(operator)
        true = true_errors(operator, pairs)
        assert (reported >= 0.99 * true - floor).all()
        values = pairs.eigenvalues.abs().numpy()
        assert (pairs.converged.numpy() == (reported <= tolerance * values)).all()
        if size > 1e-4:  # so that some pair is wrong by more than the bound may be
            assert faulty.exact == 1 + 5
            if "along" not in kind:
                assert not pairs.converged.all()


@pytest.mark.parametrize(
    ("products", "rank", "dtype"),
    some(product([1, 2, 3], [1, 2, 5], [torch.float32, torch.float64]), 6),
)
def test_the_bound_fails_as_seldom_as_is_said(products, rank, dtype):
    """Faults of low rank are the likeliest to be hidden by the random combination."""
    matrix = planted(VALUES, dtype=dtype).matrix
    _, eigenvectors = torch.linalg.eigh(matrix)
    vectors = eigenvectors[:, -5:]
    runs, failures = 2000, 0
    draw = torch.randn(len(matrix), 5, generator=generator(1))
    fault = (draw[:, :rank] @ torch.randn(5, rank, generator=generator(2)).T).to(dtype)
    images = matrix @ vectors + 0.1 * fault
    for seed in range(runs):
        joint = JointCertificate(vectors, images, generator(seed), 1e-6)
        norm = 0.1 * float(torch.linalg.matrix_norm(fault / joint.scales))
        failures += joint.bound(matrix @ joint.combinations(products)) < norm
    # Three standard deviations above what is promised.
    promised = runs * EXCEEDED / ATTEMPTS
    assert failures <= promised + 3 * math.sqrt(promised)

import math

import numpy as np
import pytest
import torch

from landscape.eigen.eigenpairs import certify, default_tolerance
from landscape.eigen.lanczos import lanczos
from landscape.eigen.power_iteration import power_iteration
from landscape.errors import NotMeasurableError
from tests.landscape.eigen.planted import (
    MatrixOperator,
    diagonal,
    planted,
    reported_errors,
    true_errors,
)

VALUES = [3.0, -5.0, 1.0, 0.5]


def test_eigenvectors_are_certified_and_ordered_by_magnitude():
    pairs = certify(diagonal(VALUES), torch.eye(4, dtype=torch.float64), 1e-9, "test", 7)
    assert pairs.eigenvalues.tolist() == [-5, 3, 1, 0.5]
    assert torch.equal(pairs.vectors.argmax(0), torch.tensor([1, 0, 2, 3]))
    assert pairs.residuals.tolist() == [0, 0, 0, 0]
    assert pairs.converged.tolist() == [True] * 4
    assert (pairs.method, pairs.steps) == ("test", 7)


def test_a_wrong_vector_is_given_away_by_its_residual():
    # Between two eigenvectors: Rayleigh quotient (3 - 5) / 2, error half the distance.
    vector = torch.tensor([[1.0], [1.0], [0.0], [0.0]], dtype=torch.float64)
    pairs = certify(diagonal(VALUES), vector, 1e-3, "test", 1)
    assert pairs.eigenvalues.item() == pytest.approx(-1, rel=1e-14)
    assert pairs.residuals.item() == pytest.approx(4, rel=1e-14)
    assert not pairs.converged.item()


def test_an_eigenvalue_lies_within_the_residual():
    operator = planted(np.linspace(-3, 4, 12))
    truth = torch.linalg.eigvalsh(operator.matrix)
    vectors = torch.randn(12, 8, dtype=torch.float64)
    pairs = certify(operator, vectors, 1e-3, "test", 1)
    for value, residual in zip(pairs.eigenvalues, pairs.residuals, strict=True):
        assert (truth - value).abs().min() <= residual * value.abs()
    np.testing.assert_allclose(reported_errors(pairs), true_errors(operator, pairs), rtol=1e-10)


def test_vectors_of_any_length_do():
    operator = planted(VALUES)
    _, vectors = torch.linalg.eigh(operator.matrix)
    pairs = certify(operator, vectors * torch.tensor([1e-8, 3.0, 1e8, -1.0]), 1e-9, "test", 1)
    np.testing.assert_allclose(pairs.eigenvalues, [-5, 3, 1, 0.5], rtol=1e-12)
    np.testing.assert_allclose(torch.linalg.vector_norm(pairs.vectors, dim=0), 1, rtol=1e-12)
    assert pairs.converged.all()


def test_the_tolerance_decides():
    vector = torch.tensor([[1.0], [1e-3]], dtype=torch.float64)
    operator = diagonal([1.0, 2.0])
    residual = certify(operator, vector, 1.0, "test", 1).residuals.item()
    assert residual == pytest.approx(1e-3, rel=1e-2)
    assert certify(operator, vector, residual, "test", 1).converged.item()
    assert not certify(operator, vector, 0.99 * residual, "test", 1).converged.item()


def test_a_zero_operator_has_exact_eigenpairs():
    operator = MatrixOperator(torch.zeros(3, 3, dtype=torch.float64))
    pairs = certify(operator, torch.randn(3, 2, dtype=torch.float64), 1e-6, "test", 1)
    assert pairs.eigenvalues.tolist() == [0, 0]
    assert pairs.residuals.tolist() == [0, 0]
    assert pairs.converged.all()


def test_a_quotient_of_zero_with_an_error_is_not_converged():
    vector = torch.tensor([[1.0], [1.0]], dtype=torch.float64)
    pairs = certify(diagonal([1.0, -1.0]), vector, 1e6, "test", 1)
    assert pairs.residuals.item() > 1e6
    assert not pairs.converged.item()


def test_norms_are_taken_in_double_precision():
    # Twice a vector has no rounding error, and its own rounding is no error of the eigenvalue.
    pairs = certify(MatrixOperator(2 * torch.eye(1000)), torch.randn(1000, 1), 1e-4, "test", 1)
    assert pairs.vectors.dtype == torch.float32
    assert pairs.eigenvalues.dtype == pairs.residuals.dtype == torch.float64
    assert pairs.eigenvalues.item() == pytest.approx(2, rel=1e-15)
    assert pairs.residuals.item() < 1e-15


def test_it_costs_one_product_a_pair():
    operator = planted(VALUES)
    certify(operator, torch.randn(4, 3, dtype=torch.float64), 1e-6, "test", 1)
    assert operator.products == 3


def test_default_tolerance():
    assert default_tolerance(diagonal([1.0])) == 1e-6
    assert default_tolerance(diagonal([1.0], torch.float32)) == 1e-4


@pytest.mark.parametrize("number", [math.nan, math.inf])
@pytest.mark.parametrize("method", [lanczos, power_iteration])
def test_a_matrix_that_is_not_finite_has_no_certificate(number, method):
    matrix = torch.eye(6, dtype=torch.float64)
    matrix[2, 3] = matrix[3, 2] = number
    vector = torch.ones(6, 1, dtype=torch.float64)
    with pytest.raises(NotMeasurableError, match="not finite"):
        certify(MatrixOperator(matrix), vector, 1e-6, "test", 1)
    with pytest.raises(NotMeasurableError, match="not finite"):
        method(MatrixOperator(matrix), 1, torch.Generator().manual_seed(0))

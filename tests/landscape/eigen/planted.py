"""Symmetric matrices whose spectrum is known, as operators."""

import numpy as np
import torch
from torch import Tensor


class MatrixOperator:
    """A dense matrix; ``products`` counts the vectors it was multiplied with."""

    def __init__(self, matrix: Tensor) -> None:
        self.matrix = matrix
        self.size = len(matrix)
        self.dtype = matrix.dtype
        self.device = matrix.device
        self.products = 0

    def matmat(self, vectors: Tensor) -> Tensor:
        assert vectors.dim() == 2
        self.products += vectors.shape[1]
        return self.matrix @ vectors

    def exact_matmat(self, vectors: Tensor) -> Tensor:
        return self.matmat(vectors)


def planted(eigenvalues, seed: int = 0, dtype: torch.dtype = torch.float64) -> MatrixOperator:
    """A dense symmetric matrix with these eigenvalues and random eigenvectors."""
    values = np.asarray(eigenvalues, dtype=np.float64)
    random = np.random.default_rng(seed)
    basis, _ = np.linalg.qr(random.standard_normal((len(values), len(values))))
    matrix = (basis * values) @ basis.T
    return MatrixOperator(torch.from_numpy((matrix + matrix.T) / 2).to(dtype))


def diagonal(eigenvalues, dtype: torch.dtype = torch.float64) -> MatrixOperator:
    return MatrixOperator(torch.diag(torch.tensor(eigenvalues, dtype=dtype)))


def by_magnitude(values) -> np.ndarray:
    """Largest magnitude first."""
    values = np.asarray(values, dtype=np.float64)
    return values[np.argsort(-np.abs(values), kind="stable")]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def true_errors(operator: MatrixOperator, pairs) -> np.ndarray:
    """||A v - l v|| / ||v|| in extended precision, from the matrix itself."""
    matrix = operator.matrix.numpy().astype(np.longdouble)
    vectors = pairs.vectors.numpy().astype(np.longdouble)
    values = pairs.eigenvalues.numpy().astype(np.longdouble)
    errors = np.sqrt(((matrix @ vectors - vectors * values) ** 2).sum(0))
    return (errors / np.sqrt((vectors**2).sum(0))).astype(np.float64)


def reported_errors(pairs) -> np.ndarray:
    """What the residuals, which are relative, say of the same."""
    residuals, values = pairs.residuals.numpy(), np.abs(pairs.eigenvalues.numpy())
    return np.where(residuals > 0, residuals, 0) * np.where(np.isinf(residuals), 1, values)


def rounding(operator: MatrixOperator) -> float:
    """The error that one product's rounding can hide."""
    scale = float(torch.linalg.matrix_norm(operator.matrix.double()))
    return operator.size * torch.finfo(operator.dtype).eps * scale

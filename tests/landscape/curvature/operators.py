"""Operators of small problems, and what their products have to be."""

import torch

from landscape.curvature.operators import CurvatureOperator
from landscape.objective.objective import Objective
from landscape.parameters.groups import Group


def operator_of(case, dtype=torch.float64, batch_size=3):
    model = case.model().to(dtype)
    return CurvatureOperator(
        Objective(model, case.data, case.loss, batch_size=batch_size, device="cpu", dtype=dtype)
    )


def check_matrix(operator, dense):
    scale = dense.abs().max().item()
    assert operator.size == len(dense)
    vectors = torch.randn(operator.size, 3, dtype=torch.float64)
    for product in (operator.matmat, operator.exact_matmat, operator.matmat):
        torch.testing.assert_close(product(vectors), dense @ vectors, rtol=0, atol=1e-9 * scale)
    rows = torch.arange(0, operator.size, max(1, operator.size // 40))
    block = operator.block(Group.of((int(row), int(row) + 1) for row in rows))
    expected = dense[rows][:, rows] @ vectors[rows]
    torch.testing.assert_close(block.matmat(vectors[rows]), expected, rtol=0, atol=1e-9 * scale)

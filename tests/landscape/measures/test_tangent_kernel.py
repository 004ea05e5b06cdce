"""Tangent kernels against dense Jacobians, taken row by row."""

import math
from itertools import product

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from landscape.data.batches import Batch
from landscape.errors import NotMeasurableError
from landscape.measures.tangent_kernel import (
    _looped,
    condition_number,
    jacobian_rows,
    tangent_kernel,
)
from tests.oracles.cases import CASES
from tests.profile import some

FLOAT = torch.float64
CLASSIFIERS = [case for case in CASES if case.loss is F.cross_entropy]
classifiers = pytest.mark.parametrize("case", CLASSIFIERS, ids=lambda case: case.name)


def problem(case, count=5):
    module = case.model().to(FLOAT).eval()
    inputs, targets = case.data
    return module, Batch(inputs[:count].to(FLOAT), targets[:count], count)


def dense(module, batch, outputs):
    """J, of shape (n K, P), by one backward pass for each row."""
    parameters = [p for p in module.parameters() if p.requires_grad]
    rows = []
    for k in range(batch.size):
        for output in outputs:
            value = module(batch.inputs[k : k + 1])[0, output]
            pieces = torch.autograd.grad(value, parameters, allow_unused=True)
            rows.append(
                torch.cat(
                    [
                        (torch.zeros_like(p) if g is None else g).reshape(-1)
                        for p, g in zip(parameters, pieces, strict=True)
                    ]
                )
            )
    return torch.stack(rows)


@classifiers
def test_the_kernel_is_that_of_the_dense_jacobian(case):
    module, batch = problem(case)
    outputs = [2, 0]
    rows = dense(module, batch, outputs)
    kernel = tangent_kernel(module, batch, outputs)
    torch.testing.assert_close(kernel, rows @ rows.T, rtol=1e-10, atol=1e-10 * kernel.max().item())
    expected = torch.linalg.eigvalsh(rows @ rows.T)
    torch.testing.assert_close(torch.linalg.eigvalsh(kernel), expected, rtol=1e-8, atol=1e-10)


@classifiers
def test_rows_one_by_one_are_those_of_all_at_once(case):
    module, batch = problem(case)
    outputs = [0, 1, 2]
    one_by_one = torch.cat([_looped(module, batch.slice(k, k + 1), outputs) for k in range(5)])
    torch.testing.assert_close(
        jacobian_rows(module, batch, outputs), one_by_one, rtol=1e-10, atol=1e-12
    )


@pytest.mark.parametrize(("case", "rows"), some(product(CLASSIFIERS, [1, 2, 3, 7]), 8))
def test_tiles_do_not_matter(case, rows):
    module, batch = problem(case)
    size = 8 * sum(p.numel() for p in module.parameters() if p.requires_grad)
    seen = []
    kernel = tangent_kernel(
        module, batch, [0, 1, 2], budget=2 * rows * size, watch=lambda *step: seen.append(step)
    )
    untiled = tangent_kernel(module, batch, [0, 1, 2])
    torch.testing.assert_close(kernel, untiled, rtol=1e-12, atol=1e-12 * untiled.max().item())
    assert seen[-1][0] == seen[-1][1] == len(seen) > 1


def test_a_linear_networks_kernel_is_that_of_its_inputs():
    module = nn.Linear(3, 4).to(FLOAT)
    inputs = torch.randn(6, 3, dtype=FLOAT, generator=torch.Generator().manual_seed(0))
    kernel = tangent_kernel(module, Batch(inputs, torch.zeros(6), 6), range(4)).view(6, 4, 6, 4)
    gram = inputs @ inputs.T + 1  # the bias
    for k in range(4):
        for j in range(4):
            expected = gram if k == j else torch.zeros_like(gram)
            torch.testing.assert_close(kernel[:, k, :, j], expected, rtol=1e-12, atol=1e-12)


class Looks(nn.Module):
    """It looks at values, which can't be vmapped."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 2)

    def forward(self, x):
        return self.layer(x) if x.sum().item() > 0 else self.layer(-2 * x)


def test_a_module_that_can_not_be_vmapped_is_taken_sample_by_sample():
    module = Looks().to(FLOAT)
    inputs = torch.tensor([[1.0, 2, 3], [-1, -2, 0]], dtype=FLOAT)
    batch = Batch(inputs, torch.zeros(2), 2)
    rows = dense(module, batch, [0, 1])
    torch.testing.assert_close(tangent_kernel(module, batch, [0, 1]), rows @ rows.T)


def test_inputs_in_a_dict():
    class Named(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 2)

        def forward(self, values):
            return self.layer(values)

    module = Named().to(FLOAT)
    inputs = torch.eye(3, dtype=FLOAT)
    kernel = tangent_kernel(module, Batch({"values": inputs}, torch.zeros(3), 3), [1])
    torch.testing.assert_close(kernel, inputs @ inputs.T + 1)


def test_the_condition_number_and_where_it_ends():
    values = torch.tensor([4.0, 2.0, 1.0], dtype=FLOAT)
    assert condition_number(values, FLOAT) == (4.0, False)
    flat = torch.tensor([4.0, 1e-20], dtype=FLOAT)
    bound, is_bound = condition_number(flat, FLOAT)
    assert is_bound
    assert bound == pytest.approx(1 / (2 * torch.finfo(FLOAT).eps))
    assert condition_number(torch.tensor([1.0, -1e-18], dtype=FLOAT), FLOAT)[1]
    assert math.isnan(condition_number(torch.zeros(2, dtype=FLOAT), FLOAT)[0])


def test_outputs_that_are_no_logits_are_refused():
    module = nn.Sequential(nn.Linear(3, 2), nn.Flatten(0))
    with pytest.raises(NotMeasurableError, match=r"tensor of shape \(samples, outputs\)"):
        tangent_kernel(module, Batch(torch.eye(3), torch.zeros(3), 3), [0])

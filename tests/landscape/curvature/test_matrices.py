"""The Gauss-Newton matrix and the empirical Fisher matrix are the dense ones."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from landscape.curvature.operators import CurvatureOperator
from landscape.errors import NotMeasurableError
from landscape.objective.objective import Objective
from tests.landscape.curvature.operators import check_matrix
from tests.oracles.cases import BY_NAME


def jacobian(function, parameters):
    """Of a vector-valued function, row by row, with respect to all parameters."""
    outputs = function()
    rows = [
        torch.cat(
            [
                g.reshape(-1)
                for g in torch.autograd.grad(
                    output, parameters, retain_graph=True, materialize_grads=True
                )
            ]
        )
        for output in outputs.reshape(-1)
    ]
    return outputs, torch.stack(rows)


CLASSIFIERS = ["vit", "mixer", "resnet with batch norm", "mlp with frozen parameters"]


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_the_gauss_newton_matrix(name):
    case = BY_NAME[name]
    model, inputs = case.model().eval(), case.data[0]
    with sdpa_kernel(SDPBackend.MATH):
        outputs, rows = jacobian(
            lambda: model(inputs), [p for p in model.parameters() if p.requires_grad]
        )
    assert case.loss is F.cross_entropy
    chances = outputs.detach().softmax(1)
    dense = torch.zeros(rows.shape[1], rows.shape[1], dtype=torch.float64)
    for sample, p in zip(rows.view(*outputs.shape, -1), chances, strict=True):
        dense += sample.T @ (torch.diag(p) - torch.outer(p, p)) @ sample / len(inputs)
    objective = Objective(
        model, case.data, case.loss, batch_size=3, device="cpu", dtype=torch.float64
    )
    check_matrix(CurvatureOperator(objective, matrix="ggn"), dense)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_the_empirical_fisher_matrix(name):
    case = BY_NAME[name]
    model, (inputs, targets) = case.model().eval(), case.data
    with sdpa_kernel(SDPBackend.MATH):
        _, rows = jacobian(
            lambda: F.cross_entropy(model(inputs), targets, reduction="none"),
            [p for p in model.parameters() if p.requires_grad],
        )
    objective = Objective(
        model, case.data, case.loss, batch_size=3, device="cpu", dtype=torch.float64
    )
    check_matrix(CurvatureOperator(objective, matrix="fisher"), rows.T @ rows / len(inputs))


def test_without_outputs_or_losses_of_single_samples_there_is_only_the_hessian():
    def spread(outputs, targets):
        return (outputs - outputs.mean()).square().mean()

    model, data = nn.Linear(3, 2), (torch.randn(5, 3), torch.randn(5, 2))
    objective = Objective(model, data, spread, device="cpu", verify=False)

    class Both(nn.Linear):
        def forward(self, x):
            out = super().forward(x)
            return out, out

    pair = Objective(Both(3, 2), data, lambda out, target: F.mse_loss(out[0], target), device="cpu")
    with pytest.raises(NotMeasurableError, match="use the hessian"):
        CurvatureOperator(pair, matrix="ggn").matvec(pair.theta)
    assert CurvatureOperator(objective).matvec(objective.theta).shape == (8,)

"""Weights that are not finite are refused by name, and masks are no weights."""

import math

import pytest
import torch
from torch import nn

from landscape.errors import InputError
from landscape.objective.objective import Objective
from landscape.parameters.finite import check_finite


def network():
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", ["0.weight", "2.bias", "1.running_var"])
def test_the_first_tensor_is_named_with_its_count(name, value):
    model = network()
    tensor = model.state_dict()[name]
    tensor.view(-1)[:2] = value
    with pytest.raises(InputError, match=f"2 of the {tensor.numel()} entries of {name} are NaN"):
        check_finite(model)
    with pytest.raises(InputError, match="^x.pt: the weights are not finite"):
        check_finite(model, "x.pt")
    with pytest.raises(InputError, match="the weights are not finite"):
        Objective(model, (torch.randn(5, 3), torch.arange(5) % 2), device="cpu")


def test_a_frozen_parameter_counts_and_further_ones_are_counted():
    model = network().requires_grad_(False)
    for parameter in model.parameters():
        parameter.fill_(math.nan)
    with pytest.raises(InputError, match="12 of the 12 .* of 0.weight .*, also in 5 other tensors"):
        check_finite(model)


def test_a_mask_may_be_infinite_and_not_nan():
    model = network()
    model.register_buffer("mask", torch.full((2, 2), -math.inf).triu(1))
    model.register_buffer("steps", torch.tensor(3))
    check_finite(model)
    model.mask[0, 0] = math.nan
    with pytest.raises(InputError, match="1 of the 4 entries of mask"):
        check_finite(model)

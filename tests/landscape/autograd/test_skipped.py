"""Derivatives that a product does not need are not computed."""

import pytest
import torch
from torch import nn

from landscape.autograd import linear
from landscape.autograd.gradient_graph import GradientGraph
from landscape.autograd.second_order import SecondOrder
from landscape.autograd.skipped import SkippedParameters


@pytest.fixture
def counted(monkeypatch):
    """How many matrix products the linear layers have taken."""
    calls = []
    product = linear._product
    monkeypatch.setattr(linear, "_product", lambda a, b: calls.append(1) or product(a, b))
    return calls


def test_a_block_takes_fewer_products_and_is_the_same(counted):
    model = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 3))
    model, inputs = model.double(), torch.randn(7, 4, dtype=torch.float64)
    skipped = SkippedParameters()
    with SecondOrder(skipped):
        loss = model(inputs).sin().mean()
    graph = GradientGraph(loss, list(model.parameters()), skipped)
    columns = torch.zeros(sum(p.numel() for p in model.parameters()), 1, dtype=torch.float64)
    columns[25:55] = torch.randn(30, 1, dtype=torch.float64)  # the weight of the second layer

    counted.clear()
    products = graph.products(columns, keep=True)
    all_calls = len(counted)
    counted.clear()
    block = graph.products(columns, [2])
    assert len(counted) < all_calls
    torch.testing.assert_close(block[25:55], products[25:55], rtol=1e-14, atol=0)
    assert not block[:25].any()
    assert not block[55:].any()


def test_parameters_are_skipped_within_the_context_alone():
    first, second = torch.zeros(2), torch.zeros(2)
    skipped, bystander = SkippedParameters(), SkippedParameters()
    with skipped.all_but([first, second], [1]):
        assert first in skipped
        assert second not in skipped
        assert first not in bystander
    assert first not in skipped

"""Means over the whole sample: counted by hand, and by a forward pass written out."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from analyses.recursion.result import TOLERANCE
from landscape.errors import NotMeasurableError
from tests.analyses.recursion.problems import case_result, measure, moments
from tests.oracles.cases import BY_NAME


def test_counted_by_hand():
    model = nn.Sequential(nn.Linear(2, 3, bias=False), nn.ReLU(), nn.Linear(3, 2))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]]))
    #                     neurons: 1 0 0         1 1 0        0 0 1       0 0 0
    inputs = torch.tensor([[2.0, -1.0], [3.0, 1.0], [-1.0, -1.0], [0.0, 0.0]])
    result = measure(model, (inputs, torch.tensor([0, 1, 0, 1])))
    assert result.layers == ("0", "2")
    assert result.roles == ("first", "head")
    np.testing.assert_allclose(result.inputs[0], moments([5, 10, 2, 0]), rtol=1e-14)
    np.testing.assert_allclose(result.inputs[1], moments([4, 9 + 1, 4, 0]), rtol=1e-14)
    np.testing.assert_array_equal(result.tokens, result.inputs)
    np.testing.assert_allclose(result.active[0], moments([1 / 3, 2 / 3, 1 / 3, 0]), rtol=1e-14)
    np.testing.assert_allclose(result.slopes[0], result.active[0], rtol=1e-14)
    assert np.isnan(result.active[1]).all()


@pytest.mark.parametrize("batch_size", [3, 7])
def test_both_mlps_of_a_mixer(batch_size):
    case = BY_NAME["mixer"]
    model, (inputs, _) = case.model(), case.data
    result = case_result("mixer", batch_size)
    expected, x = {}, model.stem(inputs)
    for k, block in enumerate(model.blocks):
        mixed = block.norm1(x).transpose(1, 2)
        hidden = block.mlp_tokens.fc1(mixed)
        expected[f"blocks.{k}.mlp_tokens.fc1"] = mixed, hidden
        expected[f"blocks.{k}.mlp_tokens.fc2"] = F.gelu(hidden), None
        x = x + block.mlp_tokens.fc2(F.gelu(hidden)).transpose(1, 2)
        hidden = block.mlp_channels.fc1(block.norm2(x))
        expected[f"blocks.{k}.mlp_channels.fc1"] = block.norm2(x), hidden
        expected[f"blocks.{k}.mlp_channels.fc2"] = F.gelu(hidden), None
        x = x + block.mlp_channels.fc2(F.gelu(hidden))
    expected["head"] = model.norm(x).mean(1), None
    assert result.layers == tuple(expected)
    normal = torch.distributions.Normal(0.0, 1.0)
    for n, (a, h) in enumerate(expected.values()):
        squares = [sample.square().sum().item() for sample in a]
        vectors = 1 if a.dim() == 2 else a.shape[1]
        np.testing.assert_allclose(result.inputs[n], moments(squares), rtol=1e-10)
        np.testing.assert_allclose(
            result.tokens[n], moments([square / vectors for square in squares]), rtol=1e-10
        )
        if h is None:
            assert np.isnan(result.slopes[n]).all()
            continue
        slopes = (normal.cdf(h) + h * normal.log_prob(h).exp()).flatten(1).detach()
        active = [(slope.abs() > 0.1).double().mean().item() for slope in slopes]
        np.testing.assert_allclose(result.active[n], moments(active), rtol=1e-10)
        squared = [slope.square().mean().item() for slope in slopes]
        np.testing.assert_allclose(result.slopes[n], moments(squared), rtol=1e-10)


def test_batches_of_uneven_size_are_no_matter():
    first, second = (case_result("vit", size) for size in (7, 3))
    for name, array in first.arrays().items():
        if name in ("layers", "roles"):
            assert getattr(first, name) == getattr(second, name)
            continue
        # Vectors start at random, and are as good as their residuals; values are much better.
        atol = TOLERANCE if "residuals" in name else 0.0
        rtol = TOLERANCE if name == "block_stderr" else 1e-5
        np.testing.assert_allclose(array.values, getattr(second, name), rtol=rtol, atol=atol)


class Router(nn.Module):
    """Positive samples go another way."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(2, 3), nn.Linear(2, 3)
        self.head = nn.Linear(3, 2)

    def forward(self, x):
        if (x[:, 0] > 0).all():
            return self.head(F.relu(self.first(x)))
        return self.head(F.relu(self.second(x)))


def test_a_layer_that_only_some_samples_pass_is_refused():
    inputs = torch.cat([torch.ones(3, 2), -torch.ones(2, 2)])
    data = [(inputs[:3], torch.tensor([0, 1, 0])), (inputs[3:], torch.tensor([1, 1]))]
    with pytest.raises(NotMeasurableError, match="first is passed by 3 of 5 samples"):
        measure(Router(), data, verify=False)

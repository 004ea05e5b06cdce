"""Single neurons: thresholds, dead neurons, histograms and the rank of the features."""

import numpy as np
import pytest
import torch
from torch import nn

from analyses import sparsity
from landscape.errors import InputError
from landscape.objective.objective import Objective
from tests.analyses.sparsity.problems import planted


def test_neurons_counted_by_hand():
    model, data = planted()
    measured = sparsity.compute(
        Objective(model, data, batch_size=7, device="cpu"), sparsity.Settings(thresholds=(0.5, 1.0))
    )
    hidden = model[:2](data[0]).detach().double()
    assert measured.neurons.tolist() == [4]
    assert measured.dead.tolist() == [0.25]
    expected = np.zeros(20, int)
    expected[[19, 10, 0, 1]] = 1  # shares 1, 0.5, 0 and 0.05
    assert measured.histogram[0].tolist() == expected.tolist()
    rms = hidden.square().mean().sqrt()
    for k, threshold in enumerate((0.5, 1.0)):
        large = (hidden.abs() > threshold * rms).double().mean(1)
        assert measured.above[k, 0, 0] == pytest.approx(large.mean().item())
        assert measured.above[k, 0, 1] == pytest.approx(large.std().item() / np.sqrt(20))
    values = np.linalg.eigvalsh(np.cov(hidden.numpy().T, bias=True)).clip(0)
    shares = values[values > 0] / values.sum()
    assert measured.rank[0, 0] == pytest.approx(np.exp(-(shares * np.log(shares)).sum()), rel=1e-6)
    assert measured.rank[0, 1] > 0
    assert measured.components[0, 0] == (np.cumsum(values[::-1] / values.sum()) < 0.99).sum() + 1


def test_a_convolutions_neurons_are_its_channels():
    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(108, 2))
    with torch.no_grad():
        model[0].weight[1], model[0].bias[1] = 0.0, -1.0
    data = torch.randn(12, 1, 8, 8), torch.arange(12) % 2
    measured = sparsity.compute(Objective(model, data, device="cpu"))
    assert measured.neurons.tolist() == [3]
    assert measured.dead.tolist() == [pytest.approx(1 / 3)]


def test_uneven_batches_count_the_same():
    model, data = planted()
    first, second = (
        sparsity.compute(Objective(model, data, batch_size=size, device="cpu")) for size in (3, 20)
    )
    np.testing.assert_allclose(first.rank, second.rank, rtol=1e-9)
    np.testing.assert_allclose(first.above, second.above, rtol=1e-12)
    assert np.array_equal(first.histogram, second.histogram)


def test_thresholds_are_positive():
    with pytest.raises(InputError, match="--thresholds takes positive numbers"):
        sparsity.Settings(thresholds=(0.1, 0.0))

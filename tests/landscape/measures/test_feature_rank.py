import math

import numpy as np
import pytest
import torch

from landscape.measures.feature_rank import Moments, components_for, effective_rank, jackknife_error


def rows(count=60, size=5, seed=0):
    scales = torch.tensor([3.0, 1.0, 0.5, 0.1, 0.0])[:size]
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, size, generator=generator, dtype=torch.float64) * scales + 2


def test_equal_variances_have_full_rank_and_a_single_one_has_rank_1():
    assert effective_rank(torch.eye(7)) == pytest.approx(7)
    assert effective_rank(torch.diag(torch.tensor([4.0, 0.0, 0.0]))) == pytest.approx(1)
    assert math.isnan(effective_rank(torch.zeros(3, 3)))
    shares = np.array([0.7, 0.2, 0.1])
    expected = math.exp(-(shares * np.log(shares)).sum())
    assert effective_rank(torch.diag(torch.from_numpy(shares) * 5)) == pytest.approx(expected)


def test_components_that_hold_a_share():
    covariance = torch.diag(torch.tensor([90.0, 9.0, 0.9, 0.1], dtype=torch.float64))
    assert components_for(covariance, 0.9) == 1
    assert components_for(covariance, 0.99) == 2
    assert components_for(covariance, 0.995) == 3
    assert components_for(torch.eye(4), 1.0) == 4
    assert math.isnan(components_for(torch.zeros(2, 2)))


def test_moments_are_those_of_numpy_in_any_pieces():
    x = rows()
    moments = Moments(3)
    for k, piece in enumerate(x.split([10, 25, 5, 20])):
        moments.add(k % 3, piece)
    expected = np.cov(x.numpy().T, bias=True)
    np.testing.assert_allclose(moments.covariance().numpy(), expected, rtol=1e-10, atol=1e-12)
    left = np.cov(torch.cat([x[10:35], x[35:40]]).numpy().T, bias=True)
    np.testing.assert_allclose(moments.jackknife()[0].numpy(), left, rtol=1e-9, atol=1e-12)
    alone = Moments(1)
    alone.add(0, x)
    assert alone.jackknife() == []


def test_the_jackknife_of_a_mean_is_its_standard_error():
    values = np.random.default_rng(0).standard_normal(20)
    without = [float(np.delete(values, k).mean()) for k in range(20)]
    assert jackknife_error(without) == pytest.approx(values.std(ddof=1) / math.sqrt(20))
    assert math.isnan(jackknife_error([]))

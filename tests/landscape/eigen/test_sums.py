"""Long vectors are summed in float64."""

import torch

from landscape.eigen.sums import inner, norms, unit


def test_norms_of_long_vectors():
    long = torch.randn(6_000_000, generator=torch.Generator().manual_seed(0))
    expected = long.double().square().sum().sqrt()
    assert abs(norms(long).double() / expected - 1) < 1e-7
    columns = torch.stack([long, 2 * long], dim=1)
    torch.testing.assert_close(norms(columns).double(), torch.stack([expected, 2 * expected]))
    assert abs(unit(long).double().square().sum() - 1) < 1e-6


def test_inner_products_of_long_vectors():
    long = torch.randn(3_000_000, 2, generator=torch.Generator().manual_seed(0))
    expected = long.double().T @ long.double()
    torch.testing.assert_close(inner(long, long), expected, rtol=1e-12, atol=1e-6)


def test_nothing_has_no_direction():
    assert not unit(torch.zeros(4)).any()
    assert torch.equal(unit(torch.tensor([[3.0, 0.0], [4.0, 0.0]]))[:, 1], torch.zeros(2))

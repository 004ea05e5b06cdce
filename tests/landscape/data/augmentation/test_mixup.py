import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import beta, kstest

from landscape.data.augmentation.mixup import draw_shares, mixup
from landscape.errors import InputError
from tests.profile import repeats


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def mix_numbers(n, alpha=0.5, share=1.0, seed=0):
    """Mix samples that are all of another class; input i is the unit vector i."""
    return mixup(torch.eye(n).double(), torch.arange(n), n, alpha, share, generator(seed))


@settings(max_examples=repeats(10, 30), deadline=None)
@given(
    seed=st.integers(0, 1000),
    n=st.integers(1, 20),
    alpha=st.floats(0.01, 100),
    share=st.floats(0, 1),
)
def test_each_sample_is_a_convex_combination_of_itself_and_one_partner(seed, n, alpha, share):
    inputs, targets = mix_numbers(n, alpha, share, seed)
    assert torch.equal(inputs, targets)
    torch.testing.assert_close(inputs.sum(1), torch.ones(n).double())
    own = inputs.diagonal()
    assert (own >= 0.5).all()
    assert ((inputs > 0).sum(1) <= 2).all()
    given_away = (inputs - torch.diag(own) > 0).sum(0)
    assert (given_away <= 1).all()  # partners are a permutation
    assert (own < 1).sum() <= round(share * n)


def test_inputs_and_targets_are_mixed_by_the_same_shares():
    """Recomputed from the targets, for pictures of classes that occur more than once."""
    pictures = torch.rand(3, 2, 4, 4)
    inputs, targets = mixup(pictures, torch.tensor([4, 0, 2]), 5, 1.0, 1.0, generator(2))
    assert targets.shape == (3, 5)
    for mixed, shares in zip(inputs, targets, strict=True):
        expected = shares[4] * pictures[0] + shares[0] * pictures[1] + shares[2] * pictures[2]
        torch.testing.assert_close(mixed, expected)
    assert ((targets > 0).sum(1) == 2).any()


def test_partners_of_one_class_leave_the_target_as_it_is():
    targets = mixup(torch.rand(8, 3), torch.ones(8).long(), 3, 1.0, 1.0, generator())[1]
    torch.testing.assert_close(targets, torch.tensor([[0.0, 1.0, 0.0]]).expand(8, 3))


def test_every_sample_is_as_likely_to_be_the_partner():
    """Of the first of four: which column holds its lesser share; none is its own partner."""
    draws = 800
    rows = torch.stack([mix_numbers(4, alpha=1.0, seed=seed)[0][0] for seed in range(draws)])
    counts = (rows[:, 1:] > 0).sum(0)
    counts = torch.cat([draws - counts.sum(0, keepdim=True), counts])
    assert (counts - draws / 4).abs().max() < 5 * math.sqrt(draws * 3 / 16)


@pytest.mark.parametrize("alpha", [0.2, 0.5, 1.0, 8.0])
def test_shares_are_the_larger_of_beta_s_two(alpha):
    """Against scipy's density, folded at a half; the mean within five standard errors."""
    n = 20000
    drawn = draw_shares(n, alpha, generator(1))
    mean = 2 * quad(lambda share: share * beta.pdf(share, alpha, alpha), 0.5, 1)[0]
    assert abs(drawn.mean().item() - mean) < 5 * drawn.std().item() / math.sqrt(n)
    folded = kstest(drawn.numpy(), lambda share: 2 * beta.cdf(share, alpha, alpha) - 1)
    assert folded.pvalue > 1e-4


def test_of_so_many_samples_a_share_is_mixed():
    inputs = mix_numbers(400, alpha=1.0, share=0.25)[0]
    mixed = (inputs.diagonal() < 1).sum().item()
    assert 97 <= mixed <= 100  # one or two may be their own partner
    assert torch.equal(mix_numbers(50, share=0.0)[0], torch.eye(50).double())


def test_one_share_is_that_of_all_samples():
    shares = torch.tensor([0.75], dtype=torch.float64)
    inputs, targets = mixup(
        torch.eye(9).double(), torch.arange(9), 9, 0.5, 1.0, generator(), shares
    )
    own = inputs.diagonal()
    assert set(own.tolist()) <= {0.75, 1.0}  # 1 where a sample is its own partner
    assert (own == 0.75).sum() >= 7
    assert torch.equal(inputs, targets)
    assert shares.tolist() == [0.75]


def test_the_same_generator_gives_the_same_mixture():
    source = generator(3)
    first = mixup(torch.eye(9), torch.arange(9), 9, 0.5, 1.0, source)
    torch.manual_seed(1)
    again = mixup(torch.eye(9), torch.arange(9), 9, 0.5, 1.0, generator(3))
    further = mixup(torch.eye(9), torch.arange(9), 9, 0.5, 1.0, source)
    assert torch.equal(again[0], first[0])
    assert torch.equal(again[1], first[1])
    assert not torch.equal(further[0], first[0])


@pytest.mark.parametrize("alpha", [0.0, -1.0, math.nan])
def test_alpha_has_to_be_positive(alpha):
    with pytest.raises(InputError, match="alpha has to be > 0"):
        mix_numbers(3, alpha)

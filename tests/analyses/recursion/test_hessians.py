"""Hessians of a few samples: dense, in closed form, and as the bound they make."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st
from torch import nn

from analyses import recursion
from analyses.recursion.result import TOLERANCE
from analyses.recursion.settings import Settings
from landscape.errors import InputError
from tests.analyses.problems import network, objective, samples
from tests.analyses.recursion.problems import (
    case_objective,
    case_result,
    dense_block,
    measure,
    moments,
)
from tests.oracles.cases import BY_NAME
from tests.oracles.dense import dense_hessian
from tests.profile import repeats


@pytest.mark.parametrize("name", ["vit", "mixer", "resnet with batch norm"])
def test_blocks_are_those_of_the_dense_hessian_and_bounded(name):
    case = BY_NAME[name]
    result = case_result(name)
    assert result.eigenvalues.shape == (len(result.layers), 7)
    assert (result.residuals <= TOLERANCE).all()
    assert (result.block_residuals <= TOLERANCE).all()
    for n, path in enumerate(result.layers):
        exact = dense_block(case.model(), case.data, f"{path}.weight", case.loss)
        assert abs(result.blocks[n]) == pytest.approx(exact, rel=1e-5)
        assert result.bounds[n, 0] >= exact * (1 - TOLERANCE)


@given(
    widths=st.lists(st.integers(1, 6), min_size=2, max_size=4),
    tokens=st.integers(0, 3),
    activation=st.sampled_from([nn.ReLU, nn.Tanh, nn.GELU, nn.Softplus]),
    count=st.integers(1, 4),
    seed=st.integers(0, 10**6),
)
@limits(max_examples=repeats(4, 10), deadline=None)
def test_the_bound_holds(widths, tokens, activation, count, seed):
    torch.manual_seed(seed)
    layers = []
    for inside, outside in zip(widths, widths[1:], strict=False):
        layers += [nn.Linear(inside, outside), activation()]
    layers += [nn.Flatten()] if tokens else []
    layers += [nn.Linear(widths[-1] * max(tokens, 1), 3)]
    model = nn.Sequential(*layers).double()
    shape = (count, tokens, widths[0]) if tokens else (count, widths[0])
    data = torch.randn(shape, dtype=torch.float64), torch.randint(3, (count,))
    result = measure(model, data, dtype=torch.float64)
    for n, path in enumerate(result.layers):
        exact = dense_block(model, data, f"{path}.weight")
        assert result.bounds[n, 0] >= exact * (1 - TOLERANCE) - 1e-14
        if count == 1 and not tokens:  # then it is no bound but the value
            assert result.bounds[n, 0] == pytest.approx(exact, rel=1e-5, abs=1e-14)


def test_the_sampling_error_of_a_block():
    """Of the mean of v'H_i v over samples, with v the leading eigenvector of the mean."""
    model, (inputs, targets) = network().double(), samples(6)
    inputs = inputs.double()
    result = measure(model, (inputs, targets), count=6, dtype=torch.float64)

    def block(rows):
        whole = dense_hessian(model, inputs[rows], targets[rows], F.cross_entropy)
        return np.asarray(whole)[-18:-3, -18:-3]

    _, vectors = np.linalg.eigh(block(range(6)))
    quotients = [vectors[:, -1] @ block([n]) @ vectors[:, -1] for n in range(6)]
    assert result.layers[-1] == "4"
    np.testing.assert_allclose(
        [result.blocks[-1], result.block_stderr[-1]], moments(quotients), rtol=1e-4
    )


def test_eigenvalues_of_the_head_in_closed_form():
    """Of a softmax of three classes: diag(p) - pp'."""
    model, data = network(), samples(5)
    result = measure(model, data, count=5)
    p = model.double()(data[0].double()).softmax(1).detach()
    matrices = torch.diag_embed(p) - p.unsqueeze(2) * p.unsqueeze(1)
    expected = torch.linalg.eigvalsh(matrices)[:, -1]
    np.testing.assert_allclose(result.eigenvalues[-1], expected, rtol=1e-6)
    np.testing.assert_allclose(result.magnitudes[-1], moments(expected.tolist()), rtol=1e-6)


def test_a_network_that_is_sure_is_measured_in_float64():
    model, data = network(), samples(4)
    with torch.no_grad():
        model[4].bias.copy_(torch.tensor([22.0, 0.0, 0.0]))  # exp(-22) is 3e-10
    result = measure(model, data, count=4)
    assert (result.residuals <= TOLERANCE).all()
    assert 0 < np.abs(result.eigenvalues[-1]).max() < 1e-9


def test_a_frozen_weight_has_no_block():
    result = case_result("mlp with frozen parameters")
    assert result.layers == ("0", "2", "4")
    assert result.roles == ("first", "between", "head")
    assert np.isnan(result.blocks).tolist() == [False, True, False]
    assert np.isfinite(result.bounds).all()
    texts = recursion.tabulate([result])["Last MLP layer"][0]
    assert texts["λ of the weight's block ± sampling error (residual)"] == "frozen"


def test_what_is_left_out_is_said(caplog):
    caplog.set_level("INFO")
    result = recursion.compute(case_objective("mlp with tied weights"))
    assert result.layers == ("head",)
    assert "first is left out: its weight is used more than once" in caplog.messages


def test_the_same_seed_gives_the_same_bits():
    first, again = (recursion.compute(objective(), Settings(3, seed=4)) for _ in range(2))
    other = recursion.compute(objective(), Settings(3, seed=5))
    for name, array in first.arrays().items():
        np.testing.assert_array_equal(array.values, again.arrays()[name].values)
    assert not np.array_equal(first.gains, other.gains)
    assert np.array_equal(first.inputs, other.inputs)


def test_the_objective_is_as_it_was():
    problem = objective()
    before = {name: tensor.clone() for name, tensor in problem.module.state_dict().items()}
    recursion.compute(problem)
    for name, tensor in problem.module.state_dict().items():
        assert torch.equal(tensor, before[name])
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in problem.module.modules())
    assert not any(p.grad is not None for p in problem.module.parameters())
    assert not problem.module.training


def test_less_than_one_sample_is_refused():
    with pytest.raises(InputError, match="--recursion-samples has to be at least 1, got 0"):
        Settings(recursion_samples=0)

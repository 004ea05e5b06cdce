"""The factors of layers' Hessians: counted by hand, dense, and as the bound they make."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st
from torch import nn

from analyses import recursion
from analyses.recursion.figures import series
from analyses.recursion.measure import Recursion, Settings
from analyses.recursion.result import TOLERANCE
from landscape.errors import InputError, NotMeasurableError
from landscape.objective.objective import Objective
from tests.analyses.pictures import coloured, render
from tests.analyses.problems import network, objective, samples
from tests.oracles.cases import BY_NAME
from tests.oracles.dense import dense_hessian


def case_objective(name, batch_size=3, **options):
    case = BY_NAME[name]
    options = {"device": "cpu", "dtype": torch.float64, **options}
    return Objective(case.model(), case.data, case.loss, batch_size=batch_size, **options)


def measure(model, data, count=8, **options):
    made = Objective(model, data, device="cpu", **options)
    return recursion.compute(made, Settings(recursion_samples=count))


def moments(values):
    return [np.mean(values), np.std(values, ddof=1) / math.sqrt(len(values))]


def dense_block(model, data, weight, loss=F.cross_entropy):
    """The magnitude of the leading eigenvalue of a weight's block, of the dense Hessian."""
    start = 0
    for name, parameter in model.named_parameters():
        if name == weight:
            break
        start += parameter.numel() if parameter.requires_grad else 0
    stretch = slice(start, start + parameter.numel())
    whole = dense_hessian(model, *data, loss)
    return np.abs(np.linalg.eigvalsh(whole[stretch, stretch])).max()


# ------------------------------------------------------------------------------ whole-sample means


def test_counted_by_hand():
    model = nn.Sequential(nn.Linear(2, 3, bias=False), nn.ReLU(), nn.Linear(3, 2))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]]))
    #                     neurons: 1 0 0         1 1 0        0 0 1       0 0 0
    inputs = torch.tensor([[2.0, -1.0], [3.0, 1.0], [-1.0, -1.0], [0.0, 0.0]])
    found = measure(model, (inputs, torch.tensor([0, 1, 0, 1])))
    assert found.layers == ("0", "2")
    assert found.roles == ("first", "head")
    np.testing.assert_allclose(found.inputs[0], moments([5, 10, 2, 0]), rtol=1e-14)
    np.testing.assert_allclose(found.inputs[1], moments([4, 9 + 1, 4, 0]), rtol=1e-14)
    np.testing.assert_array_equal(found.tokens, found.inputs)
    np.testing.assert_allclose(found.active[0], moments([1 / 3, 2 / 3, 1 / 3, 0]), rtol=1e-14)
    np.testing.assert_allclose(found.slopes[0], found.active[0], rtol=1e-14)
    assert np.isnan(found.active[1]).all()


@pytest.mark.parametrize("batch_size", [3, 7])
def test_both_mlps_of_a_mixer(batch_size):
    case = BY_NAME["mixer"]
    model, (inputs, _) = case.model(), case.data
    found = recursion.compute(case_objective("mixer", batch_size))
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
    assert found.layers == tuple(expected)
    normal = torch.distributions.Normal(0.0, 1.0)
    for n, (a, h) in enumerate(expected.values()):
        squares = [sample.square().sum().item() for sample in a]
        vectors = 1 if a.dim() == 2 else a.shape[1]
        np.testing.assert_allclose(found.inputs[n], moments(squares), rtol=1e-10)
        np.testing.assert_allclose(
            found.tokens[n], moments([one / vectors for one in squares]), rtol=1e-10
        )
        if h is None:
            assert np.isnan(found.slopes[n]).all()
            continue
        slopes = (normal.cdf(h) + h * normal.log_prob(h).exp()).flatten(1).detach()
        active = [(one.abs() > 0.1).double().mean().item() for one in slopes]
        np.testing.assert_allclose(found.active[n], moments(active), rtol=1e-10)
        squared = [one.square().mean().item() for one in slopes]
        np.testing.assert_allclose(found.slopes[n], moments(squared), rtol=1e-10)


def test_batches_of_uneven_size_are_no_matter():
    one, other = (recursion.compute(case_objective("vit", size)) for size in (7, 3))
    for name, array in one.arrays().items():
        if name in ("layers", "roles"):
            assert getattr(one, name) == getattr(other, name)
            continue
        # Vectors start at random, and are as good as their residuals; values are much better.
        atol = TOLERANCE if "residuals" in name else 0.0
        rtol = TOLERANCE if name == "block_stderr" else 1e-5
        np.testing.assert_allclose(array.values, getattr(other, name), rtol=rtol, atol=atol)


# --------------------------------------------------------------------------------- few samples


@pytest.mark.parametrize("name", ["vit", "mixer", "resnet with batch norm"])
def test_blocks_are_those_of_the_dense_hessian_and_bounded(name):
    case = BY_NAME[name]
    found = recursion.compute(case_objective(name), Settings(recursion_samples=7))
    assert found.eigenvalues.shape == (len(found.layers), 7)
    assert (found.residuals <= TOLERANCE).all()
    assert (found.block_residuals <= TOLERANCE).all()
    for n, path in enumerate(found.layers):
        exact = dense_block(case.model(), case.data, f"{path}.weight", case.loss)
        assert abs(found.blocks[n]) == pytest.approx(exact, rel=1e-5)
        assert found.bounds[n, 0] >= exact * (1 - TOLERANCE)


@given(
    widths=st.lists(st.integers(1, 6), min_size=2, max_size=4),
    tokens=st.integers(0, 3),
    activation=st.sampled_from([nn.ReLU, nn.Tanh, nn.GELU, nn.Softplus]),
    count=st.integers(1, 4),
    seed=st.integers(0, 10**6),
)
@limits(max_examples=10, deadline=None)
def test_the_bound_holds(widths, tokens, activation, count, seed):
    torch.manual_seed(seed)
    parts = []
    for inside, outside in zip(widths, widths[1:], strict=False):
        parts += [nn.Linear(inside, outside), activation()]
    parts += [nn.Flatten()] if tokens else []
    parts += [nn.Linear(widths[-1] * max(tokens, 1), 3)]
    model = nn.Sequential(*parts).double()
    shape = (count, tokens, widths[0]) if tokens else (count, widths[0])
    data = torch.randn(shape, dtype=torch.float64), torch.randint(3, (count,))
    found = measure(model, data, dtype=torch.float64)
    for n, path in enumerate(found.layers):
        exact = dense_block(model, data, f"{path}.weight")
        assert found.bounds[n, 0] >= exact * (1 - TOLERANCE) - 1e-14
        if count == 1 and not tokens:  # then it is no bound but the value
            assert found.bounds[n, 0] == pytest.approx(exact, rel=1e-5, abs=1e-14)


def test_the_sampling_error_of_a_block():
    """Of the mean of v'H_i v over samples, with v the leading eigenvector of the mean."""
    model, (inputs, targets) = network().double(), samples(6)
    inputs = inputs.double()
    found = measure(model, (inputs, targets), count=6, dtype=torch.float64)

    def block(rows):
        whole = dense_hessian(model, inputs[rows], targets[rows], F.cross_entropy)
        return np.asarray(whole)[-18:-3, -18:-3]

    _, vectors = np.linalg.eigh(block(range(6)))
    quotients = [vectors[:, -1] @ block([n]) @ vectors[:, -1] for n in range(6)]
    assert found.layers[-1] == "4"
    np.testing.assert_allclose(
        [found.blocks[-1], found.block_stderr[-1]], moments(quotients), rtol=1e-4
    )


def test_eigenvalues_of_the_head_in_closed_form():
    """Of a softmax of three classes: diag(p) - pp'."""
    model, data = network(), samples(5)
    found = measure(model, data, count=5)
    p = model.double()(data[0].double()).softmax(1).detach()
    matrices = torch.diag_embed(p) - p.unsqueeze(2) * p.unsqueeze(1)
    expected = torch.linalg.eigvalsh(matrices)[:, -1]
    np.testing.assert_allclose(found.eigenvalues[-1], expected, rtol=1e-6)
    np.testing.assert_allclose(found.magnitudes[-1], moments(expected.tolist()), rtol=1e-6)


def test_a_network_that_is_sure_is_measured_in_float64():
    model, data = network(), samples(4)
    with torch.no_grad():
        model[4].bias.copy_(torch.tensor([22.0, 0.0, 0.0]))  # exp(-22) is 3e-10
    found = measure(model, data, count=4)
    assert (found.residuals <= TOLERANCE).all()
    assert 0 < np.abs(found.eigenvalues[-1]).max() < 1e-9


def test_a_frozen_weight_has_no_block():
    found = recursion.compute(case_objective("mlp with frozen parameters"))
    assert found.layers == ("0", "2", "4")
    assert found.roles == ("first", "between", "head")
    assert np.isnan(found.blocks).tolist() == [False, True, False]
    assert np.isfinite(found.bounds).all()
    texts = recursion.tabulate([found])["Last MLP layer"][0]
    assert texts["λ of the weight's block ± sampling error (residual)"] == "frozen"
    render(recursion.draw([found])["recursion"])


def test_what_is_left_out_is_said(capsys):
    found = recursion.compute(case_objective("mlp with tied weights"))
    assert found.layers == ("head",)
    assert "first is left out: its weight is used more than once" in capsys.readouterr().err


def test_the_same_seed_gives_the_same_bits():
    one, again = (recursion.compute(objective(), Settings(3, seed=4)) for _ in range(2))
    other = recursion.compute(objective(), Settings(3, seed=5))
    for name, array in one.arrays().items():
        np.testing.assert_array_equal(array.values, again.arrays()[name].values)
    assert not np.array_equal(one.gains, other.gains)
    assert np.array_equal(one.inputs, other.inputs)


def test_the_objective_is_as_it_was():
    problem = objective()
    before = {name: tensor.clone() for name, tensor in problem.module.state_dict().items()}
    recursion.compute(problem)
    for name, tensor in problem.module.state_dict().items():
        assert torch.equal(tensor, before[name])
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in problem.module.modules())
    assert not any(p.grad is not None for p in problem.module.parameters())
    assert not problem.module.training


# ------------------------------------------------------------------------------------- refusals


def test_less_than_one_sample_is_refused():
    with pytest.raises(InputError, match="--recursion-samples has to be at least 1, got 0"):
        Settings(recursion_samples=0)


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


# ------------------------------------------------------------------------------------ the result


def test_it_comes_back_from_its_file(tmp_path):
    found = recursion.compute(objective(), Settings(3, seed=2))
    found.save(tmp_path / "x.h5")
    back = Recursion.load(tmp_path / "x.h5")
    assert (back.settings, back.provenance) == (found.settings, found.provenance)
    assert (back.layers, back.roles) == (found.layers, found.roles)
    for name, array in found.arrays().items():
        np.testing.assert_array_equal(array.values, back.arrays()[name].values)


def test_headline(tmp_path):
    found = recursion.compute(objective(), Settings(3))
    found.write_json(tmp_path / "x.json")
    content = json.loads((tmp_path / "x.json").read_text())
    assert content["samples"] == 3
    layer = content["layers"]["2"]
    assert layer["role"] == "between"
    assert layer["preactivation_lambda"] == np.abs(found.eigenvalues[1]).mean()
    assert layer["bound_stderr"] == found.bounds[1, 1]
    assert layer["block_lambda"] == found.blocks[1]
    assert layer["block_stderr"] == found.block_stderr[1]
    assert layer["preactivation_residual"] == found.residuals[1].max()
    assert content["layers"]["4"]["active"] is None


def test_one_sample_has_no_standard_error():
    found = measure(network(), samples(1))
    assert found.eigenvalues.shape == (3, 1)
    assert np.isnan(found.inputs[:, 1]).all()
    assert np.isnan(found.magnitudes[:, 1]).all()
    row = recursion.tabulate([found])["First MLP layer"][0]
    assert "no error" in row["‖a‖² ± standard error"]
    render(recursion.draw([found])["recursion"])


# -------------------------------------------------------------------------------------- pictures


def test_series():
    mixer = recursion.compute(case_objective("mixer"))
    kinds = ("mlp_tokens", "mlp_channels")
    assert series(mixer) == {
        ("mlp_tokens", "first"): [(0, 1), (4, 2)],
        ("mlp_tokens", "second"): [(1, 1), (5, 2)],
        ("mlp_channels", "first"): [(2, 1), (6, 2)],
        ("mlp_channels", "second"): [(3, 1), (7, 2)],
        ("mlp_channels", "head"): [(8, 3)],
    }
    assert {mixer.layers[n] for n in mixer.ends} == {
        f"blocks.{k}.{kind}.fc1" for k, kind in enumerate(kinds)
    }
    plain = recursion.compute(objective())
    assert series(plain) == {("", "between"): [(0, 1), (1, 2), (2, 3)]}
    assert plain.ends == (0, 1)
    resnet = recursion.compute(case_objective("resnet with batch norm"))
    assert series(resnet) == {("", "head"): [(0, 1)]}
    assert resnet.ends == (0, 0)
    row = recursion.tabulate([resnet])["First MLP layer"][0]
    assert row["|f'| > 0.1, % ± standard error"] == "no activation"


def test_a_column_for_each_kind_of_mlp():
    names = ("mixer", "vit", "resnet with batch norm")
    shown = [replace(recursion.compute(case_objective(name)), label=name) for name in names]
    page = recursion.draw(shown)["recursion"]
    assert [axes.get_title() for axes in page.axes[:4]] == [
        "token-mixing MLP",
        "channel-mixing MLP",
        "MLP",
        "head",
    ]
    assert len(page.axes) == 16
    blank = [number for number, pixels in coloured(page).items() if pixels < 20]
    assert blank == [11]  # a head has no activation function
    assert page.axes[11].texts[0].get_text() == "no activation"


def test_values_drawn_are_those_found():
    found = recursion.compute(objective(), Settings(4))
    page = recursion.draw([found])["recursion"]
    drawn = [[line.get_ydata() for line in axes.lines] for axes in page.axes]
    expected = [found.inputs[:, 0], found.magnitudes[:, 0], 100 * found.active[:, 0]]
    for lines, values in zip(drawn, expected, strict=False):
        np.testing.assert_array_equal(lines[0], values)
    lines = [bars[0].get_ydata() for bars in page.axes[3].containers]
    np.testing.assert_array_equal(lines, [np.abs(found.blocks), found.bounds[:, 0]])
    assert page.axes[3].get_ylabel() == "|λ| of the block (nats)"

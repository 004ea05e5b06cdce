import json
import math
from dataclasses import replace

import h5py
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from analyses import sparsity
from analyses.run_context import RunContext
from analyses.runner import measure as measure_once
from analyses.sparsity.measure import Sparsity
from analyses.sparsity.result import series
from landscape.errors import InputError
from landscape.objective.objective import Objective
from tests.analyses.pictures import coloured, render
from tests.analyses.problems import network, objective, result, samples
from tests.oracles.cases import BY_NAME


def measure(model, inputs, targets=None, **options):
    if targets is None:
        targets = torch.zeros(len(inputs), dtype=torch.int64)
    return sparsity.compute(Objective(model, (inputs, targets), device="cpu", **options))


def check(found, outputs):
    """Against the outputs after each activation, by layer, over all samples."""
    assert found.layers == tuple(outputs)
    for place, values in enumerate(outputs.values()):
        fractions = [(sample > 0).double().mean().item() for sample in values]
        assert found.active[place] == pytest.approx(np.mean(fractions), rel=1e-12)
        stderr = np.std(fractions, ddof=1) / math.sqrt(len(fractions))
        assert found.stderr[place] == pytest.approx(stderr, rel=1e-12)


def case_objective(name):
    case = BY_NAME[name]
    return Objective(
        case.model(), case.data, case.loss, batch_size=3, device="cpu", dtype=torch.float64
    )


# ------------------------------------------------------------------------------------ counting


def test_counted_by_hand():
    model = nn.Sequential(nn.Linear(2, 3, bias=False), nn.ReLU(), nn.Linear(3, 2))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]]))
    #                     neurons: 1 0 0         1 1 0        0 0 1       0 0 0 (0 is not active)
    inputs = torch.tensor([[2.0, -1.0], [3.0, 1.0], [-1.0, -1.0], [0.0, 0.0]])
    found = measure(model, inputs)
    assert found.layers == ("1",)
    assert found.active[0] == pytest.approx((1 / 3 + 2 / 3 + 1 / 3 + 0) / 4, rel=1e-14)
    # Fractions 1/3, 2/3, 1/3 and 0 around 1/3: squares 1/9 and 1/9, variance 2/27.
    assert found.stderr[0] == pytest.approx(math.sqrt(2 / 27 / 4), rel=1e-14)


@pytest.mark.parametrize("batch_size", [1, 10, 25])
def test_a_relu_network(batch_size):
    model, (inputs, targets) = network(), samples()
    found = measure(model, inputs, targets, batch_size=batch_size)
    first = model[1](model[0](inputs))
    check(found, {"1": first, "3": model[3](model[2](first))})


def test_both_mlps_of_a_mixer():
    case = BY_NAME["mixer"]
    model, (inputs, _) = case.model(), case.data
    outputs, x = {}, model.stem(inputs)
    for k, block in enumerate(model.blocks):
        hidden = F.gelu(block.mlp_tokens.fc1(block.norm1(x).transpose(1, 2)))
        outputs[f"blocks.{k}.mlp_tokens.act"] = hidden
        x = x + block.mlp_tokens.fc2(hidden).transpose(1, 2)
        hidden = F.gelu(block.mlp_channels.fc1(block.norm2(x)))
        outputs[f"blocks.{k}.mlp_channels.act"] = hidden
        x = x + block.mlp_channels.fc2(hidden)
    assert torch.allclose(model.head(model.norm(x).mean(1)), model(inputs))
    check(sparsity.compute(case_objective("mixer")), outputs)


def test_every_relu_of_a_resnet():
    case = BY_NAME["resnet with batch norm"]
    model, (inputs, _) = case.model(), case.data
    x = F.relu(model.bn1(model.conv1(inputs)))
    outputs = {"act1": x}
    for name in ("layer1", "layer2"):
        (block,) = model.get_submodule(name)
        hidden = F.relu(block.bn1(block.conv1(x)))
        shortcut = x if block.downsample is None else block.downsample(x)
        x = F.relu(block.bn2(block.conv2(hidden)) + shortcut)
        outputs |= {f"{name}.0.act1": hidden, f"{name}.0.act2": x}
    assert torch.allclose(model.fc(x.mean((2, 3))), model(inputs))
    check(sparsity.compute(case_objective("resnet with batch norm")), outputs)


def test_a_transformer():
    case = BY_NAME["vit"]
    model, (inputs, _) = case.model(), case.data
    hidden = []
    handle = model.blocks[0].mlp.fc1.register_forward_hook(lambda *words: hidden.append(words[2]))
    model(inputs)
    handle.remove()
    # GELU has the sign of its input.
    check(sparsity.compute(case_objective("vit")), {"blocks.0.mlp.act": hidden[0]})


class Functional(nn.Module):
    """As many hand-written networks are: activations are calls, and one is in place."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(4, 6), nn.Linear(6, 5)

    def forward(self, x):
        x = F.relu(self.first(x))
        x = self.second(x)
        return torch.relu_(x)


def test_a_network_of_functions():
    model, (inputs, targets) = Functional(), samples()
    found = measure(model, inputs, targets, batch_size=10)
    first = model.first(inputs).clamp(min=0)
    check(found, {"relu": first, "relu:2": model.second(first).clamp(min=0)})


def test_one_module_for_all_layers():
    class Reused(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second, self.act = nn.Linear(4, 6), nn.Linear(6, 5), nn.ReLU(True)

        def forward(self, x):
            return self.act(self.second(self.act(self.first(x))))

    model, (inputs, targets) = Reused(), samples()
    first = model.first(inputs).clamp(min=0)
    expected = {"act": first, "act:2": model.second(first).clamp(min=0)}
    check(measure(model, inputs, targets, batch_size=10), expected)


def test_a_layer_of_one_neuron_without_a_dimension_of_its_own():
    class Scalar(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear, self.act = nn.Linear(4, 1), nn.ReLU()

        def forward(self, x):
            score = self.act(self.linear(x).squeeze(1))
            return torch.stack([score, -score], dim=1)

    model, (inputs, _) = Scalar(), samples()
    check(measure(model, inputs), {"act": F.relu(model.linear(inputs))})


@pytest.mark.parametrize(("bias", "share"), [(-100.0, 0.0), (100.0, 1.0)])
def test_dead_and_saturated_layers(bias, share):
    model = network()
    nn.init.constant_(model[0].bias, bias)
    found = measure(model, *samples())
    assert found.active[0] == share
    assert found.stderr[0] == 0
    render(sparsity.draw([found])["sparsity"])


def test_one_sample_has_no_standard_error(tmp_path):
    found = measure(network(), torch.randn(1, 4))
    assert np.isnan(found.stderr).all()
    found.write_json(tmp_path / "x.json")
    assert json.loads((tmp_path / "x.json").read_text())["stderr"] == {"1": None, "3": None}
    render(sparsity.draw([found])["sparsity"])
    assert "no error" in sparsity.tabulate([found])[""][0]["first layer, %, ± standard error"]


@pytest.mark.parametrize(
    "model",
    [nn.Linear(4, 3), nn.Sequential(nn.Linear(4, 3), nn.Sigmoid(), nn.Softmax(1))],
    ids=["linear", "sigmoid"],
)
def test_a_model_without_activations_is_refused(model):
    with pytest.raises(InputError, match=f"{type(model).__name__} has no activation function"):
        measure(model, *samples())


def test_nothing_is_left_on_the_network():
    problem = objective()
    sparsity.compute(problem)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in problem.module.modules())
    assert not any(p.grad is not None for p in problem.module.parameters())


# ---------------------------------------------------------------------------------- the result


def test_headline(tmp_path):
    found = measure(network(), *samples())
    found.write_json(tmp_path / "sparsity.json")
    content = json.loads((tmp_path / "sparsity.json").read_text())
    assert content["layers"] == {"1": found.active[0], "3": found.active[1]}
    assert content["stderr"] == {"1": found.stderr[0], "3": found.stderr[1]}
    assert content["mean"] == pytest.approx(found.active.mean(), rel=1e-14)
    assert 0 < content["mean"] < 1


def test_more_than_ten_layers_stay_in_order(tmp_path):
    layers = [part for _ in range(12) for part in (nn.Linear(4, 4), nn.ReLU())]
    found = measure(nn.Sequential(*layers), *samples())
    found.save(tmp_path / "x.h5")
    assert found.layers == tuple(str(k) for k in range(1, 24, 2))
    assert Sparsity.load(tmp_path / "x.h5").layers == found.layers


def test_the_two_mlps_of_a_mixer_are_two_series():
    found = sparsity.compute(case_objective("mixer"))
    assert series(found) == {"mlp_tokens": [0, 2], "mlp_channels": [1, 3]}
    assert series(sparsity.compute(case_objective("vit"))) == {"mlp": [0]}
    assert series(result("sparsity")) == {"activation": [0, 1]}


# ------------------------------------------------------------------------------------ pictures


def test_networks_of_one_architecture_share_a_panel():
    one, other = result("sparsity", 0), result("sparsity", 1)
    page = sparsity.draw([one, other])["sparsity"]
    (axes,) = page.axes
    assert len(axes.containers) == 2
    for bars, shown in zip(axes.containers, (one, other), strict=True):
        np.testing.assert_allclose(bars[0].get_ydata(), 100 * shown.active)
        np.testing.assert_array_equal(bars[0].get_xdata(), [1, 2])
    assert axes.get_ylim() == (0, 100)


def test_different_architectures_have_panels_of_their_own():
    names = ("mixer", "vit", "resnet with batch norm")
    shown = [replace(sparsity.compute(case_objective(name)), label=name) for name in names]
    page = sparsity.draw(shown)["sparsity"]
    titles = [axes.get_title() for axes in page.axes if axes.axison]
    assert titles == ["token-mixing MLP", "channel-mixing MLP", "MLP", "all activations"]
    assert min(coloured(page).values()) > 20


def test_a_table_row_for_each():
    (row,) = sparsity.tabulate([result("sparsity")])[""]
    one = result("sparsity")
    assert row["checkpoint"] == "plain"
    assert row["layers"] == "2"
    assert row["mean active, %"] == f"{100 * one.active.mean():.1f}"
    assert row["last layer, %, ± standard error"].startswith(f"{100 * one.active[1]:.1f} ± ")


# ------------------------------------------------------------------------------ single neurons


def planted():
    """A ReLU layer of four neurons: always active, half of the time, never, and never but once."""
    model = nn.Sequential(nn.Linear(1, 4), nn.ReLU(), nn.Linear(4, 2))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[0.0], [1.0], [0.0], [1.0]]))
        model[0].bias.copy_(torch.tensor([2.0, 0.0, -1.0, -9.5]))
    inputs = torch.arange(-10, 11).float().unsqueeze(1)
    inputs = inputs[inputs.flatten() != 0]
    return model, (inputs, torch.arange(20) % 2)


def test_neurons_counted_by_hand():
    model, data = planted()
    found = sparsity.compute(
        Objective(model, data, batch_size=7, device="cpu"), sparsity.Settings(thresholds=(0.5, 1.0))
    )
    hidden = model[:2](data[0]).detach().double()
    assert found.neurons.tolist() == [4]
    assert found.dead.tolist() == [0.25]
    expected = np.zeros(20, int)
    expected[[19, 10, 0, 1]] = 1  # shares 1, 0.5, 0 and 0.05
    assert found.histogram[0].tolist() == expected.tolist()
    rms = hidden.square().mean().sqrt()
    for k, threshold in enumerate((0.5, 1.0)):
        large = (hidden.abs() > threshold * rms).double().mean(1)
        assert found.above[k, 0, 0] == pytest.approx(large.mean().item())
        assert found.above[k, 0, 1] == pytest.approx(large.std().item() / np.sqrt(20))
    values = np.linalg.eigvalsh(np.cov(hidden.numpy().T, bias=True)).clip(0)
    shares = values[values > 0] / values.sum()
    assert found.rank[0, 0] == pytest.approx(np.exp(-(shares * np.log(shares)).sum()), rel=1e-6)
    assert found.rank[0, 1] > 0
    assert found.components[0, 0] == (np.cumsum(values[::-1] / values.sum()) < 0.99).sum() + 1


def test_a_convolutions_neurons_are_its_channels():
    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(108, 2))
    with torch.no_grad():
        model[0].weight[1], model[0].bias[1] = 0.0, -1.0
    data = torch.randn(12, 1, 8, 8), torch.arange(12) % 2
    found = sparsity.compute(Objective(model, data, device="cpu"))
    assert found.neurons.tolist() == [3]
    assert found.dead.tolist() == [pytest.approx(1 / 3)]


def test_uneven_batches_count_the_same():
    model, data = planted()
    one, other = (
        sparsity.compute(Objective(model, data, batch_size=size, device="cpu")) for size in (3, 20)
    )
    np.testing.assert_allclose(one.rank, other.rank, rtol=1e-9)
    np.testing.assert_allclose(one.above, other.above, rtol=1e-12)
    assert np.array_equal(one.histogram, other.histogram)


def test_a_file_of_an_earlier_version_answers_another_question(tmp_path):
    model, data = planted()
    objective = Objective(model, data, device="cpu", origin={"label": "a"})
    found = sparsity.compute(objective)
    found.save(tmp_path / "sparsity.h5")
    with h5py.File(tmp_path / "sparsity.h5", "a") as file:
        for name in ("above", "neurons", "dead", "histogram", "rank", "components"):
            del file[name]
        file.attrs["settings"] = "{}"
    old = Sparsity.load(tmp_path / "sparsity.h5")
    assert old.settings.thresholds == ()
    assert np.isnan(old.dead).all()
    assert list(sparsity.draw([old])) == ["sparsity"]
    assert sparsity.tabulate([old])[""][0]["dead, % of all neurons"] == "–"
    again = measure_once("sparsity", objective, sparsity.Settings(), RunContext(tmp_path))
    assert again.dead.tolist() == found.dead.tolist()
    assert len(list(tmp_path.glob("sparsity*.h5"))) == 2  # the old one is kept


def test_thresholds_are_positive():
    with pytest.raises(InputError, match="--thresholds takes positive numbers"):
        sparsity.Settings(thresholds=(0.1, 0.0))

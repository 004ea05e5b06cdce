"""The active fraction: counted by hand, and by forward passes written out."""

import json
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from analyses import sparsity
from landscape.errors import InputError
from tests.analyses.problems import network, objective, samples
from tests.analyses.sparsity.problems import case_objective, measure
from tests.oracles.cases import BY_NAME

FIRST = "first MLP (Mixer: channel mixing), %, ± standard error"


def check(measured, outputs):
    """Against the outputs after each activation, by layer, over all samples."""
    assert measured.layers == tuple(outputs)
    for place, values in enumerate(outputs.values()):
        fractions = [(sample > 0).double().mean().item() for sample in values]
        assert measured.active[place] == pytest.approx(np.mean(fractions), rel=1e-12)
        stderr = np.std(fractions, ddof=1) / math.sqrt(len(fractions))
        assert measured.stderr[place] == pytest.approx(stderr, rel=1e-12)


def test_counted_by_hand():
    model = nn.Sequential(nn.Linear(2, 3, bias=False), nn.ReLU(), nn.Linear(3, 2))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]]))
    #                     neurons: 1 0 0         1 1 0        0 0 1       0 0 0 (0 is not active)
    inputs = torch.tensor([[2.0, -1.0], [3.0, 1.0], [-1.0, -1.0], [0.0, 0.0]])
    measured = measure(model, inputs)
    assert measured.layers == ("1",)
    assert measured.active[0] == pytest.approx((1 / 3 + 2 / 3 + 1 / 3 + 0) / 4, rel=1e-14)
    # Fractions 1/3, 2/3, 1/3 and 0 around 1/3: squares 1/9 and 1/9, variance 2/27.
    assert measured.stderr[0] == pytest.approx(math.sqrt(2 / 27 / 4), rel=1e-14)


@pytest.mark.parametrize("batch_size", [1, 10, 25])
def test_a_relu_network(batch_size):
    model, (inputs, targets) = network(), samples()
    measured = measure(model, inputs, targets, batch_size=batch_size)
    first = model[1](model[0](inputs))
    check(measured, {"1": first, "3": model[3](model[2](first))})


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
    measured = measure(model, inputs, targets, batch_size=10)
    first = model.first(inputs).clamp(min=0)
    check(measured, {"relu": first, "relu:2": model.second(first).clamp(min=0)})


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
    measured = measure(model, inputs)
    active = (model.linear(inputs) > 0).double().mean().item()
    assert measured.active[0] == pytest.approx(active, rel=1e-14)
    # Yes or no for each sample, so the error is binomial.
    assert measured.stderr[0] == pytest.approx(
        math.sqrt(active * (1 - active) / len(inputs)), rel=1e-12
    )


@pytest.mark.parametrize(("bias", "share"), [(-100.0, 0.0), (100.0, 1.0)])
def test_dead_and_saturated_layers(bias, share):
    model = network()
    nn.init.constant_(model[0].bias, bias)
    measured = measure(model, *samples())
    assert measured.active[0] == share
    assert measured.stderr[0] == 1 / len(samples()[0])


def test_one_sample_has_no_standard_error(tmp_path):
    measured = measure(network(), torch.randn(1, 4))
    assert np.isnan(measured.stderr).all()
    measured.write_json(tmp_path / "x.json")
    assert json.loads((tmp_path / "x.json").read_text())["stderr"] == {"1": None, "3": None}
    assert "no error" in sparsity.tabulate([measured])[""][0][FIRST]


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

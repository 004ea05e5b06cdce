import pytest
import torch
import torch.nn.functional as F
from torch import nn

from landscape.hooks.activations import FUNCTIONS, MODULES, watch_activations
from tests.landscape.hooks.watching import Calls, names, watched
from tests.oracles.cases import BY_NAME

# ------------------------------------------------------------------------------------- modules


@pytest.mark.parametrize("kind", MODULES, ids=lambda kind: kind.__name__)
def test_every_activation_module_is_seen_once(kind):
    arguments = (0.5, 0.0) if kind is nn.Threshold else ()
    model = nn.Sequential(nn.Linear(3, 4), kind(*arguments), nn.Linear(4, 2)).eval()
    x = torch.randn(5, 3)
    ((layer, output),) = watched(model, x)
    assert layer == "1"
    assert torch.equal(output, model[1](model[0](x)))


def test_modules_without_a_sign_that_means_something_are_not_seen():
    model = nn.Sequential(
        nn.Linear(3, 4), nn.Sigmoid(), nn.Softmax(-1), nn.Identity(), nn.Dropout(), nn.LayerNorm(4)
    )
    assert watched(model, torch.randn(2, 3)) == []


def test_layers_come_in_the_order_of_the_pass_by_their_paths():
    model = nn.Sequential(
        nn.Linear(3, 4),
        nn.ReLU(),
        nn.Sequential(nn.Sequential(nn.Linear(4, 4), nn.GELU())),
        nn.SiLU(),
    )
    assert names(watched(model, torch.randn(2, 3))) == ["1", "2.0.1", "3"]


def test_our_networks_have_the_layers_they_should():
    pictures, _ = BY_NAME["vit"].data
    assert names(watched(BY_NAME["vit"].model(), pictures)) == ["blocks.0.mlp.act"]
    assert names(watched(BY_NAME["mixer"].model(), pictures)) == [
        f"blocks.{k}.{mlp}.act" for k in range(2) for mlp in ("mlp_tokens", "mlp_channels")
    ]
    assert names(watched(BY_NAME["resnet with batch norm"].model(), pictures)) == [
        "act1",
        "layer1.0.act1",
        "layer1.0.act2",
        "layer2.0.act1",
        "layer2.0.act2",
    ]


class Reused(nn.Module):
    """One ReLU for all layers, under two names."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 3)
        self.relu = nn.ReLU()
        self.alias = self.relu

    def forward(self, x):
        return self.alias(self.first(self.relu(self.first(self.relu(x)))))


def test_a_module_that_is_called_again_gets_a_number():
    model, x = Reused(), torch.randn(4, 3)
    seen = watched(model, x, passes=2)
    assert names(seen) == ["relu", "relu:2", "relu:3"] * 2  # each pass counts anew
    first = x.relu()
    second = model.first(first).relu()
    third = model.first(second).relu()
    for (_, output), expected in zip(seen, [first, second, third] * 2, strict=True):
        assert torch.equal(output, expected)


def test_an_activation_in_place_is_seen_as_it_leaves_the_layer():
    class Overwritten(nn.Module):
        def __init__(self):
            super().__init__()
            self.act = nn.ReLU(inplace=True)

        def forward(self, x):
            y = self.act(x.clone())
            y -= 100  # as residual networks add their shortcut
            return y

    x = torch.randn(4, 3)
    ((layer, output),) = watched(Overwritten(), x)
    assert layer == "act"
    assert torch.equal(output, x.clamp(min=0))


def test_a_model_that_is_an_activation_is_seen():
    x = torch.randn(4, 3)
    ((_, output),) = watched(nn.ReLU(), x)
    assert torch.equal(output, x.clamp(min=0))


# ----------------------------------------------------------------------------------- functions

CALLS = {
    "F.relu": (F.relu, "relu"),
    "F.relu in place": (lambda x: F.relu(x, inplace=True), "relu"),
    "F.relu_": (F.relu_, "relu"),
    "torch.relu": (torch.relu, "relu"),
    "torch.relu_": (torch.relu_, "relu"),
    "x.relu": (lambda x: x.relu(), "relu"),
    "x.relu_": (lambda x: x.relu_(), "relu"),
    "F.relu6": (F.relu6, "relu6"),
    "F.leaky_relu": (F.leaky_relu, "leaky_relu"),
    "F.elu": (F.elu, "elu"),
    "F.selu": (F.selu, "selu"),
    "F.celu": (F.celu, "celu"),
    "F.gelu": (F.gelu, "gelu"),
    "F.gelu tanh": (lambda x: F.gelu(x, approximate="tanh"), "gelu"),
    "F.silu": (F.silu, "silu"),
    "F.silu in place": (lambda x: F.silu(x, inplace=True), "silu"),
    "F.mish": (F.mish, "mish"),
    "F.hardswish": (F.hardswish, "hardswish"),
}


@pytest.mark.parametrize("call", CALLS)
def test_every_way_to_call_a_function_is_seen_once(call):
    function, name = CALLS[call]
    model, x = Calls(function), torch.randn(5, 3)
    with torch.no_grad():
        ((layer, output),) = watched(model, x)
        expected = model(x)
    assert layer == name
    assert torch.equal(output, expected)


def test_functions_are_named_after_the_module_that_calls_them():
    model = nn.Sequential(Calls(F.relu), nn.Sequential(nn.Linear(4, 3), Calls(F.gelu)))
    assert names(watched(model, torch.randn(2, 3))) == ["0.relu", "1.1.gelu"]


def test_functions_that_are_called_again_get_a_number():
    model = Calls(lambda x: F.relu(torch.relu(F.gelu(x).relu())))
    seen = names(watched(model, torch.randn(2, 3), passes=2))
    assert seen == ["gelu", "relu", "relu:2", "relu:3"] * 2


def test_the_caller_is_right_after_its_children_have_been_called():
    class Between(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = Calls(F.relu)
            self.last = nn.ReLU()

        def forward(self, x):
            return F.gelu(self.last(self.inner(F.silu(x))))

    seen = names(watched(nn.Sequential(Between()), torch.randn(2, 3)))
    assert seen == ["0.silu", "0.inner.relu", "0.last", "0.gelu"]


def test_other_functions_are_not_seen():
    model = Calls(lambda x: F.softmax(x.sigmoid() + x.exp().clamp(min=0), -1))
    assert watched(model, torch.randn(2, 3)) == []


@pytest.mark.parametrize("activation", [F.relu, "gelu", nn.GELU()], ids=["relu", "gelu", "module"])
def test_the_transformer_of_torch_is_seen(activation):
    # In eval mode torch runs this layer as one fused kernel, unless somebody watches.
    layer = nn.TransformerEncoderLayer(8, 2, 16, activation=activation, batch_first=True).eval()
    with torch.no_grad():
        ((name, output),) = watched(nn.Sequential(layer), torch.randn(2, 5, 8))
    assert name in ("0.relu", "0.gelu", "0.activation")
    assert output.shape == (2, 5, 16)


def test_outputs_are_detached():
    seen = watched(nn.Sequential(nn.Linear(3, 4), nn.ReLU(), Calls(F.gelu, 4)), torch.zeros(1, 3))
    assert len(seen) == 2
    assert not any(output.requires_grad for _, output in seen)


def test_watching_changes_nothing():
    case = BY_NAME["resnet with batch norm"]
    model, (pictures, _) = case.model(), case.data
    expected = model(pictures)
    with watch_activations(model, lambda layer, output: None):
        assert torch.equal(model(pictures), expected)


def test_the_modules_and_functions_agree():
    """What is watched as a function is watched as a module too."""
    modules = {kind.__name__.lower() for kind in MODULES}
    assert {name.replace("_", "") for name in FUNCTIONS.values()} <= modules


@pytest.mark.parametrize(
    "function",
    [
        F.softplus,
        F.hardtanh,
        F.rrelu,
        lambda x: F.prelu(x, torch.ones(1)),
        lambda x: F.threshold(x, 0.5, 0.0),
    ],
    ids=["softplus", "hardtanh", "rrelu", "prelu", "threshold"],
)
def test_what_is_watched_as_a_module_is_watched_as_a_function(function):
    assert len(watched(Calls(function), torch.randn(2, 3))) == 1

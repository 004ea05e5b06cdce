"""Which dense layers are found, in what role, and their activation functions."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from landscape.errors import NotMeasurableError
from landscape.hooks.dense_layers import DenseLayer, dense_layers, watch_dense
from landscape.objective.objective import Objective
from tests.oracles.cases import BY_NAME


class Net(nn.Module):
    """Two dense layers, with ``between`` done in between, and one more of its own weight."""

    def __init__(self, between, width=6, into=None):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(4, width), nn.Linear(into or width, 5)
        self.norm, self.head = nn.LayerNorm(5), nn.Linear(5, 3)
        self.between = between

    def forward(self, x):
        return self.head(self.norm(self.fc2(self.between(self.fc1(x)))))


def objective_of(model, shape=(4,), count=5, **options):
    data = torch.randn(count, *shape), torch.randint(3, (count,))
    # Some of these have no backward pass: what stands between two layers is seen going forward.
    return Objective(model, data, device="cpu", **{"verify": False, **options})


def roles(model, **options):
    layers, left_out = dense_layers(objective_of(model, **options))
    return {layer.path: layer.role for layer in layers}, left_out


def gate(h):
    first, second = h.chunk(2, -1)
    return F.silu(first) * second


def shifted(h):
    h += 1.0
    return F.relu(h)


def changed(h):
    a = F.relu(h)
    a += h
    return a


BOTH = {"fc1": "first", "fc2": "second", "head": "head"}
HEAD = {"head": "head"}


@pytest.mark.parametrize(
    ("between", "options", "expected"),
    [
        (nn.ReLU(), {}, BOTH),
        (nn.ReLU(inplace=True), {}, BOTH),
        (nn.Sequential(nn.Dropout(0.5), nn.GELU(), nn.Dropout(0.5), nn.Identity()), {}, BOTH),
        (nn.PReLU(6), {}, BOTH),
        (nn.Sigmoid(), {}, BOTH),
        (lambda h: h.relu_(), {}, BOTH),
        (lambda h: F.silu(input=h), {}, BOTH),
        (lambda h: torch.tanh(h.view(-1, 2, 3)).flatten(1), {}, BOTH),
        (lambda h: 2.0 * F.relu(h), {}, {"fc1": "first", "head": "head"}),
        (lambda h: h, {}, HEAD),
        (lambda h: h * torch.sigmoid(h), {}, HEAD),  # that is no sigmoid
        (lambda h: h.mul(h.sigmoid()), {}, HEAD),
        (gate, {"width": 12, "into": 6}, HEAD),
        (shifted, {}, HEAD),  # what the activation takes is not what the layer put out
        (changed, {}, {"fc1": "first", "head": "head"}),
    ],
)
def test_what_stands_between_two_layers(between, options, expected):
    assert roles(Net(between, **options)) == (expected, {})


def test_a_plain_mlp():
    modules = [nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 3)]
    expected = {"0": "first", "2": "between", "4": "head"}
    assert roles(nn.Sequential(*modules)) == (expected, {})


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("vit", ["blocks.0.mlp.fc1", "blocks.0.mlp.fc2", "head"]),
        (
            "mixer",
            [
                *(
                    f"blocks.{k}.mlp_{kind}.fc{n}"
                    for k in (0, 1)
                    for kind in ("tokens", "channels")
                    for n in (1, 2)
                ),
                "head",
            ],
        ),
        ("resnet with batch norm", ["fc"]),
        ("mlp with an unused layer", ["first", "last"]),
        ("linear regression", ["weight"]),
    ],
)
@pytest.mark.parametrize("batch_size", [1, 7])
def test_networks(name, expected, batch_size):
    case = BY_NAME[name]
    objective = Objective(
        case.model(), case.data, case.loss, batch_size=batch_size, device="cpu", dtype=torch.float64
    )
    layers, left_out = dense_layers(objective)
    assert [layer.path for layer in layers] == expected
    assert not left_out


def test_torch_s_own_transformer_takes_no_shortcut():
    layer = nn.TransformerEncoderLayer(4, 2, 6, batch_first=True)
    model = nn.Sequential(nn.TransformerEncoder(layer, 2), nn.Flatten(), nn.Linear(12, 3))
    by_role, left_out = roles(model, shape=(3, 4))
    names = [f"0.layers.{k}.linear{n}" for k in (0, 1) for n in (1, 2)]
    assert list(by_role) == [*names, "2"]
    assert not left_out
    layers, _ = dense_layers(objective := objective_of(model, shape=(3, 4)))
    seen = []

    def record(layer, x, output):
        seen.append(layer.path)
        return output

    with watch_dense(objective.module, layers, record):
        list(objective.outputs())
    assert seen[:5] == [*names, "2"]


def test_timm(timm):
    model = timm.create_model(
        "vit_tiny_patch16_224", img_size=32, embed_dim=12, depth=1, num_heads=2, num_classes=3
    )
    by_role, _ = roles(model, shape=(3, 32, 32))
    assert by_role == {"blocks.0.mlp.fc1": "first", "blocks.0.mlp.fc2": "second", "head": "head"}


# -------------------------------------------------------------------------------------- left out


def test_a_weight_that_is_used_twice_is_left_out():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.head = nn.Linear(4, 4), nn.Linear(4, 3)

        def forward(self, x):
            return self.head(F.relu(self.inner(F.relu(self.inner(x)))))

    reason = {"inner": "its weight is used more than once"}
    assert roles(Twice()) == ({"head": "head"}, reason)


def test_tied_weights_are_left_out():
    case = BY_NAME["mlp with tied weights"]
    objective = Objective(case.model(), case.data, device="cpu", dtype=torch.float64)
    layers, left_out = dense_layers(objective)
    assert [layer.path for layer in layers] == ["head"]
    assert left_out == {"first": "its weight is used more than once"}


@pytest.mark.parametrize("tokens", [2, 3, 4])
def test_layers_whose_first_dimension_is_not_the_samples_are_left_out(tokens):
    class TokensFirst(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1, self.fc2, self.head = nn.Linear(4, 6), nn.Linear(6, 4), nn.Linear(4, 3)

        def forward(self, x):
            x = self.fc2(F.gelu(self.fc1(x.transpose(0, 1))))
            return self.head(x.mean(0))

    by_role, left_out = roles(TokensFirst(), shape=(tokens, 4))
    assert by_role == HEAD
    assert list(left_out) == ["fc1", "fc2"]
    assert set(left_out.values()) == {"its input's first dimension is not the samples"}


@pytest.mark.parametrize(
    ("model", "shape"),
    [
        (nn.Sequential(nn.Conv2d(1, 3, 4), nn.ReLU(), nn.Flatten()), (1, 4, 4)),
        (nn.Sequential(nn.Unflatten(1, (2, 2)), nn.Flatten(0, 1), nn.Linear(2, 3)), (4,)),
    ],
    ids=["convolutions", "windows"],
)
def test_a_model_without_such_layers_is_refused(model, shape):
    def loss(outputs, targets):
        return F.cross_entropy(outputs.reshape(len(targets), -1), targets)

    data = torch.randn(5, *shape), torch.randint(3, (5,))
    objective = Objective(model, data, loss, device="cpu")
    with pytest.raises(NotMeasurableError, match="Sequential has no dense layer to measure") as e:
        dense_layers(objective)
    assert "\n" not in str(e.value)


# ---------------------------------------------------------------------------------------- slopes


def test_slopes_are_the_derivative():
    h = torch.linspace(-3, 3, 41, dtype=torch.float64).reshape(1, -1)
    before = h.clone()

    def slopes(between):
        model = Net(between).double()
        layers, _ = dense_layers(objective_of(model, dtype=torch.float64))
        return layers[0].slopes(h)

    assert torch.equal(slopes(nn.ReLU(inplace=True)), (h > 0).double())
    torch.testing.assert_close(slopes(nn.Tanh()), 1 - torch.tanh(h) ** 2)
    assert torch.equal(slopes(nn.LeakyReLU(0.3)), torch.ones_like(h).where(h > 0, 0.3))
    s = torch.sigmoid(h)
    torch.testing.assert_close(slopes(lambda x: F.silu(input=x)), s * (1 + h * (1 - s)))
    torch.testing.assert_close(
        slopes(nn.GELU()),
        torch.distributions.Normal(0.0, 1.0).cdf(h)
        + h * torch.exp(-(h**2) / 2) / torch.sqrt(torch.tensor(2 * torch.pi)),
    )
    assert torch.equal(h, before)
    assert torch.equal(DenseLayer("a.weight", "head").slopes(h), torch.ones_like(h))


def test_watching_can_replace_the_output_and_leaves_nothing_behind():
    objective = objective_of(Net(nn.ReLU()))
    layers, _ = dense_layers(objective)
    plain = objective.forward(objective.batches[0])
    expected = copy.deepcopy(objective.module)
    with torch.no_grad():
        expected.fc1.bias += 1.0
    with watch_dense(
        objective.module, layers, lambda layer, _x, h: h + 1.0 if layer.path == "fc1" else h
    ):
        changed = objective.forward(objective.batches[0])
    torch.testing.assert_close(changed, expected(objective.batches[0].inputs))
    assert not torch.allclose(changed, plain)
    assert torch.equal(objective.forward(objective.batches[0]), plain)

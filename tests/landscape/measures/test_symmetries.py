"""Rescalings that leave the outputs as they are, found and held to that."""

import pytest
import torch
from torch import nn

from landscape.measures.symmetries import Symmetry, find_symmetries, rescaled
from landscape.models.catalog import ModelSpec
from landscape.objective.objective import Objective

SIZES = {
    "vit": {"patch_size": 4, "dim": 8, "depth": 2, "heads": 2, "mlp_dim": 12},
    "mixer": {"patch_size": 4, "dim": 8, "depth": 2, "token_dim": 6, "channel_dim": 12},
    "resnet": {"layers": [1, 2], "width": 4, "block": "basic", "stem": "small"},
}


def objective_of(model, shape=(1, 8, 8), frozen=""):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = model if isinstance(model, nn.Module) else model()
        for name, parameter in module.named_parameters():
            if parameter.dim() < 2 or not parameter.any():  # gains of 1, biases and heads of 0
                nn.init.normal_(parameter, 0.5, 0.3)
            parameter.requires_grad_(not frozen or not name.startswith(frozen))
        data = torch.randn(6, *shape), torch.arange(6) % 3
    return Objective(module, data, device="cpu", dtype=torch.float64)


def ours(family, **options):
    sizes = {**SIZES[family], "image_size": 8, "channels": 1, "num_classes": 3, **options}
    return objective_of(ModelSpec(family, sizes).build)


def kinds(symmetries):
    all_kinds = [symmetry.kind for symmetry in symmetries]
    return {kind: all_kinds.count(kind) for kind in all_kinds}


def outputs(objective, theta):
    objective.live_weights.copy_(theta)
    with torch.no_grad():
        result = objective.forward(objective.batches[0])
    objective.restore()
    return result


NORMS, ATTENTION, VALUES = "norms and their readers", "queries and keys", "values and projections"
RELU = "layers around a ReLU"


class WithAttention(nn.Module):
    """torch's own attention, with packed weights."""

    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        x = x.view(len(x), 8, 8)
        return self.head(self.attention(x, x, x)[0].mean(1))


class WithParts(nn.Module):
    """Queries and keys apart, as in many a hand-written network."""

    def __init__(self):
        super().__init__()
        self.q_proj, self.k_proj, self.v_proj = (nn.Linear(8, 8) for _ in range(3))
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        x = x.view(len(x), 8, 8)
        weights = (self.q_proj(x) @ self.k_proj(x).mT).softmax(-1)
        return self.head((weights @ self.v_proj(x)).mean(1))


CASES = {
    "vit": (lambda: ours("vit"), {NORMS: 5, ATTENTION: 2, VALUES: 2}),
    "vit, relu": (
        lambda: ours("vit", activation="relu"),
        {NORMS: 5, ATTENTION: 2, VALUES: 2, RELU: 2},
    ),
    "mixer": (lambda: ours("mixer"), {NORMS: 5}),
    "mixer, relu": (lambda: ours("mixer", activation="relu"), {NORMS: 5, RELU: 4}),
    "resnet": (lambda: ours("resnet"), {NORMS: 3}),
    "perceptron": (
        lambda: objective_of(
            nn.Sequential(nn.Flatten(), nn.Linear(64, 5), nn.ReLU(), nn.Dropout(), nn.Linear(5, 3))
        ),
        {RELU: 1},
    ),
    "convolutions": (
        lambda: objective_of(
            nn.Sequential(
                nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 3, 6), nn.Flatten()
            )
        ),
        {RELU: 1},
    ),
    "torch's attention": (lambda: objective_of(WithAttention), {ATTENTION: 1}),
    "attention in parts": (lambda: objective_of(WithParts), {ATTENTION: 1}),
    "tanh": (
        lambda: objective_of(
            nn.Sequential(nn.Flatten(), nn.Linear(64, 5), nn.Tanh(), nn.Linear(5, 3))
        ),
        {},
    ),
}


@pytest.mark.parametrize("name", list(CASES))
@pytest.mark.parametrize("factor", [3.0, 0.25])
def test_outputs_stay_and_weights_move(name, factor):
    make, expected = CASES[name]
    objective = make()
    before = objective.weights_hash()
    symmetries = find_symmetries(objective, factor)
    assert kinds(symmetries) == expected
    moved = rescaled(objective, symmetries, factor)
    expected_outputs = outputs(objective, objective.theta)
    torch.testing.assert_close(outputs(objective, moved), expected_outputs, rtol=1e-10, atol=1e-10)
    assert bool((moved != objective.theta).any()) == bool(expected)
    assert objective.weights_hash() == before
    back = rescaled(objective, symmetries, 1.0)
    assert torch.equal(back, objective.theta)


def test_a_derivative_is_scaled_the_other_way():
    objective = ours("vit")
    (symmetry, *_) = [s for s in find_symmetries(objective) if s.kind == ATTENTION]
    moved = rescaled(objective, [symmetry], 4.0)
    before, after = (
        dict(zip(objective.layout.names, objective.layout.views(g), strict=True))
        for g in (objective.gradient(), objective.gradient(moved))
    )
    for name, rows in symmetry.multiplied:
        torch.testing.assert_close(after[name][rows] * 4, before[name][rows], rtol=1e-8, atol=1e-12)
    for name, rows in symmetry.divided:
        torch.testing.assert_close(after[name][rows] / 4, before[name][rows], rtol=1e-8, atol=1e-12)


def test_what_changes_the_outputs_is_no_symmetry(monkeypatch):
    objective = ours("mixer")
    wrong = Symmetry("wrong", (("head.weight", slice(None)),), (("norm.weight", slice(None)),))
    monkeypatch.setattr("landscape.measures.symmetries._candidates", lambda _module: iter([wrong]))
    assert find_symmetries(objective) == []


def test_frozen_weights_are_not_rescaled():
    sizes = {**SIZES["vit"], "image_size": 8, "channels": 1, "num_classes": 3}
    objective = objective_of(ModelSpec("vit", sizes).build, frozen="blocks.0.attn")
    counts = kinds(find_symmetries(objective))
    assert counts[ATTENTION] == counts[VALUES] == 1
    assert counts[NORMS] == 4

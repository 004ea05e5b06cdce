"""The methods of the SAM family against their papers' formulas and another implementation."""

import copy
from dataclasses import replace
from importlib import import_module

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from landscape.errors import InputError
from landscape.training.passes import Task
from landscape.training.sam.ascent import SharpnessAware, names_in_scope
from landscape.training.sam.corrections import LookSam, close_surrogate_gap
from landscape.training.settings import TrainSettings
from landscape.training.step import Stepper
from tests.landscape.training.runs import make

RATE, RHO = 0.1, 0.05
# pytorch_optimizer takes the norm of the gradient in float32, whatever the weights are.
THEIRS = {"rtol": 1e-6, "atol": 1e-8}


class Quadratic(nn.Module):
    """Outputs whose "loss" is w'Aw / 2 - b'w, with b from the sample: one gradient a sample."""

    def __init__(self):
        super().__init__()
        self.u = nn.Parameter(torch.randn(3, 2, dtype=torch.float64))
        self.v = nn.Parameter(torch.randn(5, dtype=torch.float64))
        matrix = torch.randn(11, 11, dtype=torch.float64)
        self.register_buffer("matrix", matrix + matrix.T)

    def w(self):
        return torch.cat([self.u.flatten(), self.v])

    def forward(self, inputs):
        w = self.w()
        return 0.5 * w @ self.matrix @ w - inputs @ w


QUADRATIC = Task(lambda outputs, _: outputs.mean(), lambda outputs, _: outputs > 0)


def stepped(model, inputs, settings, steps=1):
    """The weights after steps of plain gradient descent along what the method makes."""
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    stepper = Stepper(model, optimizer, QUADRATIC, settings)
    targets = torch.zeros(len(inputs))
    for number in range(steps):
        stepper.step(inputs, targets, number, settings.rho, seed=number)
    return model.w().detach()


@pytest.fixture
def case():
    model = Quadratic()
    return model, torch.randn(12, 11, dtype=torch.float64), model.w().detach().clone()


def gradient(model, inputs, w):
    return model.matrix @ w - inputs.mean(0)


def unit(vector):
    return vector / vector.norm()


def test_sam(case):
    model, inputs, w = case
    sharp = gradient(model, inputs, w + RHO * unit(gradient(model, inputs, w)))
    got = stepped(model, inputs, TrainSettings(rho=RHO))
    torch.testing.assert_close(got, w - RATE * sharp, rtol=0, atol=1e-12)


def test_asam(case):
    model, inputs, w = case
    g, scale = gradient(model, inputs, w), w.abs() + 0.01
    moved = w + RHO * scale**2 * g / (scale * g).norm()
    got = stepped(model, inputs, TrainSettings(rho=RHO, sam="asam"))
    torch.testing.assert_close(got, w - RATE * gradient(model, inputs, moved), rtol=0, atol=1e-12)


def test_gsam(case):
    model, inputs, w = case
    g = gradient(model, inputs, w)
    sharp = gradient(model, inputs, w + RHO * unit(g))
    orthogonal = g - (g @ unit(sharp)) * unit(sharp)
    got = stepped(model, inputs, TrainSettings(rho=RHO, sam="gsam", sam_alpha=0.3))
    expected = w - RATE * (sharp - 0.3 * orthogonal)
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-12)
    assert abs(orthogonal @ sharp) < 1e-12


def test_looksam_reuses_its_direction_for_the_steps_between(case):
    model, inputs, w = case
    settings = TrainSettings(rho=RHO, sam="looksam", sam_every=3, sam_alpha=0.7)
    got = stepped(model, inputs, settings, steps=5)
    direction = None
    for number in range(5):
        g = gradient(model, inputs, w)
        if number % 3 == 0:
            sharp = gradient(model, inputs, w + RHO * unit(g))
            direction = sharp - (sharp @ unit(g)) * unit(g)
            w = w - RATE * sharp
        else:
            w = w - RATE * (g + 0.7 * g.norm() / direction.norm() * direction)
    torch.testing.assert_close(got, w, rtol=0, atol=1e-12)


def test_a_plain_step_between(case):
    model, inputs, w = case
    got = stepped(model, inputs, TrainSettings(rho=RHO, sam_every=2), steps=2)
    w = w - RATE * gradient(model, inputs, w + RHO * unit(gradient(model, inputs, w)))
    w = w - RATE * gradient(model, inputs, w)
    torch.testing.assert_close(got, w, rtol=0, atol=1e-12)


@pytest.mark.parametrize("size", [4, 5])
def test_m_sharpness_perturbs_by_groups_of_samples(case, size):
    model, inputs, w = case
    total = torch.zeros_like(w)
    for group in inputs.split(size):
        sharp = gradient(model, group, w + RHO * unit(gradient(model, group, w)))
        total += len(group) / 12 * sharp
    got = stepped(model, inputs, TrainSettings(rho=RHO, sam_batch=size))
    torch.testing.assert_close(got, w - RATE * total, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "settings",
    [
        TrainSettings(rho=0.0),
        TrainSettings(rho=RHO),
        TrainSettings(rho=RHO, sam="gsam"),
        TrainSettings(rho=RHO, sam_batch=6),
    ],
    ids=["plain", "sam", "gsam", "groups"],
)
def test_accumulation_changes_nothing(case, settings):
    model, inputs, _ = case
    accumulating = copy.deepcopy(model)
    whole = stepped(model, inputs, settings)
    cut = stepped(accumulating, inputs, replace(settings, accumulate=4))
    torch.testing.assert_close(cut, whole, rtol=0, atol=1e-12)


def test_a_subset_is_perturbed_by_its_own_gradient(case):
    model, inputs, w = case
    g = gradient(model, inputs, w)
    moved = w.clone()
    moved[6:] += RHO * unit(g[6:])
    got = stepped(model, inputs, TrainSettings(rho=RHO, sam_scope="^v$"))
    torch.testing.assert_close(got, w - RATE * gradient(model, inputs, moved), rtol=0, atol=1e-12)


def test_the_record_of_a_step(case):
    model, inputs, w = case
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    stepper = Stepper(model, optimizer, QUADRATIC, TrainSettings(rho=RHO))
    g = gradient(model, inputs, w)

    def loss(at):
        return (0.5 * at @ model.matrix @ at - inputs.mean(0) @ at).item()

    expected = [loss(w), None, g.norm().item(), loss(w + RHO * unit(g)) - loss(w)]
    record = stepper.step(inputs, torch.zeros(12), 0, RHO, 0).tolist()
    for k in (0, 2, 3):
        assert record[k] == pytest.approx(expected[k], rel=1e-12)


def test_corrections_of_gradients_that_are_zero_or_parallel():
    zero, vector = [torch.zeros(3)], [torch.tensor([1.0, 2.0, 3.0])]
    assert torch.equal(close_surrogate_gap(vector, zero, 0.5)[0], vector[0])
    assert torch.equal(close_surrogate_gap(zero, vector, 0.5)[0], -0.5 * vector[0])
    torch.testing.assert_close(close_surrogate_gap(vector, [2 * vector[0]], 0.5)[0], vector[0])
    looksam = LookSam(0.7)
    assert torch.equal(looksam.approximate(vector)[0], vector[0])
    looksam.remember(vector, vector)
    assert torch.equal(looksam.approximate(vector)[0], vector[0])


@pytest.mark.parametrize("adaptive", [False, True], ids=["sam", "adaptive"])
def test_against_pytorch_optimizer(adaptive):
    """Its adaptive form has no eta and scales every parameter."""
    pytorch_optimizer = import_module("pytorch_optimizer")
    ours = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 4)).double()
    theirs = copy.deepcopy(ours)
    optimizer = torch.optim.SGD(ours.parameters(), lr=RATE, momentum=0.9)
    method = "asam" if adaptive else "sam"
    settings = TrainSettings(rho=0.3, sam=method, sam_eta=0.0, sam_scaled="all")
    task = Task(F.cross_entropy, lambda outputs, targets: outputs.argmax(1) != targets)
    stepper = Stepper(ours, optimizer, task, settings)
    reference = pytorch_optimizer.SAM(
        theirs.parameters(), torch.optim.SGD, rho=0.3, adaptive=adaptive, lr=RATE, momentum=0.9
    )
    for number in range(4):
        inputs, targets = torch.randn(10, 6).double(), torch.randint(4, (10,))
        stepper.step(inputs, targets, number, 0.3, number)
        F.cross_entropy(theirs(inputs), targets).backward()
        reference.first_step(zero_grad=True)
        F.cross_entropy(theirs(inputs), targets).backward()
        reference.second_step(zero_grad=True)
    for actual, expected in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(actual, expected, **THEIRS)


def test_gsam_against_pytorch_optimizer():
    pytorch_optimizer = import_module("pytorch_optimizer")
    ours = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 4)).double()
    theirs = copy.deepcopy(ours)
    task = Task(F.cross_entropy, lambda outputs, targets: outputs.argmax(1) != targets)
    stepper = Stepper(
        ours,
        torch.optim.SGD(ours.parameters(), lr=RATE),
        task,
        TrainSettings(rho=0.3, sam="gsam", sam_alpha=0.4),
    )

    class Constant:
        def step(self):
            return 0.3

    reference = pytorch_optimizer.GSAM(
        theirs.parameters(),
        torch.optim.SGD(theirs.parameters(), lr=RATE),
        theirs,
        Constant(),
        alpha=0.4,
    )
    for number in range(4):
        inputs, targets = torch.randn(10, 6).double(), torch.randint(4, (10,))
        stepper.step(inputs, targets, number, 0.3, number)
        reference.set_closure(F.cross_entropy, inputs, targets)
        reference.step()
    for actual, expected in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(actual, expected, **THEIRS)


def test_scopes():
    model = make("vit-tiny", depth=1)
    names = {name for name, _ in model.named_parameters()}
    assert names_in_scope(model, "all") == names
    assert names_in_scope(model, "norms") == {name for name in names if "norm" in name}
    assert names_in_scope(model, "attn|head") == {n for n in names if "attn" in n or "head" in n}
    with pytest.raises(InputError, match="--sam-scope zebra means no parameter"):
        names_in_scope(model, "zebra")
    with pytest.raises(InputError, match="is no regular expression"):
        names_in_scope(model, "(")
    resnet = make("resnet-tiny")
    expected = {n for n, _ in resnet.named_parameters() if "bn" in n or "downsample.1" in n}
    assert names_in_scope(resnet, "norms") == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, [0.2] * 8),
        ({"sam_start": 1.0}, [0.0] * 4 + [0.2] * 4),
        ({"sam_start": 0.5, "sam_stop": 1.5}, [0, 0, 0.2, 0.2, 0.2, 0.2, 0, 0]),
        ({"rho_schedule": "linear"}, [0.2 * (1 - k / 8) for k in range(8)]),
        ({"rho_schedule": "linear", "rho_end": 0.4}, [0.2 + 0.2 * k / 8 for k in range(8)]),
        (
            {"rho_schedule": "lr", "rho_end": 0.1, "schedule": "linear"},
            [0.1 + 0.1 * (1 - k / 8) for k in range(8)],
        ),
    ],
)
def test_the_radius_over_two_epochs_of_four_steps(changes, expected):
    settings = TrainSettings(rho=0.2, epochs=2, warmup_epochs=0.0, **changes)
    assert [settings.radius_at(step, 4) for step in range(8)] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rho": 0.0, "sam": "gsam"}, "need a radius"),
        ({"rho": 0.1, "sam_every": 0}, "--sam-every has to be positive"),
        ({"rho": 0.1, "sam_batch": -1}, "--sam-batch can't be negative"),
        ({"rho": 0.1, "sam_start": 3.0, "sam_stop": 2.0}, "has to be after --sam-start 3"),
    ],
)
def test_refusals(changes, message):
    with pytest.raises(InputError, match=message):
        TrainSettings(**changes)


def test_perturbing_holds_one_copy_of_the_weights_and_uses_the_gradients_memory():
    weights = [nn.Parameter(torch.randn(4, 4)), nn.Parameter(torch.randn(3))]
    sam = SharpnessAware(weights)
    gradients = [torch.randn(4, 4), torch.randn(3)]
    before = [w.detach().clone() for w in weights]
    sam.perturb(gradients, 0.1)
    for w, g, b in zip(weights, gradients, before, strict=True):
        torch.testing.assert_close(w.detach(), b + 0.1 * g)  # g holds e / rho
    held = {saved.data_ptr() for saved in sam._saved.values()}
    sam.restore()
    sam.perturb([torch.randn(4, 4), torch.randn(3)], 0.1)
    assert {saved.data_ptr() for saved in sam._saved.values()} == held

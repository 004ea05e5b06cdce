"""SAM as an optimizer: its steps against the papers' formulas and another implementation."""

import copy
from importlib import import_module

import pytest
import torch
from torch import nn

from landscape import SAM
from tests.landscape.training.sam.papers import ByThePaper
from tests.landscape.training.sam.problems import EXACT, METHODS, SGD, Problem, two_steps

ALPHA = {"gsam": 0.6, "looksam": 0.7}


@pytest.mark.parametrize("form", ["closure", "two steps", "instance"])
@pytest.mark.parametrize("method", METHODS)
def test_three_steps_and_more_are_those_of_the_paper(method, form):
    problem = Problem()
    every = 3 if method == "looksam" else None
    parameters = list(problem.model.parameters())
    if form == "instance":
        base = torch.optim.SGD(parameters, **SGD)
        optimizer = SAM(parameters, base, rho=0.2, method=method, every=every)
    else:
        optimizer = SAM(parameters, torch.optim.SGD, rho=0.2, method=method, every=every, **SGD)
    paper = ByThePaper(
        problem.loss_of,
        problem.vector(),
        method,
        0.2,
        rate=0.3,
        momentum=0.9,
        alpha=ALPHA.get(method, 0.0),
        every=every or 1,
    )
    for _ in range(5 if every else 3):
        before = problem.loss().item()
        if form == "closure":
            assert optimizer.step(problem.closure).item() == before
        else:
            two_steps(optimizer, problem)
        paper.step()
        torch.testing.assert_close(problem.vector(), paper.w, **EXACT)
    assert optimizer.steps == paper.number


def test_a_step_on_a_quadratic_in_closed_form():
    """SAM and SGD on w'Aw / 2 give (I - lr A) w - lr rho A^2 w / ||A w||."""
    w = nn.Parameter(torch.randn(4, dtype=torch.float64))
    curvature = torch.tensor([5.0, 1.0, 0.1, -0.3], dtype=torch.float64)
    optimizer = SAM([w], torch.optim.SGD, 0.05, lr=0.1)
    start = w.detach().clone()
    optimizer.step(lambda: (0.5 * (curvature * w * w).sum()).backward())
    g = curvature * start
    expected = start - 0.1 * g - 0.1 * 0.05 * curvature * g / g.norm()
    torch.testing.assert_close(w.detach(), expected, **EXACT)


@pytest.mark.parametrize("base", [torch.optim.AdamW, torch.optim.RMSprop, torch.optim.Adagrad])
def test_the_base_optimizer_gets_the_gradient_at_the_perturbed_weights(base):
    problem, by_hand = Problem(), Problem()
    optimizer = SAM(problem.model.parameters(), base, rho=0.1, lr=0.01)
    plain = base(by_hand.model.parameters(), lr=0.01)
    for _ in range(3):
        optimizer.step(problem.closure)
        parameters = list(by_hand.model.parameters())
        gradients = torch.autograd.grad(by_hand.loss(), parameters)
        norm = sum(g.square().sum() for g in gradients).sqrt()
        shifted = Problem(lambda: copy.deepcopy(by_hand.model))
        for p, g in zip(shifted.model.parameters(), gradients, strict=True):
            p.data += 0.1 * g / norm
        sharp = torch.autograd.grad(shifted.loss(), list(shifted.model.parameters()))
        for p, g in zip(parameters, sharp, strict=True):
            p.grad = g
        plain.step()
        torch.testing.assert_close(problem.vector(), by_hand.vector(), rtol=0, atol=1e-10)


def test_groups_have_radii_of_their_own():
    problem = Problem()
    first, last = problem.model[0], problem.model[2]
    groups = [
        {"params": first.parameters(), "rho": 0.3},
        {"params": [last.weight], "lr": 0.05},
        {"params": [last.bias], "rho": 0.0},
    ]
    optimizer = SAM(groups, torch.optim.SGD, rho=0.1, method="asam", lr=0.2)

    def full(count, value):
        return torch.full((count,), value, dtype=torch.float64)

    count = sum(p.numel() for p in first.parameters())
    radii = torch.cat([full(count, 0.3), full(15, 0.1), full(3, 0.0)])
    paper = ByThePaper(problem.loss_of, problem.vector(), "asam", radii, rate=0.2)
    paper.rate = torch.cat([full(35, 0.2), full(15, 0.05), full(3, 0.2)])
    for _ in range(3):
        optimizer.step(problem.closure)
        paper.step()
    torch.testing.assert_close(problem.vector(), paper.w, rtol=0, atol=1e-14)


def test_only_what_is_chosen_is_perturbed():
    problem = Problem()
    chosen = [problem.model[2].weight]
    optimizer = SAM(problem.model.parameters(), torch.optim.SGD, 0.2, perturbed=chosen, lr=0.3)
    radii = torch.zeros(53, dtype=torch.float64)
    radii[35:50] = 0.2
    paper = ByThePaper(problem.loss_of, problem.vector(), "sam", radii, rate=0.3)
    optimizer.step(problem.closure)
    paper.step()
    torch.testing.assert_close(problem.vector(), paper.w, **EXACT)


def test_a_radius_of_zero_is_the_base_optimizer_with_one_pass():
    problem, plain = Problem(), Problem()
    optimizer = SAM(problem.model.parameters(), torch.optim.SGD, rho=0.0, method="gsam", **SGD)
    base = torch.optim.SGD(plain.model.parameters(), **SGD)
    calls = []
    for _ in range(3):
        optimizer.step(lambda: calls.append(problem.closure()))
        base.zero_grad()
        plain.closure()
        base.step()
    assert len(calls) == 3
    assert torch.equal(problem.vector(), plain.vector())


@pytest.mark.parametrize("method", METHODS)
def test_accumulated_gradients_are_those_of_the_whole_batch(method):
    whole, parts = Problem(), Problem()
    options = {"rho": 0.2, "method": method, "every": 2, **SGD}
    optimizers = [SAM(p.model.parameters(), torch.optim.SGD, **options) for p in (whole, parts)]

    def accumulate():
        for start in (0, 4, 8):
            (parts.loss(slice(start, start + 4)) / 3).backward()

    for _ in range(4):
        optimizers[0].step(whole.closure)
        accumulate()
        if optimizers[1].first_step():
            accumulate()
        optimizers[1].second_step()
    torch.testing.assert_close(parts.vector(), whole.vector(), **EXACT)


def test_a_second_pass_that_is_not_needed_does_no_harm():
    problem, careless = Problem(), Problem()
    options = {"rho": 0.2, "method": "looksam", "every": 3, **SGD}
    optimizer = SAM(problem.model.parameters(), torch.optim.SGD, **options)
    other = SAM(careless.model.parameters(), torch.optim.SGD, **options)
    for _ in range(5):
        two_steps(optimizer, problem)
        careless.closure()
        other.first_step()
        careless.closure()
        other.second_step()
    torch.testing.assert_close(careless.vector(), problem.vector(), **EXACT)


def test_gradients_can_be_clipped_before_the_step():
    problem, plain = Problem(), Problem()
    optimizer = SAM(problem.model.parameters(), torch.optim.SGD, 0.2, method="gsam", lr=0.3)
    paper = ByThePaper(plain.loss_of, plain.vector(), "gsam", 0.2, rate=1.0, alpha=0.6)
    start = paper.w
    paper.step()
    along = start - paper.w
    problem.closure()
    optimizer.first_step()
    problem.closure()
    optimizer.correct_gradients()
    nn.utils.clip_grad_norm_(problem.model.parameters(), 0.01)
    optimizer.second_step()
    moved = problem.vector() - start
    # torch's clipping adds 1e-6 to the norm.
    expected = -0.3 * 0.01 * along / (along.norm() + 1e-6)
    torch.testing.assert_close(moved, expected, rtol=1e-9, atol=0)


def test_closures_may_clear_the_gradients_themselves():
    problem, other = Problem(), Problem()
    optimizer = SAM(problem.model.parameters(), torch.optim.SGD, 0.2, **SGD)
    clearing = SAM(other.model.parameters(), torch.optim.SGD, 0.2, **SGD)

    def closure():
        clearing.zero_grad()
        return other.closure()

    for _ in range(3):
        optimizer.step(problem.closure)
        other.closure()  # as published code does, in vain here
        clearing.step(closure)
    assert torch.equal(other.vector(), problem.vector())


@pytest.mark.parametrize("adaptive", [False, True], ids=["sam", "adaptive"])
def test_against_pytorch_optimizer(adaptive):
    """Its adaptive form has no eta."""
    pytorch_optimizer = import_module("pytorch_optimizer")
    ours, theirs = Problem(), Problem()
    method = "asam" if adaptive else "sam"
    optimizer = SAM(ours.model.parameters(), torch.optim.SGD, 0.3, method=method, eta=0.0, **SGD)
    reference = pytorch_optimizer.SAM(
        theirs.model.parameters(), torch.optim.SGD, rho=0.3, adaptive=adaptive, **SGD
    )
    for _ in range(4):
        two_steps(optimizer, ours)
        theirs.closure()
        reference.first_step(zero_grad=True)
        theirs.closure()
        reference.second_step(zero_grad=True)
    torch.testing.assert_close(ours.vector(), theirs.vector(), rtol=1e-6, atol=1e-8)


def test_looksam_against_pytorch_optimizer():
    """It takes the norms of each tensor by itself, so there is one here."""
    pytorch_optimizer = import_module("pytorch_optimizer")
    ours, theirs = (Problem(lambda: nn.Linear(6, 3, bias=False)) for _ in range(2))
    optimizer = SAM(
        ours.model.parameters(), torch.optim.SGD, 0.3, method="looksam", every=3, alpha=0.5, lr=0.2
    )
    reference = pytorch_optimizer.LookSAM(
        theirs.model.parameters(), torch.optim.SGD, rho=0.3, k=3, alpha=0.5, lr=0.2
    )
    for _ in range(7):
        two_steps(optimizer, ours)
        theirs.closure()
        reference.first_step(zero_grad=True)
        theirs.closure()
        reference.second_step(zero_grad=True)
    torch.testing.assert_close(ours.vector(), theirs.vector(), rtol=1e-6, atol=1e-7)


def test_parameters_that_do_not_enter_the_loss_stay():
    problem = Problem()
    unused = nn.Parameter(torch.ones(3, dtype=torch.float64))
    frozen = nn.Parameter(torch.ones(3, dtype=torch.float64), requires_grad=False)
    parameters = [unused, *problem.model.parameters(), frozen]
    for method in METHODS:
        optimizer = SAM(parameters, torch.optim.SGD, 0.2, method=method, every=2, **SGD)
        for _ in range(3):
            optimizer.step(problem.closure)
    assert torch.equal(unused, torch.ones(3).double())
    assert torch.equal(frozen, torch.ones(3).double())


def test_weights_of_several_types_have_one_norm():
    parameters = [
        nn.Parameter(torch.ones(4, dtype=torch.float64)),
        nn.Parameter(torch.ones(4, dtype=torch.bfloat16)),
        nn.Parameter(torch.ones(2, dtype=torch.complex64)),
    ]
    optimizer = SAM(parameters, torch.optim.SGD, 1.0, lr=0.0)
    seen = []

    def closure():
        a, b, c = parameters
        seen.append([p.detach().clone() for p in parameters])
        (a.sum() + b.double().sum() + c.real.double().sum()).backward()

    optimizer.step(closure)
    moved = [b - a for a, b in zip(*seen, strict=True)]
    for step, rounding in zip(moved, (1e-8, 2e-2, 1e-6), strict=True):  # the norm is in float32
        expected = torch.full_like(step.real, 10**-0.5, dtype=torch.float64)
        torch.testing.assert_close(step.real.double(), expected, rtol=rounding, atol=0)


def test_the_functional_loss_is_that_of_the_model():
    problem = Problem()
    assert problem.loss_of(problem.vector()).item() == problem.loss().item()

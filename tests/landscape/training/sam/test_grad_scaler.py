"""SAM under a GradScaler: both gradients are unscaled, and an overflow skips the step."""

import math

import pytest
import torch

from landscape import InputError
from tests.landscape.training.sam.problems import METHODS, Problem, sam


@pytest.mark.parametrize("form", ["closure", "two steps", "unscaled before", "scaler.step"])
@pytest.mark.parametrize("method", METHODS)
def test_scaled_gradients_give_the_steps_of_unscaled_ones(method, form):
    problem, plain = Problem(), Problem()
    options = {"method": method, "every": 2, "lr": 0.3}
    optimizer, reference = sam(problem, **options), sam(plain, **options)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10, growth_interval=2)

    def closure():
        loss = problem.loss()
        scaler.scale(loss).backward()
        return loss

    for _ in range(5):
        reference.step(plain.closure)
        if form == "closure":
            optimizer.step(closure, scaler=scaler)
        else:
            closure()
            if form == "unscaled before" and optimizer.is_sharp_step:
                scaler.unscale_(optimizer)
            if optimizer.first_step(scaler=scaler):
                closure()
            if form == "scaler.step":
                scaler.unscale_(optimizer)  # as one does to clip
                scaler.step(optimizer)
                optimizer.zero_grad()
            else:
                optimizer.second_step()
        scaler.update()
    torch.testing.assert_close(problem.vector(), plain.vector(), rtol=0, atol=1e-12)
    assert scaler.get_scale() == 2.0**12  # two intervals of growth: each step counts once


@pytest.mark.parametrize("form", ["closure", "two steps", "scaler.step"])
@pytest.mark.parametrize("bad", [0, 1], ids=["first pass", "second pass"])
def test_an_overflow_skips_the_step_and_leaves_the_weights(bad, form):
    problem = Problem()
    optimizer = sam(problem, method="looksam", every=1)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    optimizer.step(lambda: scaler.scale(problem.loss()).backward(), scaler=scaler)
    scaler.update()
    before, direction = problem.vector(), optimizer.passes.looksam.direction
    calls = []

    def closure():
        calls.append(problem.vector())
        loss = problem.loss() * (math.inf if len(calls) == bad + 1 else 1.0)
        scaler.scale(loss).backward()

    if form == "closure":
        optimizer.step(closure, scaler=scaler)
    else:
        closure()
        if optimizer.first_step(scaler=scaler):
            closure()
        if form == "scaler.step":
            scaler.step(optimizer)
        else:
            optimizer.second_step()
    scaler.update()
    assert len(calls) == bad + 1
    assert torch.equal(problem.vector(), before)
    assert optimizer.passes.looksam.direction is direction
    assert scaler.get_scale() == 2.0**9
    assert optimizer.steps == 1
    optimizer.zero_grad()
    optimizer.step(lambda: scaler.scale(problem.loss()).backward(), scaler=scaler)
    assert problem.vector().isfinite().all()


def test_a_scaler_that_sam_does_not_know_is_refused():
    problem = Problem()
    optimizer = sam(problem)
    scaler = torch.amp.GradScaler("cpu")
    before = problem.vector()
    scaler.scale(problem.loss()).backward()
    scaler.unscale_(optimizer)
    optimizer.first_step()
    scaler.scale(problem.loss()).backward()
    with pytest.raises(InputError, match=r"pass it to first_step\(scaler=...\) too"):
        scaler.step(optimizer)
    assert torch.equal(problem.vector(), before)


def test_a_disabled_scaler_changes_nothing():
    problem, plain = Problem(), Problem()
    optimizer, reference = sam(problem), sam(plain)
    scaler = torch.amp.GradScaler("cpu", enabled=False)
    for _ in range(2):
        reference.step(plain.closure)
        problem.closure()
        optimizer.first_step(scaler=scaler)
        problem.closure()
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
    assert torch.equal(problem.vector(), plain.vector())

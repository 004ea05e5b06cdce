"""SAM among what a training loop has: schedules, checkpoints, BatchNorm, hooks."""

import io
import math

import pytest
import torch
from torch import nn

from landscape import SAM, InputError, frozen_batch_statistics
from tests.landscape.training.sam.problems import METHODS, SGD, Problem, sam, two_steps


@pytest.mark.parametrize("of", ["sam", "base"])
def test_a_schedule_acts_on_the_base_optimizer(of):
    problem, plain = Problem(), Problem()
    optimizer = sam(problem)
    owner = optimizer if of == "sam" else optimizer.base_optimizer
    schedule = torch.optim.lr_scheduler.OneCycleLR(owner, max_lr=0.5, total_steps=6)
    base = torch.optim.SGD(plain.model.parameters(), **SGD)
    expected = torch.optim.lr_scheduler.OneCycleLR(base, max_lr=0.5, total_steps=6)
    reference = SAM(plain.model.parameters(), base, rho=0.2)
    for step in range(5):
        if step % 2 and of == "sam":
            two_steps(optimizer, problem)
        else:
            optimizer.step(problem.closure)
        reference.step(plain.closure)
        schedule.step()
        expected.step()
        assert optimizer.param_groups[0]["lr"] == base.param_groups[0]["lr"]
    assert torch.equal(problem.vector(), plain.vector())


@pytest.mark.parametrize("method", METHODS)
def test_resuming_is_exact_to_the_bit(method):
    options = {"method": method, "every": 3, "momentum": 0.9}
    whole, first = Problem(), Problem()
    optimizer, interrupted = sam(whole, **options), sam(first, **options)
    for number in range(7):
        optimizer.rho = 0.2 + 0.1 * number
        optimizer.step(whole.closure)
    for number in range(4):
        interrupted.rho = 0.2 + 0.1 * number
        interrupted.step(first.closure)
    file = io.BytesIO()
    torch.save({"model": first.model.state_dict(), "optimizer": interrupted.state_dict()}, file)
    file.seek(0)
    second = Problem()
    resumed = sam(second, rho=1.0, **options)
    schedule = torch.optim.lr_scheduler.ConstantLR(resumed, factor=1.0)
    state = torch.load(file, weights_only=True)
    second.model.load_state_dict(state["model"])
    resumed.load_state_dict(state["optimizer"])
    assert resumed.rho == interrupted.rho
    for number in range(4, 7):
        resumed.rho = 0.2 + 0.1 * number
        resumed.step(second.closure)
        schedule.step()
    assert torch.equal(second.vector(), whole.vector())
    assert resumed.state is resumed.base_optimizer.state
    assert resumed.param_groups is resumed.base_optimizer.param_groups


def test_sam_starts_from_the_state_of_its_base_optimizer():
    problem = Problem()
    base = torch.optim.SGD(problem.model.parameters(), **SGD)
    problem.closure()
    base.step()
    optimizer = sam(problem)
    optimizer.load_state_dict(base.state_dict())
    buffers = [state["momentum_buffer"] for state in optimizer.state.values()]
    assert len(buffers) == 4
    assert optimizer.steps == 0
    with pytest.raises(InputError, match="the state is that of sam, this is asam"):
        sam(problem, method="asam").load_state_dict(optimizer.state_dict())


def test_groups_can_be_added():
    problem = Problem()
    *most, last = problem.model.parameters()
    optimizer = SAM(most, torch.optim.SGD, 0.2, method="looksam", every=2, **SGD)
    optimizer.step(problem.closure)
    optimizer.add_param_group({"params": [last], "lr": 0.1})
    before = last.detach().clone()
    for _ in range(2):
        optimizer.step(problem.closure)
    assert [group["lr"] for group in optimizer.base_optimizer.param_groups] == [0.3, 0.1]
    assert not torch.equal(last, before)


def test_batch_statistics_are_those_of_the_first_pass():
    def make():
        return nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.Linear(5, 3))

    plain = Problem(make)
    plain.model(plain.inputs)
    expected = dict(plain.model.named_buffers())
    for form in ("closure", "two steps", "context"):
        problem = Problem(make)
        model = None if form == "context" else problem.model
        optimizer = sam(problem, model=model)
        if form == "closure":
            optimizer.step(problem.closure)
        elif form == "two steps":
            two_steps(optimizer, problem)
        else:
            problem.closure()
            optimizer.first_step()
            with frozen_batch_statistics(problem.model):
                problem.closure()
            optimizer.second_step()
        for name, buffer in problem.model.named_buffers():
            assert torch.equal(buffer, expected[name]), (form, name)
        assert problem.model[1].track_running_stats


def test_a_failing_closure_leaves_the_weights():
    problem = Problem(lambda: nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.Linear(5, 3)))
    optimizer = sam(problem, model=problem.model)
    before, calls = problem.vector(), []

    def closure():
        calls.append(problem.vector())
        if len(calls) == 2:
            raise KeyboardInterrupt
        return problem.closure()

    with pytest.raises(KeyboardInterrupt):
        optimizer.step(closure)
    assert not torch.equal(calls[1], before)
    assert torch.equal(problem.vector(), before)
    assert problem.model[1].track_running_stats
    optimizer.step(problem.closure)


def test_hooks_of_a_step_run_once_whatever_the_form():
    problem, seen = Problem(), []
    optimizer = sam(problem)
    optimizer.register_step_post_hook(lambda *_: seen.append(problem.vector()))
    optimizer.step(problem.closure)
    two_steps(optimizer, problem)
    assert len(seen) == 2
    assert torch.equal(seen[-1], problem.vector())


def test_gradients_that_are_not_finite_show_in_the_weights_as_they_do_without_sam():
    problem = Problem()
    sam(problem).step(lambda: (problem.loss() * math.inf).backward())
    assert problem.vector().isnan().any()

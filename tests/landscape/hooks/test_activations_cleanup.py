"""After the context nothing of it is left, whatever happens in it."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.overrides import _get_current_function_mode_stack

from landscape.hooks.activations import watch_activations
from tests.landscape.hooks.watching import Calls, watched


def hooks(model):
    return sum(
        len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules()
    )


def test_nothing_is_left_after_the_context():
    model = nn.Sequential(Calls(F.relu), nn.ReLU())
    seen = []
    with watch_activations(model, lambda layer, output: seen.append(layer)):
        assert hooks(model) > 0
        model(torch.randn(2, 3))
    assert seen == ["0.relu", "1"]
    assert hooks(model) == 0
    assert _get_current_function_mode_stack() == []
    model(torch.randn(2, 3))
    F.relu(torch.randn(3))
    assert len(seen) == 2


class FailureError(Exception):
    pass


def fail(*_):
    raise FailureError


@pytest.mark.parametrize("where", ["forward", "observer", "body"])
def test_nothing_is_left_after_an_exception(where):
    last = Calls(fail if where == "forward" else F.relu, 4)
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), last)
    seen = []

    def observe(layer, output):
        seen.append(layer)
        if where == "observer":
            raise FailureError

    def run():
        with watch_activations(model, observe):
            model(torch.randn(2, 3))
            raise FailureError  # where nothing else fails, the body does

    with pytest.raises(FailureError):
        run()
    assert seen
    assert hooks(model) == 0
    assert _get_current_function_mode_stack() == []


def test_hooks_of_the_user_stay():
    model, calls = nn.Sequential(nn.Linear(3, 4), nn.ReLU()), []
    model[1].register_forward_hook(lambda *_: calls.append(1))
    watched(model, torch.randn(2, 3))
    assert hooks(model) == 1
    model(torch.randn(2, 3))
    assert calls == [1, 1]


def test_two_watchers_see_the_same():
    model, inner, outer = nn.Sequential(Calls(F.relu), nn.ReLU()), [], []
    with (
        watch_activations(model, lambda layer, _: outer.append(layer)),
        watch_activations(model, lambda layer, _: inner.append(layer)),
    ):
        model(torch.randn(2, 3))
    assert sorted(inner) == sorted(outer) == ["0.relu", "1"]

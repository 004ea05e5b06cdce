"""Which weights of a file are a network's, wherever they lie and whatever wraps their names."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from landscape.checkpoints.choice import choose_weights
from landscape.checkpoints.matching import Expected
from landscape.errors import InputError
from tests.landscape.checkpoints.networks import Net, assert_weights, net, state

PATH = Path("x.pt")
OPTIMIZER = {"state": {}, "param_groups": [{"lr": 0.1}]}


def choose(content, network=None, key=""):
    return choose_weights(content, Expected.of(network or Net()), PATH, key)


# ------------------------------------------------------------------------------- keys


@pytest.mark.parametrize(
    "key",
    [
        "state_dict",
        "model_state_dict",
        "model_state",
        "model",
        "net",
        "network",
        "weights",
        "params",
    ]
    + ["student", "generator", "G", "my_own_key", "0"],
)
def test_weights_under_any_key(key):
    expected = state()
    choice = choose({"epoch": 3, key: expected, "optimizer_state_dict": OPTIMIZER, "loss": 0.3})
    assert choice.key == key
    assert not choice.candidate.is_averaged
    assert_weights(choice.state, expected)
    assert choice.describe() == f"the weights are those under {key} (not averaged)"


@pytest.mark.parametrize(
    "key",
    ["ema", "params_ema", "ema_state_dict", "state_dict_ema", "model_ema", "teacher", "swa_model"]
    + ["modelEma", "g_ema"],
)
@pytest.mark.parametrize("plain", ["model", "state_dict", "student", "params"])
def test_averaged_weights_come_first(key, plain):
    average, current = state(), state()
    for content in ({plain: current, key: average}, {key: average, plain: current}):
        choice = choose(content)
        assert choice.key == key
        assert choice.candidate.is_averaged
        assert_weights(choice.state, average)
        text = choice.describe()
        assert f"under {key} (averaged over the training" in text
        assert f"the file also has {plain}, which --weights-key takes" in text
        assert_weights(choose(content, key=plain).state, current)


def test_the_counter_of_torch_tells_an_average():
    average = AveragedModel(net())
    choice = choose(average.state_dict())
    assert choice.candidate.is_averaged
    assert_weights(choice.state, dict(average.module.state_dict()))
    assert "averaged" in choice.describe()


def test_an_average_without_statistics_is_not_taken_and_named():
    content = {"model": state(), "ema": dict(net().named_parameters())}
    choice = choose(content)
    assert choice.key == "model"
    assert "averaged weights under ema don't fit (bn.running_mean, bn.running_var)" in (
        choice.describe()
    )


def test_known_keys_come_before_others_and_targets_and_initial_weights_last():
    order = ["state_dict", "model", "mine", "target_network", "initial"]
    content = {key: state() for key in reversed(order)}
    for key in order:
        assert choose(content).key == key
        del content[key]


@pytest.mark.parametrize(
    ("wrap", "key"),
    [
        (lambda s: {"model": {"state_dict": s, "epoch": 1}}, "model.state_dict"),
        (lambda s: {"a": {"b": {"c": {"d": s}}}}, "a.b.c.d"),
        (lambda s: [s, OPTIMIZER], "0"),
        (lambda s: ({"x": 1}, {"models": [None, s]}), "1.models.1"),
        (lambda s: {"trainer": {"optimizer": OPTIMIZER, "net": s}}, "trainer.net"),
    ],
)
def test_nested_weights(wrap, key):
    expected = state()
    content = wrap(expected)
    choice = choose(content)
    assert choice.key == key
    assert_weights(choice.state, expected)
    assert_weights(choose(content, key=key).state, expected)


def test_whole_modules_and_arrays_of_numpy():
    network = net()
    expected = dict(network.state_dict())
    assert_weights(choose(network).state, expected)
    assert_weights(choose({"ema": network, "epoch": 1}).state, expected)
    assert_weights(choose({k: v.numpy() for k, v in expected.items()}).state, expected)


def test_a_network_that_is_saved_in_parts():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.backbone, self.head = nn.Linear(2, 3), nn.Linear(3, 2)

    network = Two()
    parts = {
        "backbone": network.backbone.state_dict(),
        "head": network.head.state_dict(),
        "optimizer": OPTIMIZER,
    }
    choice = choose(parts, network)
    assert_weights(choice.state, dict(network.state_dict()))


def test_only_what_fits_is_taken():
    """The discriminator comes first in the file; gradients have the names and shapes too."""
    expected = state()
    content = {"d": nn.Linear(2, 2).state_dict(), "grads": state(), "g": expected}
    choice = choose(content)
    assert choice.key == "g"
    assert choice.others == ()
    assert_weights(choice.state, expected)


def test_the_slots_of_an_optimizer_are_no_weights():
    """As torch.distributed.checkpoint saves them: under the names of the weights."""
    slots = {name: {"exp_avg": tensor, "step": 1} for name, tensor in state().items()}
    expected = state()
    assert_weights(choose({"optim": {"state": slots}, "model": expected}).state, expected)
    flat = {f"optim.state.{name}.exp_avg": tensor for name, tensor in state().items()}
    assert not choose(flat).candidate.match.is_complete


def test_plain_values_among_the_weights():
    expected = state()
    choice = choose({**expected, "epoch": 3, "best": np.float64(0.5)})
    assert_weights(choice.state, expected)
    assert choice.describe() == ""


def test_endless_content_is_read_to_some_depth():
    loop = {"a": {}, "b": [1]}
    loop["a"]["again"] = loop
    loop["b"].append(loop)
    with pytest.raises(InputError, match="has no weights"):
        choose(loop)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({}, "has no weights"),
        ({"epoch": 3, "lr": 0.1}, "its keys: epoch, lr"),
        (OPTIMIZER, "the state of an optimizer and no weights"),
        ({"optimizer": OPTIMIZER, "epoch": 3}, "the state of an optimizer and no weights"),
        ([torch.ones(2), torch.ones(3)], "a list of 2 tensors without names"),
        (torch.ones(7), r"a Tensor of shape \(7,\)"),
        (3.5, "holds a float, not a state dict"),
    ],
)
def test_no_weights_are_refused(content, words):
    with pytest.raises(InputError, match=f"x.pt .*{words}"):
        choose(content)


# ------------------------------------------------------------------------------- --weights-key


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("nett", "has no 'nett' at its top level; it holds net, epoch, optimizer there"),
        ("optimizer", r"has no weights under 'optimizer' \(it is of type dict\)"),
        ("net.inner", "has no 'inner' under net; it holds conv.weight"),
        ("epoch", r"has no weights under 'epoch' \(it is of type int\)"),
    ],
)
def test_a_wrong_key_is_refused(key, words):
    with pytest.raises(InputError, match=words):
        choose({"net": state(), "epoch": 3, "optimizer": OPTIMIZER}, key=key)


def test_a_key_may_have_dots_and_may_name_what_holds_the_weights():
    expected = state()
    assert_weights(choose({"ema.model": expected, "ema": 1}, key="ema.model").state, expected)
    average = {"decay": torch.tensor(0.9), "model": expected, "updates": 3}
    choice = choose({"ema": average}, key="ema")
    assert choice.key == "ema"
    assert_weights(choice.state, expected)


# ---------------------------------------------------------------------------- what does not fit


def test_the_nearest_weights_are_those_of_a_network_and_not_of_a_callback():
    """Lightning keeps tensors of its callbacks beside the weights, in smaller mappings."""
    network = {
        "enc.weight": torch.ones(7, 3),
        "enc.bias": torch.ones(7),
        "dec.weight": torch.ones(2),
    }
    content = {"callbacks": {"best": {"kth_value": torch.ones(())}}, "state_dict": network}
    assert choose(content).key == "state_dict"


def test_a_part_may_be_called_as_what_is_no_weights():
    class Masked(nn.Module):
        def __init__(self):
            super().__init__()
            self.enc, self.mask_decoder = nn.Linear(2, 3), nn.Linear(3, 2)

    network = Masked()
    content = {name: part.state_dict() for name, part in network.named_children()}
    assert_weights(choose(content, network).state, network.state_dict())
    assert choose({"exp": network.state_dict()}, network).key == "exp"


def test_masks_are_no_weights_even_if_they_alone_fit():
    content = {"masks": state(), "weights": {"other": torch.ones(2)}}
    assert not choose(content).candidate.match.is_complete

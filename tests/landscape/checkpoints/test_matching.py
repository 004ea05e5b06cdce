"""Names that wrappers have changed: one common change is undone, and nothing is guessed."""

import collections
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from landscape.checkpoints.choice import choose_weights
from landscape.checkpoints.matching import Expected, find_matches
from landscape.errors import InputError
from tests.landscape.checkpoints.networks import Net, assert_weights, prefixed, state

PATH = Path("x.pt")


def choose(content, network=None, key=""):
    return choose_weights(content, Expected.of(network or Net()), PATH, key)


WRAPPED = [
    "module.",
    "_orig_mod.",
    "module._orig_mod.",
    "_orig_mod.module.",
    "model.",
    "net.",
    "encoder_q.",
    "backbone.",
    "_forward_module.",
    "base_model.model.",
    "anything.at.all.",
]


@pytest.mark.parametrize("prefix", WRAPPED)
def test_a_prefix_of_all_names(prefix):
    expected = state()
    assert_weights(choose(prefixed(prefix, expected)).state, expected)


@pytest.mark.parametrize("prefix", WRAPPED)
def test_a_prefix_that_the_network_has(prefix):
    class Outer(nn.Module):
        def __init__(self):
            super().__init__()
            place = self
            for part in prefix.rstrip(".").split(".")[:-1]:
                place.add_module(part, nn.Module())
                place = place.get_submodule(part)
            place.add_module(prefix.rstrip(".").split(".")[-1], Net())

    expected = state()
    for content in (expected, prefixed("module.", expected), prefixed(prefix, expected)):
        assert_weights(choose(content, Outer()).state, prefixed(prefix, expected))


@pytest.mark.parametrize("part", ["module", "_checkpoint_wrapped_module", "inner", "base_layer"])
@pytest.mark.parametrize("outer", ["", "module.", "model."])
def test_a_part_in_the_middle(part, outer):
    expected = state()
    stored = {}
    for name, tensor in expected.items():
        layer, leaf = name.split(".")
        stored[f"{outer}{layer}.{part}.{leaf}" if layer == "fc1" else f"{outer}{name}"] = tensor
    assert_weights(choose(stored).state, expected)


def test_two_wrappers_in_the_middle():
    expected = state()
    stored = {
        name.replace("fc", "_fsdp_wrapped_module.fc").replace(
            ".weight", "._checkpoint_wrapped_module.weight"
        ): tensor
        for name, tensor in expected.items()
    }
    assert_weights(choose(stored).state, expected)


def test_a_momentum_encoder_is_left_out_and_named():
    query, key = state(), state()
    content = {
        "state_dict": {
            **prefixed("module.encoder_q.", query),
            **prefixed("module.encoder_k.", key),
            "module.queue": torch.ones(3),
        }
    }
    choice = choose(content)
    assert choice.key == "state_dict.module.encoder_q"
    assert_weights(choice.state, query)
    text = choice.describe()
    assert "module.encoder_k" in text
    assert "left out" in text
    assert_weights(choose(content, key=choice.key).state, query)
    assert_weights(choose(content, key="state_dict.module.encoder_k").state, key)


def test_an_average_beside_the_weights_in_one_state_dict():
    plain, average = state(), state()
    content = {**prefixed("model.", plain), **prefixed("model_ema.module.", average)}
    choice = choose(content)
    assert choice.candidate.is_averaged
    assert_weights(choice.state, average)


def test_a_loss_beside_the_network_is_left_out_and_named():
    expected = state()
    content = {"state_dict": {**prefixed("model.", expected), "criterion.weight": torch.ones(3)}}
    choice = choose(content)
    assert_weights(choice.state, expected)
    assert "left out (criterion.weight)" in choice.describe()


def test_equal_parts_of_a_state_dict_are_ambiguous():
    content = {**prefixed("first_net.", state()), **prefixed("second_net.", state())}
    del content["first_net.fc2.bias"]
    assert choose(content).candidate.match.prefix == "second_net."
    content = {**prefixed("a.", state()), **prefixed("b.", state())}
    with pytest.raises(InputError, match=r"several parts that fit the network \(a, b\).*--weights"):
        choose(content)
    assert choose(content, key="b").candidate.match.is_complete


def test_nothing_is_left_out_of_a_deeper_network():
    deep = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 2))
    shallow = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    for prefix in ("", "module.", "net."):
        match = choose(prefixed(prefix, dict(deep.state_dict())), shallow).candidate.match
        assert not match.is_complete
        assert match.unexpected == ["2.weight", "2.bias"]


def test_adapters_are_never_dropped():
    """LoRA's matrices change the function, so weights without them are another network's."""
    adapted = {
        "base_model.model.fc.base_layer.weight": torch.ones(2, 2),
        "base_model.model.fc.lora_A.default.weight": torch.ones(1, 2),
        "base_model.model.fc.lora_B.default.weight": torch.ones(2, 1),
    }
    network = nn.Sequential(collections.OrderedDict(fc=nn.Linear(2, 2, bias=False)))
    assert not choose(adapted, network).candidate.match.is_complete


def test_a_layer_named_module_keeps_its_name():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(2))
            self.module = nn.Linear(2, 2, bias=False)

    model = Model()
    expected = dict(model.state_dict())
    for wrapped in (model, nn.DataParallel(model), nn.DataParallel(nn.DataParallel(model))):
        assert_weights(choose(dict(wrapped.state_dict()), model).state, expected)


def test_tied_weights_need_one_of_their_names():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding, self.head = nn.Embedding(5, 2), nn.Linear(2, 5, bias=False)
            self.head.weight = self.embedding.weight

    for name in ("embedding.weight", "head.weight"):
        assert choose({name: torch.ones(5, 2)}, Tied()).candidate.match.is_complete


PARTS = st.sampled_from(["module", "model", "net", "a", "b", "conv", "fc1", "layers", "0"])


@given(
    prefix=st.lists(PARTS, max_size=3).map(".".join),
    added=st.lists(PARTS, max_size=2).map(".".join),
)
def test_any_common_prefix_on_either_side(prefix, added):
    """Every weight keeps its value under its own name, whatever both prefixes are."""
    tensors = {f"{k}.weight": torch.full((k + 1,), float(k)) for k in range(4)}
    stored = prefixed(f"{prefix}." if prefix else "", tensors)
    wanted = prefixed(f"{added}." if added else "", tensors)
    expected = Expected(
        {n: t.shape for n, t in wanted.items()}, {n: frozenset([n]) for n in wanted}
    )
    matches = find_matches(stored, expected)
    assert [match.is_complete for match in matches] == [True]
    assert {n: stored[old] for n, old in matches[0].names.items()} == wanted

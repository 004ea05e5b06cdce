"""``load_checkpoint(path, module)``: into a module that is there, as ``load_state_dict`` does."""

import logging

import pytest
import torch
from torch import nn

from landscape import load_checkpoint
from landscape.checkpoints.fit import fit_weights
from landscape.checkpoints.load import read_weights_file
from landscape.checkpoints.run import EMA, LAST, RunDirectory
from landscape.errors import InputError
from tests.landscape.checkpoints.networks import Net, assert_weights, net, prefixed, state


@pytest.fixture
def save(tmp_path):
    def save(content):
        torch.save(content, tmp_path / "some.pt")
        return tmp_path / "some.pt"

    return save


@pytest.mark.parametrize("training", [True, False])
def test_the_module_itself_gets_the_weights(save, training):
    expected, module = state(), Net().train(training)
    parameters = list(module.parameters())
    checkpoint = load_checkpoint(save({"net": expected}), module)
    assert checkpoint.model is module
    assert (checkpoint.spec.name, checkpoint.weights_key) == ("Net", "net")
    assert_weights(module, expected)
    assert module.training is training
    assert all(a is b for a, b in zip(parameters, module.parameters(), strict=True))


def test_the_module_keeps_the_type_of_its_weights(save):
    path = save({name: tensor.double() for name, tensor in state().items()})
    for dtype in (torch.float32, torch.bfloat16, torch.float64):
        module = load_checkpoint(path, Net().to(dtype)).model
        assert {p.dtype for p in module.parameters()} == {dtype}


def test_a_module_that_does_not_fit_is_left_as_it_is(save):
    module = Net(classes=5)
    before = {key: value.clone() for key, value in module.state_dict().items()}
    with pytest.raises(InputError, match=r"fc2.weight \(3, 4\) instead of \(5, 4\)"):
        load_checkpoint(save(state()), module)
    assert_weights(module, before)


@pytest.mark.parametrize("wrapped", [True, False])
def test_wrapped_modules(save, wrapped):
    expected = state()
    path = save(prefixed("module.", expected) if wrapped else expected)
    module = net()
    compiled = torch.compile(module, backend="eager")
    load_checkpoint(path, nn.DataParallel(compiled))
    assert_weights(module, expected)


def test_a_checkpoint_of_lightning_into_both_modules(save):
    """The module with the loss and the metrics, and the network that it trains."""

    class Lit(nn.Module):
        def __init__(self):
            super().__init__()
            self.model = net()
            self.criterion = nn.CrossEntropyLoss(weight=torch.ones(3))

    trained = Lit()
    path = save(
        {
            "epoch": 3,
            "pytorch-lightning_version": "2.6.0",
            "state_dict": trained.state_dict(),
            "optimizer_states": [{"state": {}, "param_groups": []}],
            "hyper_parameters": {"lr": 0.1},
            "callbacks": {"ModelCheckpoint{'monitor': None}": {"best_model_path": "x.ckpt"}},
        }
    )
    inner, outer = Net(), Lit()
    load_checkpoint(path, inner)
    load_checkpoint(path, outer)
    assert_weights(inner, dict(trained.model.state_dict()))
    assert_weights(outer, dict(trained.state_dict()))


@pytest.mark.parametrize(
    ("model", "words"),
    [(Net, r"got the class Net; make an instance of it: Net\(...\)"), (state, "got function")],
)
def test_what_is_no_module_is_refused(save, model, words):
    with pytest.raises(InputError, match=words):
        load_checkpoint(save(state()), model)


def test_a_module_takes_no_arguments(save):
    with pytest.raises(InputError, match="a Net is built already and takes no model_args"):
        load_checkpoint(save(state()), Net(), {"classes": 3})


def test_a_message_says_which_weights_were_taken(save, caplog):
    caplog.set_level(logging.INFO, "landscape")
    path = save({"model": state(), "ema": state(), "epoch": 3})
    checkpoint = load_checkpoint(path, Net())
    assert (checkpoint.weights_key, checkpoint.is_average) == ("ema", True)
    (record,) = caplog.records
    assert record.message.startswith(f"{path}: the weights are those under ema (averaged over")
    caplog.clear()
    checkpoint = load_checkpoint(path, Net(), weights_key="model")
    assert (checkpoint.weights_key, checkpoint.is_average) == ("model", False)
    assert "under model (not averaged)" in caplog.text
    caplog.clear()
    load_checkpoint(save(prefixed("module.", state())), Net())
    assert caplog.text == ""


def test_a_run_is_what_it_says_and_needs_no_message(tmp_path, caplog):
    """last.pt has the moving average, too, which was not asked for: that is ema.pt."""
    caplog.set_level(logging.INFO, "landscape")
    expected, average = state(), state()
    run = RunDirectory(tmp_path)
    run.write_config({"model": {"name": "mixer", "arguments": {}}, "data": {}})
    run.save(LAST, {"model": expected, "ema": {"model": average, "updates": 3}})
    module = Net()
    for path in (tmp_path, tmp_path / LAST):
        assert load_checkpoint(path, module).weights_key == "model"
        assert_weights(module, expected)
    run.save(EMA, {"model": average})
    assert load_checkpoint(tmp_path / EMA, module).is_average
    assert caplog.text == ""
    load_checkpoint(tmp_path, module, weights_key="ema")
    assert_weights(module, average)


def test_reading_changes_no_network(save):
    expected, module = state(), Net()
    before = {key: value.clone() for key, value in module.state_dict().items()}
    choice = read_weights_file(save({"net": prefixed("module.", expected)}), module)
    assert_weights(module, before)
    assert_weights(choice.state, expected)
    assert choice.key == "net"
    fit_weights(module, choice.state, save({}))
    assert_weights(module, expected)

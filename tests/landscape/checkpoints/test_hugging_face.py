"""Files of transformers into its models: tied weights, and names that it changes when it saves."""

import logging
from importlib import import_module

import pytest
import torch
from torch import nn

from landscape.checkpoints.load import load_checkpoint
from landscape.errors import InputError
from tests.landscape.checkpoints.networks import assert_weights


@pytest.fixture(scope="module")
def saved(transformers, tmp_path_factory):
    """A folder that save_pretrained wrote, and its model."""
    config = transformers.ViTConfig(
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=8,
        image_size=8,
        patch_size=4,
        num_labels=3,
    )
    model = transformers.ViTForImageClassification(config)
    folder = tmp_path_factory.mktemp("vit")
    model.save_pretrained(folder)
    return folder, model


class Logits(nn.Module):
    """A model's logits alone."""

    def __init__(self, model):
        super().__init__()
        self.model = model


@pytest.mark.parametrize("wrap", [lambda m: m, Logits, nn.DataParallel])
def test_a_folder_into_its_model(saved, wrap, capfd):
    folder, model = saved
    expected = dict(model.state_dict())
    fresh = type(model)(model.config)
    state = torch.random.get_rng_state()
    load_checkpoint(folder, wrap(fresh))
    assert_weights(fresh, expected)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert capfd.readouterr().err == ""  # no progress bar


def test_nothing_is_drawn_in_place_of_missing_weights(saved, tmp_path):
    folder, model = saved
    safetensors = import_module("safetensors.torch")
    tensors = safetensors.load_file(folder / "model.safetensors")
    del tensors["classifier.bias"]
    torch.save(tensors, tmp_path / "x.bin")
    fresh = type(model)(model.config)
    before = {name: tensor.clone() for name, tensor in fresh.state_dict().items()}
    with pytest.raises(InputError, match="missing keys: .*Hugging Face"):
        load_checkpoint(tmp_path / "x.bin", fresh)
    assert_weights(fresh, before)


def test_tied_weights(transformers, tmp_path, caplog):
    caplog.set_level(logging.INFO, "landscape")
    config = transformers.GPT2Config(
        bos_token_id=None,
        eos_token_id=None,
        n_positions=4,
        vocab_size=7,
        n_embd=8,
        n_layer=1,
        n_head=2,
    )
    model = transformers.GPT2LMHeadModel(config)
    model.save_pretrained(tmp_path)
    fresh = transformers.GPT2LMHeadModel(config)
    load_checkpoint(tmp_path, fresh)
    assert_weights(fresh, dict(model.state_dict()))
    assert fresh.lm_head.weight is fresh.transformer.wte.weight
    assert caplog.text == ""

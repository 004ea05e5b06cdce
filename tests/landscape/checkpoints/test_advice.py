"""A checkpoint that does not fit says what it is; the flags that it advises load it."""

import re
import shlex
from argparse import Namespace

import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from landscape.checkpoints.load import load_checkpoint
from landscape.errors import InputError
from landscape.models.catalog import resolve_model
from landscape.runtime.options import key_value
from tests.landscape.checkpoints.networks import Net, assert_weights, state
from tests.oracles.cases import randomise

FACTS = {"image_size": 8, "channels": 1, "num_classes": 10}
VIT = {
    "image_size": 12,
    "patch_size": 3,
    "dim": 24,
    "depth": 2,
    "heads": 3,
    "mlp_dim": 40,
    "num_classes": 5,
}
MIXER = {
    "image_size": 6,
    "patch_size": 2,
    "dim": 10,
    "depth": 3,
    "token_dim": 7,
    "channel_dim": 9,
    "num_classes": 4,
    "channels": 2,
}
RESNET = {"layers": [1, 2], "block": "bottleneck", "width": 4, "stem": "small", "num_classes": 6}
RESNET_18 = {"layers": [2, 2, 2, 2], "block": "basic", "width": 8, "num_classes": 3}

SAVED = [("vit", VIT), ("mixer", MIXER), ("resnet", RESNET), ("resnet", RESNET_18)]
WANTED = ["vit-tiny", "mixer-tiny", "resnet-tiny"]


def refusal(path, model, arguments=None, facts=None):
    with pytest.raises(InputError, match="does not fit the model") as caught:
        load_checkpoint(path, model, arguments, facts=facts)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def advised(text):
    """The model and arguments in the advice at the end of a message."""
    match = re.search(r"[Tt]ry (--model .*?)( \(|$)", text)
    assert match, text
    words = shlex.split(match[1])
    return words[1], dict(map(key_value, words[3:]))


@pytest.mark.parametrize(("family", "sizes"), SAVED, ids=str)
@pytest.mark.parametrize("model", WANTED)
@pytest.mark.parametrize("prefix", ["", "module."])
def test_the_advised_flags_load_the_file(tmp_path, family, sizes, model, prefix):
    network = randomise(resolve_model(family, sizes).build())
    expected = network.state_dict()
    path = tmp_path / "x.pt"
    torch.save({"state_dict": {prefix + k: v for k, v in expected.items()}}, path)
    text = refusal(path, model, facts=FACTS)
    assert f"It looks like a {family} with " in text
    shown = {key: value for key, value in sizes.items() if key not in ("heads", "layers")}
    assert all(f"{key}={value}" in text for key, value in shown.items())
    name, arguments = advised(text)
    loaded = load_checkpoint(path, name, arguments, facts=FACTS)
    assert_weights(loaded.model, dict(expected))
    assert loaded.spec.name == family


def test_heads_are_said_not_to_be_in_the_weights(tmp_path):
    torch.save(resolve_model("vit", VIT).build().state_dict(), tmp_path / "x.pt")
    text = refusal(tmp_path / "x.pt", "vit-tiny", {"heads": 3}, FACTS)
    assert "heads=3 " in text
    assert "heads can't be seen in weights" in text


def test_what_the_user_gave_besides_sizes_stays(tmp_path):
    torch.save(resolve_model("mixer", MIXER).build().state_dict(), tmp_path / "x.pt")
    text = refusal(tmp_path / "x.pt", "mixer-tiny", {"activation": "relu", "depth": 2}, FACTS)
    _, arguments = advised(text)
    assert arguments["activation"] == "relu"
    assert arguments["depth"] == 3


def test_a_timm_model_of_other_sizes(timm, tmp_path):
    sizes = {"img_size": 12, "patch_size": 4, "embed_dim": 24, "depth": 1, "num_classes": 5}
    expected = timm.create_model("vit_tiny_patch16_224", **sizes).state_dict()
    torch.save(expected, tmp_path / "x.pt")
    text = refusal(tmp_path / "x.pt", "timm:vit_tiny_patch16_224", {"num_classes": 3})
    name, arguments = advised(text)
    assert name == "timm:vit_tiny_patch16_224"
    assert_weights(load_checkpoint(tmp_path / "x.pt", name, arguments).model, dict(expected))


def test_the_model_that_a_training_script_has_noted(timm, tmp_path):
    expected = timm.create_model("test_efficientnet", num_classes=7).state_dict()
    path = tmp_path / "x.pth.tar"
    for noted in ({"arch": "test_efficientnet"}, {"args": Namespace(model="test_efficientnet")}):
        torch.save({"state_dict": expected, **noted}, path)
        name, arguments = advised(refusal(path, "resnet-tiny", facts=FACTS))
        assert (name, arguments) == ("timm:test_efficientnet", {"num_classes": 7})
        assert_weights(load_checkpoint(path, name, arguments).model, dict(expected))


@pytest.mark.parametrize("noted", ["hf_hub:some/net", "local-dir:/tmp/net", "/tmp/net.py:make"])
def test_a_noted_name_that_is_a_path_or_an_address_is_not_tried(tmp_path, monkeypatch, noted):
    """Trying it would reach the network, or open what it names."""
    tried = []
    monkeypatch.setattr(
        "landscape.checkpoints.advice.resolve_model",
        lambda name, *words: tried.append(name) or resolve_model(name, *words),
    )
    path = tmp_path / "x.pth.tar"
    torch.save({"state_dict": Net(classes=7).state_dict(), "arch": noted}, path)
    refusal(path, "resnet-tiny", facts=FACTS)
    assert not [name for name in tried if noted in name]


def test_the_number_of_classes_of_a_users_model(tmp_path):
    torch.save(Net(classes=7).state_dict(), tmp_path / "x.pt")
    (tmp_path / "mine.py").write_text(
        "from tests.landscape.checkpoints.networks import Net\n"
        "def make(num_classes=3): return Net(num_classes)\n"
    )
    model = f"{tmp_path / 'mine.py'}:make"
    name, arguments = advised(refusal(tmp_path / "x.pt", model))
    assert (name, arguments) == (model, {"num_classes": 7})
    assert load_checkpoint(tmp_path / "x.pt", name, arguments).model.fc2.out_features == 7


HUGGING_FACE = {"vit.encoder.layer.0.attention.attention.query.weight": torch.ones(2, 2)}
TORCHVISION = {"encoder.layers.encoder_layer_0.ln_1.weight": torch.ones(2)}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: HUGGING_FACE, "Hugging Face's transformers: give the folder as --model hf:DIR"),
        (lambda s: TORCHVISION, "torchvision's VisionTransformer"),
        (
            lambda s: {k: v for k, v in s.items() if "running" not in k},
            "no running statistics.*save model.state_dict",
        ),
        (
            lambda s: {**s, "fc1.scale": torch.ones(1), "fc1.zero_point": torch.ones(1)},
            "It is quantised: give the floating-point weights",
        ),
        (
            lambda s: {k: (v * 50).to(torch.int8) if v.dim() > 1 else v for k, v in s.items()},
            r"integers instead of weights: conv.weight int8.*give the file of the floating",
        ),
        (
            lambda s: {**s, "fc1.weight": s["fc1.weight"] + 1j},
            "complex values for real weights: fc1.weight",
        ),
        (
            lambda s: {**s, "fc1.weight": s["fc1.weight"].to("meta")},
            r"no values \(meta tensors\): fc1.weight",
        ),
        (lambda s: {**s, "fc1.lora_A.weight": torch.ones(1, 2)}, "adapters"),
        (lambda s: {f"x.{k}": v for k, v in list(s.items())[3:]}, "The module has to be built"),
    ],
)
def test_weights_that_something_was_done_to(tmp_path, change, words):
    torch.save(change(state()), tmp_path / "x.pt")
    network = Net()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    text = refusal(tmp_path / "x.pt", network)
    assert re.search(words, text), text
    assert_weights(network, before)


def test_pruned_and_reparametrised_layers(tmp_path):
    pruned, normed = Net(), Net()
    prune.l1_unstructured(pruned.fc1, "weight", 0.3)
    nn.utils.parametrizations.weight_norm(normed.fc1)
    for network, words in ((pruned, "It is pruned"), (normed, "reparametrised")):
        torch.save(network.state_dict(), tmp_path / "x.pt")
        assert words in refusal(tmp_path / "x.pt", Net())
        load_checkpoint(tmp_path / "x.pt", network)

"""Sizes are checked, and weights are counted, before a model is built."""

import pytest
from torch import nn

from landscape.errors import InputError
from landscape.models.catalog import ModelSpec, resolve_model
from landscape.models.names import NAMED
from landscape.models.sizes import count_blocks, count_weights

DIGITS = {"image_size": 8, "channels": 1, "num_classes": 10}
SMALL = {
    "vit-tiny": {"depth": 3},
    "vit-s32": {"depth": 1, "num_classes": 7},
    "mixer-tiny": {"depth": 2},
    "mixer-s32": {"depth": 1, "channels": 2},
    "resnet-tiny": {"layers": (2, 0, 1)},
    "resnet50": {"layers": (2, 1, 2), "width": 8},
    "resnet50x2": {"layers": (1,), "block": "basic", "width": 4},
}


@pytest.mark.parametrize(("name", "sizes"), SMALL.items())
def test_weights_are_counted_as_they_are_built(name, sizes):
    facts = DIGITS if name.endswith("tiny") else {}
    spec = resolve_model(name, sizes, facts, fit_to_data=True)
    model = spec.build()
    built = sum(parameter.numel() for parameter in model.parameters())
    assert count_weights(spec.name, spec.arguments) == built
    layers = sizes.get("layers")
    assert count_blocks(spec.arguments) == (sum(layers) if layers else sizes["depth"])


def test_published_sizes():
    """As timm and torchvision count them."""
    for name, count in (
        ("vit-b16", 86_567_656),
        ("mixer-b16", 59_880_472),
        ("resnet50", 25_557_032),
    ):
        assert count_weights(*NAMED[name]) == count


@pytest.mark.parametrize(
    ("name", "sizes", "message"),
    [
        ("vit-tiny", {"depth": -1}, "depth has to be a whole number of at least 0, got -1"),
        ("vit-tiny", {"depth": 1.5}, "depth has to be a whole number"),
        ("vit-tiny", {"depth": True}, "depth has to be a whole number"),
        ("vit-tiny", {"dim": ""}, "dim has to be a whole number of at least 1, got ''"),
        ("vit-tiny", {"heads": 0}, "heads has to be a whole number of at least 1, got 0"),
        ("vit-tiny", {"image_size": 0}, "image_size has to be a whole number of at least 1"),
        ("vit-tiny", {"image_size": None}, "image_size has to be a whole number of at least 1"),
        ("mixer", {"image_size": None}, "image_size has to be a whole number of at least 1"),
        ("vit-tiny", {"image_size": 10**18}, "image_size has to be at most 1000000 pixels"),
        ("vit-tiny", {"patch_size": -2}, "patch_size has to be a whole number of at least 1"),
        ("mixer-tiny", {"dropout": 7}, "dropout has to be a number of at least 0 and below 1"),
        ("mixer-tiny", {"head_bias": float("nan")}, "head_bias has to be a finite number"),
        ("resnet-tiny", {"layers": (1, -1)}, "layers has to be the numbers of blocks"),
        ("resnet-tiny", {"layers": (1,) * 60}, "layers has to be the numbers of blocks"),
    ],
)
def test_sizes_that_no_model_has(name, sizes, message):
    with pytest.raises(InputError, match=f"--model-args {message}"):
        resolve_model(name, sizes, DIGITS).build()


@pytest.mark.parametrize(
    ("name", "sizes", "size"),
    [
        ("vit-tiny", {"depth": 10**7}, "10,000,000 blocks would take 1.16 TB"),
        (
            "vit-tiny",
            {"dim": 4 * 10**6},
            "256,003,356,000,394 weights in 4 blocks would take 1.02 PB",
        ),
        ("vit-tiny", {"image_size": 10**6, "patch_size": 4}, " would take 12 TB"),
        ("mixer-tiny", {"token_dim": 10**13}, " weights in 4 blocks would take "),
        ("resnet-tiny", {"layers": (10**9, 1, 1)}, "1,000,000,002 blocks would take "),
        ("resnet-tiny", {"width": 10**7}, " would take "),
    ],
)
def test_what_is_too_large_is_not_begun(monkeypatch, name, sizes, size):
    made = []
    monkeypatch.setattr(nn.Module, "__init__", lambda *_, **__: made.append(1))
    with pytest.raises(InputError, match=size):
        resolve_model(name, sizes, DIGITS).build()
    assert made == []


def test_a_model_by_its_family_alone():
    sizes = {"dim": 4, "depth": 0, "heads": 1, "mlp_dim": 4, "patch_size": 4, **DIGITS}
    assert sum(p.numel() for p in ModelSpec("vit", sizes).build().parameters()) == count_weights(
        "vit", sizes
    )

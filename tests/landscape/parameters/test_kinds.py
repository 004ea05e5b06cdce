import pytest
import torch
from torch import nn

from landscape.parameters.kinds import KINDS
from landscape.parameters.layout import ParameterLayout
from tests.landscape.parameters.reader import KIND_OF, Reader, Scale
from tests.oracles.cases import BY_NAME


def kinds_of(model):
    layout = ParameterLayout.of(model)
    return dict(zip(layout.names, layout.kinds, strict=True))


def test_kinds_of_a_vit():
    assert kinds_of(Reader()) == KIND_OF


@pytest.mark.parametrize("name", ["mixer", "resnet with batch norm"])
def test_kinds_of_our_other_families(name):
    kinds = kinds_of(BY_NAME[name].model())
    for parameter, kind in kinds.items():
        owner, _, own_name = parameter.rpartition(".")
        is_norm = "norm" in owner or "bn" in owner or owner.endswith("downsample.1")
        expected = "norm" if is_norm else {"weight": "kernel", "bias": "bias"}[own_name]
        assert kind == expected, parameter
    assert set(kinds.values()) == {"kernel", "bias", "norm"}


def test_frozen_parameters_have_no_kind():
    model = Reader()
    model.blocks.requires_grad_(False)
    expected = {k: kind for k, kind in KIND_OF.items() if not k.startswith("blocks")}
    assert kinds_of(model) == expected


def holding(path, owner):
    """``owner`` as a submodule at ``path``."""
    root = nn.Module()
    place = root
    *outer, last = path.split(".")
    for name in outer:
        place.add_module(name, nn.Module())
        place = place.get_submodule(name)
    place.add_module(last, owner)
    return root


@pytest.mark.parametrize(
    ("path", "owner", "kind"),
    [
        ("blocks.0.norm1", nn.LayerNorm(4, bias=False), "norm"),
        ("blocks.0.pre", nn.GroupNorm(2, 4), "norm"),
        ("stem.bn", nn.BatchNorm2d(4), "norm"),
        ("blocks.0.ls1", Scale(4), "layer-scale"),
        ("blocks.0.ls2", Scale(4), "layer-scale"),
        ("blocks.0.layer_scale_1", Scale(4), "layer-scale"),
        ("patch_embed.proj", nn.Conv2d(3, 4, 2, bias=False), "kernel"),
        ("blocks.0.mlp_tokens.fc1", nn.Linear(3, 4, bias=False), "kernel"),
        ("embeddings.word_embeddings", nn.Embedding(9, 4), "embedding"),
        ("embeddings.position_embeddings", nn.Embedding(9, 4), "position"),
        ("wpe.pos_emb", nn.Embedding(9, 4), "position"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_kinds_by_module(path, owner, kind):
    assert set(kinds_of(holding(path, owner)).values()) == {kind}


@pytest.mark.parametrize(
    ("name", "shape", "kind"),
    [
        ("cls_token", (1, 1, 4), "class-token"),
        ("class_token", (1, 1, 4), "class-token"),
        ("dist_token", (1, 1, 4), "class-token"),
        ("reg_token", (1, 3, 4), "class-token"),
        ("register_tokens", (1, 3, 4), "class-token"),
        ("mask_token", (1, 1, 4), "class-token"),
        ("pos_embed", (1, 5, 4), "position"),
        ("pos_embedding", (1, 5, 4), "position"),
        ("positional_embedding", (5, 4), "position"),
        ("position_embeddings", (1, 5, 4), "position"),
        ("lambda1", (4,), "layer-scale"),
        ("in_proj_weight", (12, 4), "kernel"),
        ("in_proj_bias", (12,), "bias"),
        ("weight_ih_l0", (12, 4), "kernel"),
        ("bias_ih_l0", (12,), "bias"),
        ("logit_scale", (), "other"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_kinds_by_name(name, shape, kind):
    owner = nn.Module()
    owner.register_parameter(name, nn.Parameter(torch.zeros(shape)))
    assert kinds_of(owner) == {name: kind}
    assert kinds_of(holding("encoder.layer0", owner)) == {f"encoder.layer0.{name}": kind}


def test_kinds_of_timms_vit(timm):
    model = timm.create_model(
        "vit_tiny_patch16_224", depth=1, embed_dim=12, init_values=0.1, reg_tokens=2, num_classes=3
    )
    kinds = kinds_of(model)
    by_kind = {kind: {name for name, k in kinds.items() if k == kind} for kind in KINDS}
    assert by_kind["class-token"] == {"cls_token", "reg_token"}
    assert by_kind["position"] == {"pos_embed"}
    assert by_kind["layer-scale"] == {"blocks.0.ls1.gamma", "blocks.0.ls2.gamma"}
    assert by_kind["norm"] == {name for name in kinds if "norm" in name}
    assert by_kind["embedding"] == by_kind["other"] == set()
    assert all(name.endswith(".bias") for name in by_kind["bias"])
    assert by_kind["kernel"] == {
        "patch_embed.proj.weight",
        "head.weight",
        *(f"blocks.0.{layer}.weight" for layer in ("attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2")),
    }

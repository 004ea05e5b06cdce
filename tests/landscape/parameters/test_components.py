"""Components are found in our models and in everybody's."""

import pytest
import torch
from torch import nn

from landscape.errors import InputError
from landscape.models.mixer import MlpMixer
from landscape.models.vit import VisionTransformer
from landscape.parameters.components import components
from landscape.parameters.groups import Group, groups_by_pattern, tensors_group
from landscape.parameters.layout import ParameterLayout

SIZES = {"image_size": 16, "patch_size": 8, "dim": 8, "depth": 3, "num_classes": 4}


def named(model):
    """The layout, the components, and the names of the tensors that each touches."""
    layout = ParameterLayout.of(model)
    groups = components(model, layout)
    names = {
        name: {layout.names[number] for number in group.tensors(layout)}
        for name, group in groups.items()
    }
    return layout, groups, names


def check_partition(layout, groups, names):
    """The groups of these names don't overlap and make up all of theta."""
    together = Group.of(stretch for name in names for stretch in groups[name].stretches)
    assert together.stretches == ((0, layout.size),)


def test_a_vision_transformer():
    layout, groups, names = named(VisionTransformer(**SIZES, heads=2, mlp_dim=12))
    blocks = ["block 1", "block 2", "block 3"]
    assert list(groups) == [
        "embedding",
        "attention",
        "queries",
        "keys",
        "values",
        "projections",
        "MLP",
        "norms",
        "head",
        *blocks,
    ]
    check_partition(layout, groups, ["embedding", "attention", "MLP", "norms", "head"])
    assert names["embedding"] == {
        "cls_token",
        "pos_embed",
        "patch_embed.proj.weight",
        "patch_embed.proj.bias",
    }
    assert names["head"] == {"head.weight", "head.bias"}
    assert all(name.startswith("blocks.1.") for name in names["block 2"])
    assert groups["queries"].size == groups["keys"].size == groups["values"].size == 3 * (8 * 8 + 8)
    # Rows of qkv: all queries, then keys, then values.
    position = layout.names.index("blocks.0.attn.qkv.weight")
    start, stop = layout.stretches[position]
    third = (stop - start) // 3
    assert (start + third, start + 2 * third) in groups["keys"].stretches
    together = Group.of(
        stretch
        for name in ("queries", "keys", "values", "projections")
        for stretch in groups[name].stretches
    )
    assert together == groups["attention"]


def test_a_mixer():
    layout, groups, names = named(MlpMixer(**SIZES, token_dim=6, channel_dim=12))
    check_partition(
        layout, groups, ["embedding", "token mixing", "channel mixing", "norms", "head"]
    )
    assert {"block 1", "block 2", "block 3"} < set(groups)
    assert not {"attention", "MLP"} & set(groups)
    assert all("tok" in name for name in names["token mixing"])


def test_a_residual_network(timm):
    import torchvision

    layout, groups, names = named(torchvision.models.resnet18(num_classes=5))
    check_partition(layout, groups, ["stem", "convolutions", "norms", "head"])
    assert names["stem"] == {"conv1.weight"}
    assert names["head"] == {"fc.weight", "fc.bias"}
    assert [name for name in groups if name.startswith("layer")] == [
        f"layer{stage}.{k}" for stage in range(1, 5) for k in range(2)
    ]


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "mixer_s32_224", "deit_tiny_patch16_224"])
def test_timms_models_have_the_same_components(timm, name):
    model = (
        timm.create_model(name, num_classes=3, depth=2)
        if "vit" in name
        else (timm.create_model(name, num_classes=3))
    )
    layout, groups, _ = named(model)
    mixing = ["token mixing", "channel mixing"] if "mixer" in name else ["attention", "MLP"]
    check_partition(layout, groups, ["embedding", *mixing, "norms", "head"])
    assert "block 2" in groups


def test_torchvisions_vision_transformer(timm):
    import torchvision

    model = torchvision.models.VisionTransformer(32, 16, 2, 2, 8, 16, num_classes=3)
    layout, groups, _ = named(model)
    check_partition(layout, groups, ["embedding", "attention", "MLP", "norms", "head"])
    assert groups["queries"].size == 2 * (8 * 8 + 8)
    assert "block 2" in groups


def test_separate_queries_keys_and_values():
    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.q_proj, self.k_proj = nn.Linear(4, 4), nn.Linear(4, 2)
            self.v_proj, self.out_proj = nn.Linear(4, 3), nn.Linear(3, 4)

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.self_attn = Attention()
            self.fc = nn.Linear(4, 4)

    model = nn.Sequential(nn.Linear(2, 4), nn.ModuleList([Block(), Block()]), nn.Linear(4, 2))
    _, groups, _ = named(model)
    sizes = {name: groups[name].size for name in ("queries", "keys", "values", "projections")}
    assert sizes == {"queries": 40, "keys": 20, "values": 30, "projections": 32}
    assert groups["MLP"].size == 40


def test_of_a_network_without_blocks_nothing_is_guessed():
    _, groups, names = named(nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 2)))
    assert names == {"norms": {"1.weight", "1.bias"}}
    assert list(groups) == ["norms"]


# ----------------------------------------------------------------------------------- groups


def test_groups_are_in_order_and_without_overlap():
    assert Group.of([(5, 7), (0, 2), (2, 4)]).stretches == ((0, 4), (5, 7))
    assert Group.of([(5, 7), (0, 2)]).size == 4
    with pytest.raises(InputError, match="names parameter 3 twice"):
        Group.of([(0, 4), (3, 5)])
    with pytest.raises(InputError, match="at least one parameter"):
        Group.of([])


def test_gathering_undoes_scattering():
    group = Group.of([(1, 3), (4, 5)])
    rows = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    flat = group.scatter(rows, 6)
    assert flat[:, 0].tolist() == [0, 1, 3, 0, 5, 0]
    assert torch.equal(group.gather(flat), rows)


def test_groups_by_pattern():
    layout = ParameterLayout.of(VisionTransformer(**SIZES, heads=2, mlp_dim=12))
    groups = groups_by_pattern(layout, {"second": r"^blocks\.1\.", "biases": "bias$"})
    assert groups["second"] == tensors_group(
        layout, [n for n, name in enumerate(layout.names) if name.startswith("blocks.1.")]
    )
    with pytest.raises(InputError, match="no parameter's name matches 'nothing'; the names are"):
        groups_by_pattern(layout, {"a": "nothing"})
    with pytest.raises(InputError, match=r"expected a regular expression, got '\(', which is"):
        groups_by_pattern(layout, {"a": "("})

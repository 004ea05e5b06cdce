import pytest
import torch
from torch import nn

from landscape.errors import InputError
from landscape.models.vit import VisionTransformer
from landscape.parameters.kinds import KINDS
from landscape.parameters.layout import ParameterLayout
from landscape.parameters.policies import PRESETS, Policy, filters, parse_override
from landscape.runtime.choices import NORMALIZATIONS
from tests.landscape.parameters.drawing import by_name, draw, layout_and_theta
from tests.oracles.cases import BY_NAME, randomise


class Scale(nn.Module):
    """LayerScale as timm names it."""

    def __init__(self, dim):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(dim))


class Reader(VisionTransformer):
    """A small ViT with a tensor of every kind; it is never called."""

    def __init__(self):
        super().__init__(
            image_size=4, patch_size=2, dim=8, depth=1, heads=2, mlp_dim=6, num_classes=3
        )
        self.words = nn.Embedding(5, 8)
        self.ls1 = Scale(8)
        self.temperature = nn.Parameter(torch.tensor(0.5))


KIND_OF = {
    "cls_token": "class-token",
    "pos_embed": "position",
    "temperature": "other",
    "patch_embed.proj.weight": "kernel",
    "patch_embed.proj.bias": "bias",
    "blocks.0.norm1.weight": "norm",
    "blocks.0.norm1.bias": "norm",
    "blocks.0.attn.qkv.weight": "kernel",
    "blocks.0.attn.qkv.bias": "bias",
    "blocks.0.attn.proj.weight": "kernel",
    "blocks.0.attn.proj.bias": "bias",
    "blocks.0.norm2.weight": "norm",
    "blocks.0.norm2.bias": "norm",
    "blocks.0.mlp.fc1.weight": "kernel",
    "blocks.0.mlp.fc1.bias": "bias",
    "blocks.0.mlp.fc2.weight": "kernel",
    "blocks.0.mlp.fc2.bias": "bias",
    "norm.weight": "norm",
    "norm.bias": "norm",
    "head.weight": "kernel",
    "head.bias": "bias",
    "words.weight": "embedding",
    "ls1.gamma": "layer-scale",
}
ONE_DIMENSION = {
    name for name, kind in KIND_OF.items() if kind in ("bias", "norm", "layer-scale", "other")
}


def reader():
    return layout_and_theta(randomise(Reader()))


def moved(policy, normalize="filter"):
    layout, theta = reader()
    return by_name(layout, draw(layout, theta, normalize=normalize, policy=policy).vector)


def own():
    torch.manual_seed(0)
    return by_name(*reader())


def ratios(preset, normalize="filter"):
    """By tensor, the norms of the direction's filters as the preset defines them, over own."""
    torch.manual_seed(0)
    found, weights = moved(Policy.named(preset), normalize), own()
    return {
        name: [
            (d.norm() / w.norm()).item()
            for d, w in zip(
                pieces(found[name], KIND_OF[name], preset),
                pieces(weights[name], KIND_OF[name], preset),
                strict=True,
            )
        ]
        for name in KIND_OF
    }


def pieces(tensor, kind, preset):
    if kind in ("kernel", "embedding"):
        return list(tensor)
    if kind == "position" and preset != "li2018":
        return list(tensor[0])
    return [tensor]


# ------------------------------------------------------------------------------------- presets


@pytest.mark.parametrize("normalize", NORMALIZATIONS)
@pytest.mark.parametrize("preset", PRESETS)
def test_only_all_moves_tensors_of_one_dimension(preset, normalize):
    still = {name for name, d in moved(Policy.named(preset), normalize).items() if not d.any()}
    assert still == (set() if preset == "all" else ONE_DIMENSION)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_filter_has_the_norm_of_the_network(preset):
    found = ratios(preset)
    assert len(found["blocks.0.attn.qkv.weight"]) == 24
    assert len(found["patch_embed.proj.weight"]) == 8
    assert len(found["words.weight"]) == 5
    assert len(found["cls_token"]) == 1
    assert len(found["pos_embed"]) == (1 if preset == "li2018" else 5)
    for name, values in found.items():
        expected = 0.0 if preset != "all" and name in ONE_DIMENSION else 1.0
        assert values == pytest.approx([expected] * len(values), rel=1e-12), name


def test_a_position_embedding_is_one_filter_for_li2018():
    torch.manual_seed(0)
    found, weights = moved(Policy.named("li2018"))["pos_embed"], own()["pos_embed"]
    of_vectors = found.norm(dim=-1) / weights.norm(dim=-1)
    assert found.norm().item() == pytest.approx(weights.norm().item(), rel=1e-12)
    assert of_vectors.std() > 0.05


@pytest.mark.parametrize("preset", PRESETS)
def test_unit_filters_are_the_same_filters(preset):
    torch.manual_seed(0)
    found = moved(Policy.named(preset), "dfilter")
    for name in KIND_OF:
        if preset == "all" or name not in ONE_DIMENSION:
            norms = [d.norm().item() for d in pieces(found[name], KIND_OF[name], preset)]
            assert norms == pytest.approx([1.0] * len(norms), rel=1e-12), name


def test_presets_differ_in_nothing_else():
    """One draw, three readings of it: where they agree on a tensor, they agree to the bit."""
    found = {}
    for preset in PRESETS:
        torch.manual_seed(0)
        found[preset] = moved(Policy.named(preset))
    for name, kind in KIND_OF.items():
        li, transformer, everything = (found[preset][name] for preset in PRESETS)
        assert torch.equal(li, transformer) == (kind != "position"), name
        assert torch.equal(transformer, everything) == (name not in ONE_DIMENSION), name


def test_the_default_is_li2018():
    assert Policy.named() == Policy.named("li2018")
    layout, theta = reader()
    default = draw(layout, theta).vector
    assert torch.equal(default, draw(layout, theta, policy=Policy.named("li2018")).vector)


def test_every_preset_has_a_treatment_for_every_kind():
    assert set(KIND_OF.values()) == set(KINDS)
    for treatments in PRESETS.values():
        assert set(treatments) == set(KINDS)


def test_treatments_are_told_tensor_by_tensor():
    layout, _ = reader()
    told = dict(zip(layout.names, Policy.named("transformer").of(layout), strict=True))
    assert {name for name, treatment in told.items() if treatment == "zero"} == ONE_DIMENSION
    assert told["pos_embed"] == "vectors"
    assert told["cls_token"] == "whole"
    assert told["head.weight"] == told["words.weight"] == "rows"


def test_filters_share_memory_with_their_tensor():
    tensor = torch.arange(24.0).view(2, 3, 4)
    assert [filters(tensor, how).shape for how in ("rows", "vectors", "whole")] == [
        (2, 12),
        (6, 4),
        (1, 24),
    ]
    filters(tensor, "vectors")[4].zero_()
    assert tensor[1, 1].tolist() == [0.0] * 4
    assert filters(torch.arange(3.0), "vectors").tolist() == [[0.0, 1.0, 2.0]]


# ----------------------------------------------------------------------------------- overrides


@pytest.mark.parametrize("kind", KINDS)
def test_an_override_changes_one_kind(kind):
    for treatment in ("zero", "copy", "whole"):
        torch.manual_seed(0)
        plain = moved(Policy.named("transformer"))
        torch.manual_seed(0)
        changed = moved(Policy.named("transformer", [f"{kind}={treatment}"]))
        for name, tensor in changed.items():
            if KIND_OF[name] != kind:
                assert torch.equal(tensor, plain[name]), name
            elif treatment == "zero":
                assert not tensor.any(), name
            elif treatment == "copy":
                assert torch.equal(tensor, own()[name]), name
            else:
                assert tensor.norm().item() == pytest.approx(own()[name].norm().item(), rel=1e-12)


@pytest.mark.parametrize("normalize", NORMALIZATIONS)
def test_a_copy_is_the_weights_however_the_rest_is_normalised(normalize):
    torch.manual_seed(0)
    found, weights = moved(Policy.named("li2018", ["norm=copy", "bias=copy"]), normalize), own()
    for name, kind in KIND_OF.items():
        if kind in ("norm", "bias"):
            assert torch.equal(found[name], weights[name]), name


def test_the_last_of_several_overrides_counts():
    policy = Policy.named("all", ["bias=zero", "norm=copy", "bias=copy"])
    assert policy.treatments == {**PRESETS["all"], "norm": "copy", "bias": "copy"}


def test_presets_stay_as_they_are():
    before = {name: dict(treatments) for name, treatments in PRESETS.items()}
    Policy.named("all", ["bias=zero", "statistics=copy"])
    assert before == PRESETS


def test_statistics_are_moved_only_if_asked():
    assert all(Policy.named(preset).statistics == "zero" for preset in PRESETS)
    policy = Policy.named("transformer", ["statistics=copy"])
    assert policy.statistics == "copy"
    assert policy.treatments == PRESETS["transformer"]


WRONG = [
    *("", "bias", "bias=", "=whole", "biases=whole", "bias=wholes", "bias=whole=zero"),
    *(" bias=whole", "bias = whole", "Bias=whole", "statistics=rows", "statistics=", "li2018"),
]


@pytest.mark.parametrize("word", WRONG)
def test_unknown_words_are_refused_in_one_line(word):
    for ask in (parse_override, lambda word: Policy.named("all", ["norm=zero", word])):
        with pytest.raises(InputError, match="expected KIND=TREATMENT") as caught:
            ask(word)
        assert f"got {word!r}" in str(caught.value)
        assert "\n" not in str(caught.value)


def test_overrides_that_mean_something_are_taken_as_they_are():
    assert parse_override("layer-scale=whole") == "layer-scale=whole"
    assert parse_override("statistics=copy") == "statistics=copy"


def test_unknown_presets_are_refused_in_one_line():
    with pytest.raises(InputError) as caught:
        Policy.named("li2019")
    expected = "unknown policy 'li2019'; expected one of li2018, transformer, all"
    assert str(caught.value) == expected


# --------------------------------------------------------------------------------------- kinds


def kinds_of(model):
    layout = ParameterLayout.of(model)
    return dict(zip(layout.names, layout.kinds, strict=True))


def test_kinds_of_a_vit():
    assert kinds_of(Reader()) == KIND_OF


@pytest.mark.parametrize("name", ["mixer", "resnet with batch norm"])
def test_kinds_of_our_other_families(name):
    found = kinds_of(BY_NAME[name].model())
    for parameter, kind in found.items():
        owner, _, own_name = parameter.rpartition(".")
        is_norm = "norm" in owner or "bn" in owner or owner.endswith("downsample.1")
        expected = "norm" if is_norm else {"weight": "kernel", "bias": "bias"}[own_name]
        assert kind == expected, parameter
    assert set(found.values()) == {"kernel", "bias", "norm"}


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
    found = kinds_of(model)
    by_kind = {kind: {name for name, k in found.items() if k == kind} for kind in KINDS}
    assert by_kind["class-token"] == {"cls_token", "reg_token"}
    assert by_kind["position"] == {"pos_embed"}
    assert by_kind["layer-scale"] == {"blocks.0.ls1.gamma", "blocks.0.ls2.gamma"}
    assert by_kind["norm"] == {name for name in found if "norm" in name}
    assert by_kind["embedding"] == by_kind["other"] == set()
    assert all(name.endswith(".bias") for name in by_kind["bias"])
    assert by_kind["kernel"] == {
        "patch_embed.proj.weight",
        "head.weight",
        *(f"blocks.0.{part}.weight" for part in ("attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2")),
    }

import pytest
import torch

from landscape.errors import InputError
from landscape.parameters.kinds import KINDS
from landscape.parameters.policies import PRESETS, Policy, filters, parse_override
from landscape.runtime.choices import NORMALIZATIONS
from tests.landscape.parameters.drawing import by_name, draw, layout_and_theta
from tests.landscape.parameters.reader import KIND_OF, Reader
from tests.oracles.cases import randomise

ONE_DIMENSION = {
    name for name, kind in KIND_OF.items() if kind in ("bias", "norm", "layer-scale", "other")
}


def reader():
    return layout_and_theta(randomise(Reader()))


def moved(policy, normalize="filter"):
    layout, theta = reader()
    return by_name(layout, draw(layout, theta, normalize=normalize, policy=policy).vector)


def network_weights():
    torch.manual_seed(0)
    return by_name(*reader())


def ratios(preset, normalize="filter"):
    """The norms of the direction's filters over those of the network's, by tensor."""
    torch.manual_seed(0)
    directions, weights = moved(Policy.named(preset), normalize), network_weights()
    return {
        name: [
            (d.norm() / w.norm()).item()
            for d, w in zip(
                pieces(directions[name], KIND_OF[name], preset),
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
    directions = ratios(preset)
    assert len(directions["blocks.0.attn.qkv.weight"]) == 24
    assert len(directions["patch_embed.proj.weight"]) == 8
    assert len(directions["words.weight"]) == 5
    assert len(directions["cls_token"]) == 1
    assert len(directions["pos_embed"]) == (1 if preset == "li2018" else 5)
    for name, values in directions.items():
        expected = 0.0 if preset != "all" and name in ONE_DIMENSION else 1.0
        assert values == pytest.approx([expected] * len(values), rel=1e-12), name


def test_a_position_embedding_is_one_filter_for_li2018():
    torch.manual_seed(0)
    directions, weights = moved(Policy.named("li2018"))["pos_embed"], network_weights()["pos_embed"]
    of_vectors = directions.norm(dim=-1) / weights.norm(dim=-1)
    assert directions.norm().item() == pytest.approx(weights.norm().item(), rel=1e-12)
    assert of_vectors.std() > 0.05


@pytest.mark.parametrize("preset", PRESETS)
def test_unit_filters_are_the_same_filters(preset):
    torch.manual_seed(0)
    directions = moved(Policy.named(preset), "dfilter")
    for name in KIND_OF:
        if preset == "all" or name not in ONE_DIMENSION:
            norms = [d.norm().item() for d in pieces(directions[name], KIND_OF[name], preset)]
            assert norms == pytest.approx([1.0] * len(norms), rel=1e-12), name


def test_presets_differ_in_nothing_else():
    """One draw, three readings of it: where they agree on a tensor, they agree to the bit."""
    directions = {}
    for preset in PRESETS:
        torch.manual_seed(0)
        directions[preset] = moved(Policy.named(preset))
    for name, kind in KIND_OF.items():
        li, transformer, everything = (directions[preset][name] for preset in PRESETS)
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


def test_treatments_are_given_tensor_by_tensor():
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
                assert torch.equal(tensor, network_weights()[name]), name
            else:
                assert tensor.norm().item() == pytest.approx(
                    network_weights()[name].norm().item(), rel=1e-12
                )


@pytest.mark.parametrize("normalize", NORMALIZATIONS)
def test_a_copy_is_the_weights_however_the_rest_is_normalised(normalize):
    torch.manual_seed(0)
    directions, weights = (
        moved(Policy.named("li2018", ["norm=copy", "bias=copy"]), normalize),
        network_weights(),
    )
    for name, kind in KIND_OF.items():
        if kind in ("norm", "bias"):
            assert torch.equal(directions[name], weights[name]), name


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
    for parse in (parse_override, lambda word: Policy.named("all", ["norm=zero", word])):
        with pytest.raises(InputError, match="expected KIND=TREATMENT") as caught:
            parse(word)
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

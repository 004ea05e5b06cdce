"""A claim is decided by numbers and errors, never otherwise."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyses.hessian.eigenvalues import Eigenvalues
from analyses.report.paper.catalog import CLAIMS, flatter_and_better, judge
from analyses.report.paper.claims import Comparison, gains, with_sam, within
from analyses.report.paper.quantities import LOWER_BOUND, ROWS, Quantity, Row, quantity
from analyses.report.paper.subjects import Network, networks, sam_pairs
from tests.analyses.report.paper.planted import network_of, spectrum


def number(value, error=0.1, **others):
    return Quantity(value, error, "planted", "8 samples", "hessian", **others)


@given(
    first=st.floats(-10, 10),
    second=st.floats(-10, 10),
    errors=st.tuples(st.floats(0.01, 5), st.floats(0.01, 5)),
)
def test_two_standard_errors_decide(first, second, errors):
    values = number(first, errors[0]), number(second, errors[1])
    more, less = (Comparison("a", "b", values, more=more) for more in (True, False))
    apart = (second - first) / math.hypot(*errors)
    expected = "can't decide" if abs(apart) <= 2 else ("supports" if apart > 0 else "contradicts")
    assert more.verdict == expected
    opposite = {"supports": "contradicts", "contradicts": "supports"}
    assert less.verdict == opposite.get(expected, expected)
    swapped = Comparison("b", "a", values[::-1], more=False)
    assert swapped.verdict == expected


@pytest.mark.parametrize(
    "values",
    [
        (number(1.0, math.nan), number(9.0)),
        (number(1.0), number(9.0, caveat=LOWER_BOUND)),
        (number(1.0, caveat="of another sign"), number(9.0)),
        (number(1.0, 0.0), number(1.0, 0.0)),
        (number(math.inf, 0.1), number(math.inf, 0.1)),
    ],
)
def test_what_is_not_known_decides_nothing(values):
    for more in (True, False):
        found = Comparison("a", "b", values, more=more)
        assert found.verdict == "can't decide"
        assert found.text.startswith("a ")


def test_exact_numbers_decide():
    found = Comparison("a", "b", (number(1.0, 0.0), number(1.5, 0.0)), more=True)
    assert found.verdict == "supports"
    assert "both exact" in found.text


def test_pairs_are_of_one_architecture():
    members = [
        network_of("vit", "vit", 0.0),
        network_of("other", "vit", 0.0, model_args={"dim": 9}),
        network_of("vit-sam", "vit", 0.1),
        network_of("mixer-sam", "mixer", 0.1),
        network_of("unknown", "vit", None),
    ]
    assert [(a.label, b.label) for a, b in sam_pairs(members)] == [("vit", "vit-sam")]
    assert [one.with_sam for one in members] == [False, False, True, True, None]
    assert [one.family for one in members] == ["ViT", "ViT", "ViT", "Mixer", "ViT"]


def verdict_of(statement, members):
    (found,) = [one for one in judge(members) if statement in one.claim.statement]
    return found


def test_what_sam_does_to_sharpness():
    vit = network_of("vit", "vit", 0.0, 10.0)
    flatter, sharper, same = (
        network_of("vit-sam", "vit", 0.1, value) for value in (2.0, 20.0, 10.05)
    )
    claim = "SAM finds flatter minima"
    assert verdict_of(claim, [vit, flatter]).verdict == "supported"
    assert verdict_of(claim, [vit, sharper]).verdict == "contradicted"
    assert verdict_of(claim, [vit, same]).verdict == "undecided"
    assert verdict_of(claim, [vit]).verdict == "not measured"
    mixer = [network_of("m", "mixer", 0.0, 1.0), network_of("m-sam", "mixer", 0.1, 9.0)]
    both = verdict_of(claim, [vit, flatter, *mixer])
    assert both.verdict == "supported in 1, contradicted in 1 of 2"
    assert both.counts == {"supports": 1, "contradicts": 1, "can't decide": 0}


def test_families_are_compared_without_sam_alone():
    members = [
        network_of("resnet", "resnet", 0.0, 1.0),
        network_of("vit", "vit", 0.0, 5.0),
        network_of("mixer", "mixer", 0.0, 3.0),
        network_of("vit-sam", "vit", 0.1, 0.1),
    ]
    found = verdict_of("λ_max rises in this order", members)
    told = {(one.first, one.second): one.verdict for one in found.comparisons}
    assert told == {
        ("resnet", "vit"): "supports",
        ("resnet", "mixer"): "supports",
        ("vit", "mixer"): "contradicts",
    }


def test_components_of_one_network():
    members = [network_of("vit", "vit", 0.0), network_of("resnet", "resnet", 0.0)]
    found = within("first_block", "last_block", "ViT")(members)
    assert [one.verdict for one in found] == ["supports"]
    assert found[0].values[0].value == 1.5
    assert found[0].values[1].value == 0.5
    assert within("last_block", "embedding", "ViT")(members)[0].verdict == "contradicts"


def test_the_largest_eigenvalue_is_compared_and_not_a_larger_negative_one():
    negative = replace(spectrum("vit", "vit", 0.0, 4.0, 0.1), eigenvalues=np.array([-9.0]))
    one = Network("vit", {"hessian": negative})
    other = network_of("vit-sam", "vit", 0.1, 1.0)
    (found,) = with_sam("sharpness", more=False)([one, other])
    assert [value.value for value in found.values] == [4.0, 1.0]


def test_a_largest_eigenvalue_that_is_not_known_is_not_compared():
    unknown = replace(spectrum("vit", "vit", 0.0, 4.0, 0.1), ends=Eigenvalues.unknown(2))
    one = Network("vit", {"hessian": unknown})
    assert with_sam("sharpness", more=False)([one, network_of("b", "vit", 0.1, 1.0)]) == []


def test_gains_have_both_errors(monkeypatch):
    row = Row("λ", ("hessian",), ROWS["sharpness"].read)
    monkeypatch.setitem(ROWS, "accuracy", row)
    members = [
        network_of("r", "resnet", 0.0, 70.0, 0.3),
        network_of("r-sam", "resnet", 0.1, 71.0, 0.4),
        network_of("v", "vit", 0.0, 60.0, 0.3),
        network_of("v-sam", "vit", 0.1, 65.0, 0.4),
    ]
    (found,) = gains("accuracy", "ResNet", "ViT", "Mixer")(members)
    assert [value.value for value in found.values] == pytest.approx([1.0, 5.0])
    assert [value.error for value in found.values] == pytest.approx([0.5, 0.5])
    assert found.verdict == "supports"
    # Sharper is taken for better here: the flatter network of each pair is the worse one.
    assert flatter_and_better(members[:2])[0].endswith(
        "can't decide whether the flatter one is the better one."
    )
    assert flatter_and_better(members[2:])[0].endswith("the flatter one is the less accurate one.")


def test_every_claim_is_of_numbers_there_are():
    members = [network_of("vit", "vit", 0.0), network_of("vit-sam", "vit", 0.1)]
    for one in judge(members):
        assert one.claim.statement.endswith(".")
        assert one.claim.where.startswith(("Table ", "Figure "))
        for comparison in one.comparisons:
            assert comparison.verdict in ("supports", "contradicts", "can't decide")
    assert len(judge(members)) == len(CLAIMS)
    assert flatter_and_better(members) == [
        "vit and vit-sam: the numbers can't decide whether the flatter one is the better one."
    ]


def test_results_become_networks_in_order():
    found = {"hessian": [spectrum(label, "vit", 0.0, 1.0, 0.1) for label in ("b", "a")]}
    assert [one.label for one in networks(found)] == ["b", "a"]


def test_a_quantity_that_was_not_measured_is_none():
    alone = Network("x", {})
    assert quantity(alone, "sharpness") is None
    spoilt = network_of("vit", "vit", 0.0)
    one = replace(spoilt.results["hessian"], loss=math.nan)
    assert quantity(Network("vit", {"hessian": one}), "train_loss") is None

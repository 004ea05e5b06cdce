"""A claim about methods is decided by several runs of each, by their numbers and errors alone."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from analyses.report.paper.catalog import CLAIMS, flatter_and_better, judge
from analyses.report.paper.claims import OUTCOMES, gains, within
from analyses.report.paper.comparisons import ONE_RUN
from analyses.report.paper.pairs import sam_pairs
from analyses.report.paper.quantities import quantity
from analyses.report.paper.subjects import Run, networks
from tests.analyses.report.paper.planted import (
    FLATTER,
    judgement_of,
    network_of,
    plant_rows,
    planted_network,
    replicates_of,
    spectrum,
)


def test_pairs_are_of_one_architecture():
    members = [
        network_of("vit", "vit", 0.0),
        network_of("other", "vit", 0.0, model_args={"dim": 9}),
        network_of("vit-sam", "vit", 0.1),
        network_of("mixer-sam", "mixer", 0.1),
        network_of("unknown", "vit", None),
    ]
    assert [(a.label, b.label) for a, b in sam_pairs(members)] == [("vit", "vit-sam")]
    assert [network.with_sam for network in members] == [False, False, True, True, None]
    assert [network.family for network in members] == ["ViT", "ViT", "ViT", "Mixer", "ViT"]


@pytest.mark.parametrize("runs", [[2.0], [2.0, 2.1, 1.9]], ids=["of both", "of one"])
def test_one_run_decides_nothing(runs):
    members = [
        replicates_of("vit", "vit", 0.0, [100.0], 1e-9),
        replicates_of("vit-sam", "vit", 0.1, runs, 1e-9),
    ]
    judgement = judgement_of(FLATTER, members)
    assert judgement.verdict == ONE_RUN
    (comparison,) = judgement.comparisons
    assert comparison.verdict == "can't decide"
    words = ONE_RUN if len(runs) == 1 else "can't decide from one run of vit/seed-0"
    assert comparison.text.endswith(f": {words}")
    assert judgement_of("first block's λ_max", members[:1]).verdict == ONE_RUN


def test_a_claim_of_several_comparisons():
    members = [
        replicates_of("vit", "vit", 0.0, [10.0, 10.1, 9.9]),
        replicates_of("vit-sam", "vit", 0.1, [2.0, 2.1, 1.9]),
        replicates_of("m", "mixer", 0.0, [1.0, 1.01, 0.99]),
        replicates_of("m-sam", "mixer", 0.1, [9.0, 9.1, 8.9]),
    ]
    assert judgement_of(FLATTER, members[:2]).verdict == "supported"
    assert judgement_of(FLATTER, members[2:]).verdict == "contradicted"
    assert judgement_of(FLATTER, members[:1]).verdict == "not measured"
    both = judgement_of(FLATTER, members)
    assert both.verdict == "supported in 1, contradicted in 1 of 2"
    assert both.outcome == "mixed"
    assert both.counts == {"supports": 1, "contradicts": 1, "can't decide": 0}


@pytest.mark.parametrize(
    ("kinds", "outcome"),
    [
        ("", "not measured"),
        ("++", "supported"),
        ("--", "contradicted"),
        ("??", "undecided"),
        ("+?", "partly supported"),
        ("?-", "partly contradicted"),
        ("+-?", "mixed"),
    ],
)
def test_the_verdict_in_a_word(kinds, outcome):
    ends = {"+": [2.0, 2.1, 1.9], "-": [99.0, 98.0, 97.0], "?": [9.0, 13.0, 10.0]}
    members = []
    for place, kind in enumerate(kinds):
        size = {"model_args": {"dim": place}}
        members.append(replicates_of(f"n{place}", "vit", 0.0, [10.0, 10.1, 9.9], **size))
        members.append(replicates_of(f"n{place}-sam", "vit", 0.1, ends[kind], **size))
    judgement = judgement_of(FLATTER, members)
    assert len(judgement.comparisons) == len(kinds)
    assert judgement.outcome == outcome
    assert judgement.outcome in OUTCOMES


def test_families_are_compared_without_sam_alone_and_unpaired():
    members = [
        replicates_of("resnet", "resnet", 0.0, [1.0, 1.1, 0.9]),
        replicates_of("vit", "vit", 0.0, [5.0, 5.2, 5.1]),
        replicates_of("mixer", "mixer", 0.0, [3.0, 3.1, 2.9]),
        replicates_of("vit-sam", "vit", 0.1, [0.1, 0.11, 0.1]),
    ]
    judgement = judgement_of("λ_max rises in this order", members)
    verdicts = {
        (each.first.label, each.second.label): each.verdict for each in judgement.comparisons
    }
    assert verdicts == {
        ("resnet", "vit"): "supports",
        ("resnet", "mixer"): "supports",
        ("vit", "mixer"): "contradicts",
    }
    assert not any(each.difference.is_paired for each in judgement.comparisons)


def test_numbers_of_one_network_are_paired_within_each_run(monkeypatch):
    plant_rows(monkeypatch)
    first, last = [4.0, 8.0, 16.0], [2.0, 4.1, 7.9]
    numbers = {
        seed: {"first_block": (first[seed], 0.0), "last_block": (last[seed], 0.0)}
        for seed in range(3)
    }
    members = [planted_network(name, name, 0.0, numbers) for name in ("vit", "resnet")]
    (comparison,) = within("first_block", "last_block", "ViT")(members)
    expected = stats.ttest_rel(np.log(last), np.log(first))
    assert comparison.difference.p == pytest.approx(expected.pvalue)
    assert comparison.second.label == "λ_max, last block"
    assert within("first_block", "first_block", "ViT")(members) == []


def test_gains_are_compared_with_the_errors_of_all_four_numbers(monkeypatch):
    plant_rows(monkeypatch)

    def of(label, family, rho, values, error=0.0):
        numbers = {seed: {"accuracy": (value, error)} for seed, value in enumerate(values)}
        return planted_network(label, family, rho, numbers)

    resnet, resnet_sam = [70.0, 71.0, 70.5], [71.0, 71.5, 71.6]
    vit, vit_sam = [60.0, 61.0, 60.4], [65.0, 66.2, 65.5]

    def members(error):
        return [
            of("r", "resnet", 0.0, resnet, error),
            of("r-sam", "resnet", 0.1, resnet_sam, error),
            of("v", "vit", 0.0, vit, error),
            of("v-sam", "vit", 0.1, vit_sam, error),
        ]

    (comparison,) = gains("accuracy", "ResNet", "ViT", "Mixer")(members(0.0))
    expected = stats.ttest_ind(
        np.subtract(vit_sam, vit), np.subtract(resnet_sam, resnet), equal_var=False
    )
    assert comparison.difference.p == pytest.approx(expected.pvalue)
    assert comparison.difference.value == pytest.approx(
        np.subtract(vit_sam, vit).mean() - np.subtract(resnet_sam, resnet).mean()
    )
    (uncertain,) = gains("accuracy", "ResNet", "ViT", "Mixer")(members(0.3))
    exact = comparison.difference.stderr
    assert uncertain.difference.stderr == pytest.approx(math.sqrt(exact**2 + 4 * 0.3**2))


def test_a_gain_that_is_the_same_in_every_run_is_compared(monkeypatch):
    plant_rows(monkeypatch)

    def of(label, family, rho, values):
        numbers = {seed: {"accuracy": (value, 0.0)} for seed, value in enumerate(values)}
        return planted_network(label, family, rho, numbers)

    gained = [2.0, 2.1, 1.9]
    members = [
        of("r", "resnet", 0.0, [100.0] * 3),
        of("r-sam", "resnet", 0.1, [100.0] * 3),
        of("v", "vit", 0.0, [90.0] * 3),
        of("v-sam", "vit", 0.1, np.add(90.0, gained)),
    ]
    (comparison,) = gains("accuracy", "ResNet", "ViT")(members)
    expected = stats.ttest_1samp(gained, 0.0)
    assert comparison.difference.p == pytest.approx(expected.pvalue)
    assert comparison.difference.dof == pytest.approx(2)


def test_whether_the_flatter_network_is_the_better_one(monkeypatch):
    plant_rows(monkeypatch)

    def of(label, family, rho, sharpness, accuracy):
        noise = (-0.01, 0.0, 0.012)
        numbers = {
            seed: {"sharpness": (sharpness + e, 0.0), "accuracy": (accuracy + e, 0.0)}
            for seed, e in enumerate(noise if rho else reversed(noise))
        }
        return planted_network(label, family, rho, numbers)

    members = [
        of("v", "vit", 0.0, 5.0, 60.0),
        of("v-sam", "vit", 0.1, 1.0, 70.0),
        of("m", "mixer", 0.0, 5.0, 60.0),
        of("m-sam", "mixer", 0.1, 1.0, 50.0),
        of("r", "resnet", 0.0, 5.0, 60.0),
        of("r-sam", "resnet", 0.1, 1.0, 60.0),
    ]
    assert flatter_and_better(members, judge(members)) == [
        "v and v-sam: the flatter one is the more accurate one.",
        "m and m-sam: the flatter one is the less accurate one.",
        "r and r-sam: the numbers can't decide whether the flatter one is the better one.",
    ]


def test_every_claim_is_of_numbers_there_are():
    members = [network_of("vit", "vit", 0.0), network_of("vit-sam", "vit", 0.1)]
    judgements = judge(members)
    assert len(judgements) == len(CLAIMS) == len({claim.title for claim in CLAIMS})
    for judgement in judgements:
        assert judgement.claim.statement.endswith(".")
        assert 0 < len(judgement.claim.title) <= 44
        assert judgement.claim.where.startswith(("Table ", "Figure "))
        assert judgement.verdict in (ONE_RUN, "not measured")
    assert flatter_and_better(members, judgements) == [
        "vit and vit-sam: the numbers can't decide whether the flatter one is the better one."
    ]


def test_results_become_networks_in_order():
    labels = ["b", "c/seed-1", "a", "c/seed-0"]
    results = {"hessian": [spectrum(label, "vit", 0.0, 1.0, 0.1) for label in labels]}
    members = networks(results)
    assert [network.label for network in members] == ["b", "c", "a"]
    assert [run.label for run in members[1].runs] == ["c/seed-1", "c/seed-0"]
    assert [run.seed for run in members[1].runs] == [1, 0]


def test_a_quantity_that_was_not_measured_is_none():
    assert quantity(Run("x", {}), "sharpness") is None
    (run,) = network_of("vit", "vit", 0.0).runs
    spoilt = replace(run.results["hessian"], loss=math.nan)
    assert quantity(Run("vit", {"hessian": spoilt}), "train_loss") is None

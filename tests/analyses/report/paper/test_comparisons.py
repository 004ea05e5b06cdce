"""Two methods are compared by several runs of each, in pairs or after Welch, with every error."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from analyses.hessian.eigenvalues import Eigenvalues
from analyses.report.paper.catalog import judge
from analyses.report.paper.claims import with_sam
from analyses.report.paper.quantities import ROWS, Row
from analyses.report.paper.quantity import LOWER_BOUND, Quantity
from analyses.report.paper.subjects import networks
from tests.analyses.report.paper.planted import (
    FLATTER,
    SHARP,
    judgement_of,
    network_of,
    plant_rows,
    planted_network,
    replicates_of,
    spectrum,
)


def test_runs_of_the_same_seeds_are_paired():
    sam = [3.0, 3.5, 3.4]
    members = [
        replicates_of("vit", "vit", 0.0, SHARP),
        replicates_of("vit-sam", "vit", 0.1, sam),
    ]
    (comparison,) = with_sam("sharpness", more=False)(members)
    expected = stats.ttest_rel(np.log(sam), np.log(SHARP))
    assert comparison.difference.p == pytest.approx(expected.pvalue)
    low, high = comparison.difference.interval()
    assert [low, high] == pytest.approx(list(expected.confidence_interval(0.95)))
    assert comparison.difference.is_paired
    ratio = math.exp(np.mean(np.log(sam)) - np.mean(np.log(SHARP)))
    assert f"ratio {ratio:.3f} [" in comparison.text
    judgement = judgement_of(FLATTER, members)
    assert judgement.verdict == "supported"
    tested = [each for claim in judge(members) for each in claim.comparisons if each.difference]
    assert judgement.comparisons[0].adjusted == pytest.approx(expected.pvalue * len(tested))


def test_runs_of_other_seeds_are_compared_after_welch():
    sam = [3.0, 3.5, 3.4, 3.2]
    members = [
        replicates_of("vit", "vit", 0.0, SHARP, seeds=(0, 1, 2)),
        replicates_of("vit-sam", "vit", 0.1, sam, seeds=(2, 3, 4, 5)),
    ]
    (comparison,) = with_sam("sharpness", more=False)(members)
    expected = stats.ttest_ind(np.log(sam), np.log(SHARP), equal_var=False)
    assert comparison.difference.p == pytest.approx(expected.pvalue)
    assert not comparison.difference.is_paired
    assert "Welch's t(" in comparison.text


def test_no_run_is_left_out_for_the_sake_of_pairs():
    sharp, flat = [9.0, 10.0, 8.0, 11.0], [3.0, 3.1, 2.8]
    members = [
        replicates_of("vit", "vit", 0.0, sharp, seeds=(0, 1, 7, 9)),
        replicates_of("vit-sam", "vit", 0.1, flat, seeds=(0, 1, 8)),
    ]
    (comparison,) = with_sam("sharpness", more=False)(members)
    expected = stats.ttest_ind(np.log(flat), np.log(sharp), equal_var=False)
    assert comparison.difference.p == pytest.approx(expected.pvalue)
    shuffled = [
        members[0],
        replicates_of("vit-sam", "vit", 0.1, [3, 3.1, 2.8, 3.2], seeds=(9, 7, 0, 1)),
    ]
    (comparison,) = with_sam("sharpness", more=False)(shuffled)
    expected = stats.ttest_rel(np.log([2.8, 3.2, 3.1, 3]), np.log(sharp))
    assert comparison.difference.p == pytest.approx(expected.pvalue)


def test_the_error_of_measurement_enters():
    def p_with(error):
        members = [
            replicates_of("vit", "vit", 0.0, SHARP, error),
            replicates_of("vit-sam", "vit", 0.1, [7.0, 7.1, 7.2], error),
        ]
        (comparison,) = with_sam("sharpness", more=False)(members)
        return comparison.difference.stderr

    relative = np.mean([(1 / v) ** 2 for v in SHARP]) + np.mean(
        [(1 / v) ** 2 for v in (7, 7.1, 7.2)]
    )
    assert p_with(1.0) == pytest.approx(math.sqrt(p_with(0.0) ** 2 + relative))


def test_the_largest_eigenvalue_is_compared_and_not_a_larger_negative_one():
    negative = replace(spectrum("vit", "vit", 0.0, 4.0, 0.1), eigenvalues=np.array([-9.0]))
    (comparison,) = with_sam("sharpness", more=False)(
        [
            *networks({"hessian": [negative]}),
            network_of("vit-sam", "vit", 0.1, 1.0),
        ]
    )
    assert comparison.first.text == "4.00 ± 0.10"


def test_a_largest_eigenvalue_that_is_not_known_is_not_compared():
    unknown = replace(spectrum("vit", "vit", 0.0, 4.0, 0.1), ends=Eigenvalues.unknown(2))
    members = [*networks({"hessian": [unknown]}), network_of("b", "vit", 0.1, 1.0)]
    assert with_sam("sharpness", more=False)(members) == []


def test_what_can_not_be_compared_decides_nothing(monkeypatch):
    def judged(caveat="", values=SHARP, error=0.1):
        row = Row(
            "λ",
            ("hessian",),
            lambda result: Quantity(
                float(result.eigenvalues[0]), error, "planted", "", "hessian", caveat
            ),
        )
        monkeypatch.setitem(ROWS, "sharpness", row)
        members = [
            replicates_of("vit", "vit", 0.0, values),
            replicates_of("vit-sam", "vit", 0.1, [1.0, 1.1, 1.2]),
        ]
        (comparison,) = judgement_of(FLATTER, members).comparisons
        assert comparison.verdict == "can't decide"
        return comparison.text

    assert judged(LOWER_BOUND).endswith(LOWER_BOUND)
    assert judged(values=[1.0, math.inf, 2.0]).endswith("a number is not finite")
    assert judged(error=math.nan).endswith("its error of measurement is not known")


def test_a_largest_eigenvalue_that_has_not_converged_is_a_lower_bound():
    members = replicates_of("vit", "vit", 0.0, SHARP), replicates_of("s", "vit", 0.1, [1, 1.1, 1.2])
    for run in members[1].runs:
        ends = run.results["hessian"].ends
        unconverged = replace(ends, converged=np.zeros(2, bool))
        run.results["hessian"] = replace(run.results["hessian"], ends=unconverged)
    (comparison,) = with_sam("sharpness", more=False)(members)
    assert comparison.difference is None
    assert comparison.second.text == "> 1.10 ± 0.10 (n = 3)"
    assert comparison.text.endswith(LOWER_BOUND)


def test_one_number_is_compared_once(monkeypatch):
    plant_rows(monkeypatch)
    noise = {k: {"noisy_loss": (k, 0.1), "noisiest_loss": (k, 0.1)} for k in range(2)}
    members = [planted_network("v", "vit", 0.0, noise), planted_network("s", "vit", 0.1, noise)]
    assert len(with_sam("noisy_loss", "noisiest_loss", more=False)(members)) == 1


def test_runs_that_do_not_differ_decide_nothing():
    members = [
        replicates_of("vit", "vit", 0.0, [3.0, 3.0]),
        replicates_of("vit-sam", "vit", 0.1, [1.0, 1.0]),
    ]
    (comparison,) = with_sam("sharpness", more=False)(members)
    assert comparison.text.endswith("the runs don't differ at all")
    assert comparison.verdict == "can't decide"

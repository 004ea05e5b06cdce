"""What is decided where nothing differs, and whether what does differ is found."""

import math

import numpy as np
import pytest
from scipy import stats

from analyses.report.paper.catalog import judge
from analyses.report.paper.comparisons import POSITIVE_SCALES
from analyses.report.paper.inference import LEVEL
from analyses.report.paper.quantities import ROWS
from tests.analyses.report.paper.planted import plant_rows, planted_network
from tests.profile import some

FAMILIES = ("vit", "mixer", "resnet")
# The spread over seeds, and the error of measurement that all runs of a page have in common.
SPREAD, ERROR = 0.1, 0.05


def runs_of(rng, names, shared, count, shift=0.0):
    """Numbers by seed of networks that differ in their seed alone, each with mean ``shift``."""
    runs = {}
    for seed in range(count):
        numbers = {}
        for name in names:
            value = shift + SPREAD * rng.normal() + shared[name]
            is_log = name in POSITIVE_SCALES
            value = math.exp(value) if is_log else value
            numbers[name] = (value, ERROR * (value if is_log else 1.0))
        runs[seed] = numbers
    return runs


def page(rng, names, count, families=FAMILIES, shift=0.0):
    """Half of the runs of each family labelled SAM; ``shift`` is added to these."""
    members = []
    for family in families:
        for label, rho, added in ((family, 0.0, 0.0), (f"{family}-sam", 0.1, shift)):
            shared = {name: ERROR * rng.normal() for name in names}
            numbers = runs_of(rng, names, shared, count, added)
            members.append(planted_network(label, family, rho, numbers))
    return [comparison for judgement in judge(members) for comparison in judgement.comparisons]


@pytest.mark.parametrize("count", some([3, 2, 6], 1))
def test_of_labels_that_mean_nothing_one_page_in_twenty_decides_anything(monkeypatch, count):
    plant_rows(monkeypatch)
    rng = np.random.default_rng(count)
    pages = 60
    wrong = 0
    for _ in range(pages):
        comparisons = page(rng, list(ROWS), count)
        assert len(comparisons) > 20
        wrong += any(comparison.verdict != "can't decide" for comparison in comparisons)
    # Fewer, since the error of measurement is added in full.
    assert wrong <= LEVEL * pages


def test_one_comparison_alone_is_decided_as_often_as_stated(monkeypatch):
    """Without an error of measurement Student's t is exact: 5 % of the verdicts, no fewer."""
    plant_rows(monkeypatch)
    monkeypatch.setattr("tests.analyses.report.paper.test_null.ERROR", 0.0)
    rng = np.random.default_rng(5)
    pages = 400
    decided = 0
    for _ in range(pages):
        (comparison,) = page(rng, ["sharpness"], 3, ("vit",))
        decided += comparison.verdict != "can't decide"
    low, high = stats.binom.ppf([0.001, 0.999], pages, LEVEL)
    assert low <= decided <= high


def test_three_standard_deviations_are_found_as_often_as_they_can_be(monkeypatch):
    """The power of a paired t test is that of the noncentral distribution."""
    plant_rows(monkeypatch)
    monkeypatch.setattr("tests.analyses.report.paper.test_null.ERROR", 0.0)
    rng = np.random.default_rng(6)
    pages, count = 150, 5
    supported = 0
    for _ in range(pages):
        (comparison,) = page(rng, ["sharpness"], count, ("vit",), shift=-3 * SPREAD)
        assert comparison.verdict != "contradicts"
        supported += comparison.verdict == "supports"
    noncentrality = 3 / math.sqrt(2 / count)
    critical = stats.t.ppf(1 - LEVEL / 2, count - 1)
    power = stats.nct.sf(critical, count - 1, noncentrality)
    assert power > 0.9
    low, high = stats.binom.ppf([0.001, 0.999], pages, power)
    assert low <= supported <= high


def test_three_standard_deviations_are_found_among_all_claims(monkeypatch):
    """On a page of all claims eight runs of each find it; the correction costs that many."""
    plant_rows(monkeypatch)
    monkeypatch.setattr("tests.analyses.report.paper.test_null.ERROR", 0.0)
    rng = np.random.default_rng(7)
    comparisons = page(rng, list(ROWS), 16, shift=-3 * SPREAD)
    flatter = [each for each in comparisons if each.first.label in FAMILIES and not each.more]
    assert len(flatter) > 8
    assert sum(each.verdict == "supports" for each in flatter if "sam" in each.second.label) > 8

"""What analyses cost: counts of small problems, the record of all of them, and the page."""

import math

import pytest
import torch
from torch import nn
from torch.func import functional_call

from analyses.catalog import known_analyses
from benchmarks.cost.__main__ import PAGE, RECORD, Record
from benchmarks.cost.cards import WORKS, bytes_of
from benchmarks.cost.cases import CASES, Size
from benchmarks.cost.counting import Meter, count
from benchmarks.cost.formulas import COSTS, SYMBOLS, Formula
from benchmarks.cost.large import simulate
from benchmarks.cost.measuring import measure, rows_of_basis, units_of
from benchmarks.cost.page import SERIES, slope_of, with_tables
from landscape.curvature.forward_mode import second_derivatives_along
from tests.profile import some

RECORDED = Record.read(RECORD)
WITHIN = 0.05
RATIO_WITHIN = 0.1
QUANTITIES = ("operations", "peak", "file")


def test_a_meter_counts_operations_and_what_is_there_at_once():
    before = torch.ones(7, 20)
    with Meter() as meter:
        first = before @ torch.ones(20, 30)  # 7 x 30 numbers, beside 20 x 30
        del first
        second = torch.ones(40)
        second.view(4, 10).add_(1)
    assert meter.operations == 2 * 7 * 20 * 30
    assert meter.peak == 4 * (20 * 30 + 7 * 30)
    assert meter.current == 4 * 40


def test_a_gradient_of_a_linear_layer_costs_three_passes_less_that_to_the_input():
    layer, inputs = nn.Linear(8, 5), torch.randn(3, 8)
    forward = count(lambda: layer(inputs), nn.Linear)
    gradient = count(lambda: torch.autograd.grad(layer(inputs).sum(), [layer.weight]), nn.Linear)
    assert (forward.operations, forward.calls.forwards) == (2 * 3 * 8 * 5, 3)
    assert gradient.operations == 2 * forward.operations


def test_a_grouped_convolution_is_counted_as_what_it_multiplies():
    inputs = torch.randn(2, 6, 5, 5, requires_grad=True)
    layer = nn.Conv2d(6, 6, 3, padding=1, groups=3, bias=False)
    forward = count(lambda: layer(inputs), nn.Conv2d)
    both = count(
        lambda: torch.autograd.grad(layer(inputs).sum(), [inputs, layer.weight]), nn.Conv2d
    )
    assert forward.operations == 2 * 2 * 6 * 25 * (2 * 9)
    assert both.operations == 3 * forward.operations


def test_formulas():
    assert Formula("2 k N + 3 N").value({"k": 5, "N": 10}) == 130
    assert Formula("6 P | 3 P + A").value({"P": 1, "A": 4}) == 7
    assert str(Formula("2 k N + N")) == "2·k·N + N"
    with pytest.raises(KeyError):
        Formula("k N").value({"N": 1})
    assert [rows_of_basis(steps) for steps in (15, 16, 31, 32)] == [16, 48, 48, 96]


def test_every_analysis_has_a_cost_and_a_case():
    assert set(COSTS) == set(CASES) == set(known_analyses()) - {"curves"}
    assert len(set(SYMBOLS)) == len(SYMBOLS)


@pytest.mark.parametrize("name", some(["norms", "line", "surface"], 1))
def test_counts_of_small_problems_are_what_the_formulas_say(name):
    for size in (Size(16, 16, 5), Size(16, 32, 5), Size(24, 16, 7)):
        measured = measure(name, "", size)
        units = units_of(size.width)
        assert measured.passes == measured.expected("passes", units)
        assert measured.operations == pytest.approx(measured.expected("operations", units))
        assert measured.peak == pytest.approx(measured.expected("peak", units), rel=WITHIN)
        assert measured.file == pytest.approx(measured.expected("file", units), rel=WITHIN)


def test_every_pass_of_curvature_is_counted():
    size = Size(16, 16, 1)
    measured, units = measure("sharpness", "", size), units_of(size.width)
    assert measured.sizes["v"] == 2
    assert measured.passes == measured.expected("passes", units)
    for quantity in ("operations", "peak", "file"):
        expected = measured.expected(quantity, units)
        assert getattr(measured, quantity) == pytest.approx(expected, rel=WITHIN)


def test_every_analysis_is_in_the_record():
    assert {each.analysis for each in RECORDED.measured} == set(COSTS)


@pytest.mark.parametrize("name", sorted(COSTS))
def test_the_record_grows_as_the_formulas_say(name):
    whole = [each for each in RECORDED.measured if each.analysis == name]
    assert slope_of(whole, RECORDED.units, "passes").ratios == (1.0,) * len(whole)
    for quantity in QUANTITIES:
        for ratio in slope_of(whole, RECORDED.units, quantity).ratios:
            assert ratio == pytest.approx(1, abs=RATIO_WITHIN)
    for varied in SERIES:
        series = [each for each in whole if each.varied == varied]
        assert len(series) in (0, 4)
        for quantity in QUANTITIES:
            slope = slope_of(series, RECORDED.units, quantity)
            assert slope is None or math.isnan(slope.slope) or abs(slope.slope - 1) <= WITHIN


def test_the_page_is_made_of_the_record():
    page = PAGE.read_text(encoding="utf-8")
    assert with_tables(page, RECORDED.tables) == page
    assert len(RECORDED.tables) > 1000


def test_a_network_is_simulated_as_it_is_computed():
    def network():
        return nn.Sequential(nn.Linear(6, 8), nn.GELU(), nn.Linear(8, 3))

    with torch.device("meta"):
        model = network()
    simulated = simulate(
        "tiny", "a row", model, lambda net: net(torch.empty(1, 6, device="meta")).square().sum()
    )
    real, inputs = network(), torch.randn(1, 6)
    counts = count(lambda: real(inputs).square().sum().backward(), nn.Sequential)
    assert simulated.parameters == 6 * 8 + 8 + 8 * 3 + 3
    assert simulated.forward == 2 * (6 * 8 + 8 * 3)
    assert simulated.gradient == counts.operations
    weights = dict(real.named_parameters())
    with Meter() as meter:
        second_derivatives_along(lambda new: functional_call(real, new, inputs), weights, weights)
    assert simulated.along == meter.operations


def test_what_a_card_has_to_hold_grows_with_the_network():
    small, _, large = RECORDED.networks
    for work in WORKS:
        assert bytes_of(work, small) < bytes_of(work, large)
        assert bytes_of(work, large) > 8 * large.parameters

"""A report refines large surfaces, says so, and takes an exact one that is there."""

from dataclasses import replace

import numpy as np
import pytest

from analyses import surface
from analyses.analysis import Analysis
from analyses.run_context import RunContext
from analyses.runner import measure
from analyses.surface.settings import REFINED_SIDE, Settings, answered_by, on_screen
from analyses.surface.tables import REFINED
from tests.analyses.problems import objective

SIDE = (-1.0, 1.0, REFINED_SIDE)
LARGE = Settings(x=SIDE, y=SIDE)


@pytest.mark.parametrize(
    ("settings", "given", "refines"),
    [
        (LARGE, (), True),
        (LARGE, ("x", "y", "tolerance"), True),
        (LARGE, ("refine",), False),
        (replace(LARGE, refine=True), ("refine",), True),
        (replace(LARGE, y=(-1, 1, REFINED_SIDE - 1)), (), False),
        (Settings(x=(0, 1, 2), y=(0, 1, 3)), (), False),
        (Settings(), (), True),
    ],
)
def test_large_grids_are_refined_unless_a_flag_says_otherwise(settings, given, refines):
    chosen = on_screen(settings, given)
    assert chosen.refine == refines
    assert replace(chosen, refine=settings.refine) == settings


def test_an_exact_surface_answers_a_refined_question_and_not_the_other_way_round():
    asked = replace(LARGE, refine=True, tolerance=0.02)
    assert answered_by(asked, LARGE) == LARGE
    assert answered_by(LARGE, asked) == LARGE != asked
    assert answered_by(asked, replace(asked, tolerance=0.1)) == asked
    assert answered_by(asked, replace(LARGE, seed=1)) != replace(LARGE, seed=1)


@pytest.fixture
def counted(monkeypatch):
    """The settings of every computation."""
    computed = []
    compute = Analysis.compute

    def note(self, problem, settings, context):
        computed.append(settings)
        return compute(self, problem, settings, context)

    monkeypatch.setattr(Analysis, "compute", note)
    return computed


def test_what_is_stored_is_taken_or_kept(tmp_path, counted):
    problem, context = objective(), RunContext(tmp_path)
    refined = replace(LARGE, refine=True)
    measure(surface.ANALYSIS, problem, refined, context)
    exact = measure(surface.ANALYSIS, problem, LARGE, context)
    assert counted == [refined, LARGE]
    assert (tmp_path / "surface.1.h5").exists()
    again = measure(surface.ANALYSIS, problem, refined, context)
    assert counted == [refined, LARGE]
    np.testing.assert_array_equal(again.loss, exact.loss)
    assert again.measured.all()


def test_the_table_says_what_was_interpolated():
    problem = objective()
    exact = surface.compute(problem, LARGE)
    refined = surface.compute(problem, replace(LARGE, refine=True))
    assert list(surface.tabulate([exact])) == [""]
    tables = surface.tabulate([exact, refined])
    (row,) = tables[REFINED]
    count = int(refined.measured.sum())
    assert 169 <= count < REFINED_SIDE**2
    assert row["points measured"] == f"{count} of {REFINED_SIDE**2}"
    assert float(row["tolerance, %"]) == 1
    errors = refined.errors["train_loss"][~refined.measured]
    shown = float(row["root mean square of the standard errors of the rest"].removesuffix(" %"))
    assert shown == pytest.approx(100 * np.sqrt(np.mean(errors**2)), rel=0.01)
    largest = float(row["the largest of them"].removesuffix(" %"))
    assert largest == pytest.approx(100 * errors.max(), rel=0.01)
    assert shown > 0

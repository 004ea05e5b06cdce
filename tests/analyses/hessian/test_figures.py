"""Pictures of Hessian spectra."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.integrate import trapezoid
from torch import nn

from analyses import hessian
from analyses.hessian.density_figures import linear_region, symmetric_log_grid
from analyses.hessian.settings import Settings
from landscape.curvature.operators import CurvatureOperator
from landscape.eigen.operator import rademacher_vectors
from landscape.eigen.quadrature import Quadrature, stochastic_lanczos
from landscape.objective.objective import Objective
from tests.analyses.case_objectives import case_objective
from tests.analyses.pictures import coloured, render
from tests.analyses.problems import objective, result, results
from tests.oracles.cases import BY_NAME
from tests.profile import some


def flat_spectrum():
    """Of a loss that is linear in theta: every eigenvalue is 0."""
    problem = Objective(
        nn.Linear(3, 1),
        (torch.randn(4, 3), torch.zeros(4, 1)),
        lambda outputs, targets: (outputs - targets).mean(),
        device="cpu",
    )
    return hessian.compute(problem, Settings(top=2, probes=2, density_steps=3))


def test_a_hessian_of_zeros_is_measured():
    spectrum = flat_spectrum()
    assert spectrum.eigenvalues.tolist() == [0, 0]
    assert spectrum.converged.all()
    assert spectrum.quadrature.trace == 0
    hessian.tabulate([spectrum])


def test_a_hessian_of_zeros_can_be_drawn():
    flat = flat_spectrum()
    render(hessian.draw([flat])["hessian"])
    render(hessian.draw([flat, result("hessian")])["hessian"])


def scaled(spectrum, factor):
    quadrature = spectrum.quadrature
    return replace(
        spectrum,
        eigenvalues=factor * spectrum.eigenvalues,
        quadrature=Quadrature(
            factor * quadrature.nodes, quadrature.weights, factor * quadrature.traces
        ),
    )


@pytest.mark.parametrize("factor", some([-1.0, 1e-15, 1e-4, 1e6, 1e20], 3))
def test_spectra_of_every_size_can_be_drawn(factor):
    spectrum = result("hessian")
    assert (
        min(coloured(hessian.draw([spectrum, scaled(spectrum, factor)])["hessian"]).values()) > 20
    )


def test_pairs_that_did_not_converge_can_be_drawn():
    spectrum = replace(
        result("hessian"),
        residuals=np.array([1e-7, 2.0, np.inf]),
        converged=np.array([True, False, False]),
    )
    page = hessian.draw([spectrum])["hessian"]
    assert "cross: not converged" in page.axes[0].get_xlabel()
    render(page)
    assert hessian.tabulate([spectrum])["Spectrum"][0]["converged"] == "1 only"


def test_results_with_and_without_a_density_can_be_drawn_together():
    bare = hessian.compute(objective(), Settings(top=5, probes=0))
    together = hessian.draw([bare, result("hessian")])["hessian"]
    assert len(together.axes) == 2
    assert min(coloured(together).values()) > 20
    alone = hessian.draw([bare])["hessian"]
    assert len(alone.axes) == 1
    assert min(coloured(alone).values()) > 20


def test_single_eigenvalues_have_no_panel_of_ranks():
    """They stand over the densities; without a density the ranks are all there is."""
    several = results("hessian", 2)
    alone = [hessian.compute(objective(), Settings(top=1, probes=2, density_steps=4))]
    bare = [hessian.compute(objective(), Settings(top=1, probes=0))]
    labels = [
        {axes.get_xlabel().partition(";")[0] for axes in hessian.draw(shown)["hessian"].get_axes()}
        for shown in (several, alone, alone + bare)
    ]
    assert ["rank by magnitude" in each for each in labels] == [True, False, True]


def test_negative_eigenvalues_are_marked():
    page = hessian.draw([scaled(result("hessian"), -1.0)])["hessian"]
    assert "triangle: negative" in page.axes[0].get_xlabel()


def test_the_axis_turns_logarithmic_below_the_outliers():
    shown = results("hessian", 2)
    smallest = min(abs(spectrum.eigenvalues[0]) for spectrum in shown)
    linear = linear_region(shown)
    assert math.log10(linear) == pytest.approx(round(math.log10(linear)), abs=1e-12)
    assert linear <= smallest / 100 < 10 * linear * (1 + 1e-12)


def test_the_grid_of_the_density_covers_both_ends():
    grid = symmetric_log_grid(-2.0, 50.0, 0.1)
    assert (np.diff(grid) > 0).all()
    assert grid[0] == pytest.approx(-2.3)
    assert grid[-1] == pytest.approx(57.5)
    assert np.abs(grid).min() < 0.1


def test_the_density_that_is_drawn_has_its_mass_where_the_eigenvalues_are():
    case = BY_NAME["mlp with an unused layer"]
    operator = CurvatureOperator(case_objective("mlp with an unused layer"))
    generator = torch.Generator().manual_seed(0)
    probes = rademacher_vectors(operator, 30, generator)
    quadrature, _ = stochastic_lanczos(operator, probes, 40, generator)
    truth = np.linalg.eigvalsh(case.hessian())
    grid = symmetric_log_grid(truth[0], truth[-1], 0.01, 4000)
    mean, error = quadrature.density(grid)
    for low, high in ((-0.05, 0.05), (0.3, 10.0), (-10.0, -0.3)):
        inside = (grid > low) & (grid < high)
        mass, spread = (trapezoid(y[inside], grid[inside]) for y in (mean, error))
        expected = ((truth > low) & (truth < high)).mean()
        assert mass == pytest.approx(expected, abs=4 * spread + 0.02)

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from analyses import hessian
from analyses.hessian.density_figures import linear_region, symmetric_log_grid
from analyses.hessian.measure import METHODS, Settings
from landscape.autograd.gradient_graph import GradientGraph
from landscape.curvature.operators import CurvatureOperator
from landscape.curvature.sampling import _slices
from landscape.eigen.operator import rademacher_vectors
from landscape.eigen.quadrature import Quadrature, stochastic_lanczos
from landscape.errors import InputError, LandscapeError
from landscape.objective.objective import Objective
from tests.analyses.pictures import coloured, render
from tests.analyses.problems import network, objective, result, results, samples
from tests.landscape.eigen.planted import by_magnitude
from tests.oracles.cases import BY_NAME


def objective_of(name, dtype=torch.float64):
    case = BY_NAME[name]
    model = case.model().to(dtype)
    return Objective(model, case.data, case.loss, batch_size=3, device="cpu", dtype=dtype)


# --------------------------------------------------------------------------------- the numbers


@pytest.mark.parametrize("method", ["lanczos", "power"])
def test_every_method_finds_the_eigenvalues_of_the_dense_hessian(method):
    name = "mlp with tied weights"
    found = hessian.compute(
        objective_of(name), Settings(top=3, method=method, probes=0, max_steps=400)
    )
    expected = by_magnitude(np.linalg.eigvalsh(BY_NAME[name].hessian()))[:3]
    error = np.abs(found.eigenvalues - expected)
    assert (error <= found.residuals * np.abs(expected) + 1e-13).all()
    np.testing.assert_allclose(found.eigenvalues, expected, rtol=1e-6)


def test_pyhessian_finds_them_too():
    name = "mlp with tied weights"
    found = hessian.compute(objective_of(name), Settings(top=2, method="pyhessian", probes=0))
    expected = by_magnitude(np.linalg.eigvalsh(BY_NAME[name].hessian()))[:2]
    np.testing.assert_allclose(found.eigenvalues, expected, rtol=1e-5)
    # Two certificates and a sampling error, besides what the components took.
    assert found.products - found.block_products == 3


def test_loss_gradient_and_trace():
    case = BY_NAME["mixer"]
    found = hessian.compute(objective_of("mixer"), Settings(top=1, probes=40, density_steps=2))
    model, (inputs, targets) = case.model(), case.data
    assert found.loss == pytest.approx(case.loss(model(inputs), targets).item(), rel=1e-12)
    assert found.gradient_norm == pytest.approx(case.gradient().norm().item(), rel=1e-10)
    headline = found.headline()
    assert abs(headline["trace"] - case.hessian().trace().item()) < 4 * headline["trace_stderr"]
    traces = found.quadrature.traces
    assert traces.shape == (40,)
    # What the first eigenvector is known to contribute has no error any more.
    assert headline["trace_stderr"] < found.quadrature.trace_stderr
    norm = np.linalg.norm(case.hessian())
    assert abs(headline["frobenius"] - norm) < 4 * headline["frobenius_stderr"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("probes", [0, 1, 3])
def test_products_are_counted_as_they_are_made(method, probes, monkeypatch):
    problem = objective()
    made = []
    products = GradientGraph.products

    def count(graph, columns, *rest, **options):
        made.append(columns.shape[1])
        return products(graph, columns, *rest, **options)

    monkeypatch.setattr(GradientGraph, "products", count)
    settings = Settings(top=2, method=method, probes=probes, density_steps=5, max_steps=10)
    found = hessian.compute(problem, settings)
    # The sampling error's product goes through smaller pieces than batches.
    pieces = len(list(_slices(problem)))
    assert (found.products - 1) * len(problem.batches) + pieces == sum(made)
    steps = {"pyhessian": 0}.get(method, found.steps)
    # Two certificates, and one product for the sampling error.
    assert found.products - found.block_products == steps + 2 + 5 * probes + 1


def test_a_seed_means_one_answer():
    one, again = (hessian.compute(objective(), Settings(top=2, seed=3)) for _ in range(2))
    np.testing.assert_array_equal(one.eigenvalues, again.eigenvalues)
    np.testing.assert_array_equal(one.quadrature.traces, again.quadrature.traces)
    other = hessian.compute(objective(), Settings(top=2, seed=4))
    assert not np.array_equal(one.quadrature.traces, other.quadrature.traces)
    np.testing.assert_allclose(other.eigenvalues, one.eigenvalues, rtol=1e-4)


def test_the_tolerance_is_passed_on():
    tight = hessian.compute(objective_of("vit"), Settings(top=2, tol=1e-11, probes=0))
    loose = hessian.compute(objective_of("vit"), Settings(top=2, tol=1e-2, probes=0))
    assert tight.converged.all()
    assert (tight.residuals <= 1e-11).all()
    assert loose.converged.all()
    assert loose.products < tight.products


# -------------------------------------------------------------------------------- the contract


def strict_json(found, path):
    found.write_json(path)
    return json.loads(path.read_text(), parse_constant=lambda word: pytest.fail(word))


@pytest.mark.parametrize("method", METHODS)
def test_the_json_has_what_others_rely_on(tmp_path, method):
    settings = Settings(top=3, method=method, probes=2, density_steps=4)
    found = hessian.compute(objective("a label"), settings)
    content = strict_json(found, tmp_path / "hessian.json")
    assert content["label"] == "a label"
    assert content["analysis"] == "hessian"
    assert content["eigenvalues"] == found.eigenvalues.tolist()
    assert np.all(np.diff(np.abs(content["eigenvalues"])) <= 0)
    assert content["residuals"] == found.residuals.tolist()
    assert len(content["residuals"]) == 3
    assert content["converged"] is bool(found.converged.all())
    assert [pair["eigenvalue"] for pair in content["eigenpairs"]] == content["eigenvalues"]
    assert [pair["residual"] for pair in content["eigenpairs"]] == content["residuals"]
    assert [pair["converged"] for pair in content["eigenpairs"]] == found.converged.tolist()
    for name in ("trace", "trace_stderr", "loss", "gradient_norm", "seconds"):
        assert isinstance(content[name], float), name
    assert isinstance(content["products"], int)
    assert content["seconds"] == content["provenance"]["seconds"]
    assert content["settings"]["method"] == method


def test_converged_means_all_of_them(tmp_path):
    found = replace(result("hessian"), converged=np.array([True, False, True]))
    assert strict_json(found, tmp_path / "x.json")["converged"] is False
    found = replace(result("hessian"), converged=np.array([True, True, True]))
    assert strict_json(found, tmp_path / "x.json")["converged"] is True


def test_without_probes_there_is_no_trace(tmp_path):
    found = hessian.compute(objective(), Settings(top=2, probes=0))
    content = strict_json(found, tmp_path / "hessian.json")
    assert content["trace"] is None
    assert content["trace_stderr"] is None
    assert found.quadrature.nodes.size == found.quadrature.traces.size == 0
    assert found.products - found.block_products == found.steps + 3
    assert hessian.tabulate([found])["Spectrum"][0]["trace, ± standard error"] == "not measured"


def test_a_single_probe_has_no_standard_error(tmp_path):
    found = hessian.compute(objective(), Settings(top=1, probes=1, density_steps=3))
    content = strict_json(found, tmp_path / "hessian.json")
    assert content["trace"] == found.trace.value
    assert content["trace_stderr"] is None
    row = hessian.tabulate([found])["Spectrum"][0]
    assert "no error" in row["trace, ± standard error"]
    assert "no error" in row["negative share of Σ|λ|, %"]
    for picture in hessian.draw([found]).values():
        render(picture)


# ------------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"top": 0}, "--top has to be at least 1, got 0"),
        ({"max_steps": 0}, "--max-steps has to be at least 1"),
        ({"density_steps": -1}, "--density-steps has to be at least 1"),
        ({"probes": -1}, "--probes can't be negative"),
        ({"tol": 0.0}, "--tol has to be positive"),
        ({"tol": -1e-3}, "--tol has to be positive"),
        ({"tol": math.nan}, "--tol has to be positive"),
        ({"l2": -1.0}, "--l2 can't be negative"),
        ({"l2": math.nan}, "--l2 can't be negative"),
        ({"which": "ends", "method": "power"}, "--which ends is for lanczos, got --method power"),
        ({"l2": 0.1, "method": "pyhessian"}, "--method pyhessian knows neither"),
        ({"matrix": "ggn", "method": "pyhessian"}, "--method pyhessian knows neither"),
        ({"group": ("a",)}, "--group takes NAME=REGEX, got 'a'"),
        ({"group": ("a=",)}, "--group takes NAME=REGEX"),
        ({"group": ("a=x", "a=y")}, "--group names 'a' twice"),
    ],
)
def test_settings_that_ask_for_nothing_are_refused(changed, message):
    with pytest.raises(InputError, match=message):
        Settings(**changed)


@pytest.mark.parametrize("method", METHODS)
def test_more_eigenvalues_than_parameters_are_refused(method):
    problem = objective_of("linear regression")
    with pytest.raises(InputError, match="--top 13 is more than the 12 parameters"):
        hessian.compute(problem, Settings(top=13, method=method))


@pytest.mark.parametrize("method", METHODS)
def test_a_network_that_is_not_finite_is_refused_in_words(method):
    broken = network()
    with torch.no_grad():
        broken[0].weight[0, 0] = math.nan
    problem = Objective(broken, samples(), device="cpu")
    with pytest.raises(LandscapeError):
        hessian.compute(problem, Settings(top=1, method=method, max_steps=4, density_steps=3))


def test_unused_parameters_are_no_trouble():
    found = hessian.compute(objective_of("mlp with an unused layer"), Settings(top=3, probes=2))
    assert found.converged.all()
    with pytest.raises(InputError, match="use --method lanczos"):
        hessian.compute(objective_of("mlp with an unused layer"), Settings(method="pyhessian"))


# ------------------------------------------------------------------------------------ pictures


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
    found = flat_spectrum()
    assert found.eigenvalues.tolist() == [0, 0]
    assert found.converged.all()
    assert found.quadrature.trace == 0
    hessian.tabulate([found])


def test_a_hessian_of_zeros_can_be_drawn():
    render(hessian.draw([flat_spectrum()])["hessian"])
    render(hessian.draw([flat_spectrum(), result("hessian")])["hessian"])


def scaled(one, factor):
    quadrature = one.quadrature
    return replace(
        one,
        eigenvalues=factor * one.eigenvalues,
        quadrature=Quadrature(
            factor * quadrature.nodes, quadrature.weights, factor * quadrature.traces
        ),
    )


@pytest.mark.parametrize("factor", [-1.0, 1e-15, 1e-4, 1e6, 1e20])
def test_spectra_of_every_size_can_be_drawn(factor):
    one = result("hessian")
    assert min(coloured(hessian.draw([one, scaled(one, factor)])["hessian"]).values()) > 20


def test_pairs_that_did_not_converge_can_be_drawn():
    one = replace(
        result("hessian"),
        residuals=np.array([1e-7, 2.0, np.inf]),
        converged=np.array([True, False, False]),
    )
    page = hessian.draw([one])["hessian"]
    assert "cross: not converged" in page.axes[0].get_xlabel()
    render(page)
    assert hessian.tabulate([one])["Spectrum"][0]["converged"] == "1 only"


def test_results_with_and_without_a_density_can_be_drawn_together():
    bare = hessian.compute(objective(), Settings(top=5, probes=0))
    together = hessian.draw([bare, result("hessian")])["hessian"]
    assert len(together.axes) == 2
    assert min(coloured(together).values()) > 20
    alone = hessian.draw([bare])["hessian"]
    assert len(alone.axes) == 1
    assert min(coloured(alone).values()) > 20


def test_negative_eigenvalues_are_marked():
    page = hessian.draw([scaled(result("hessian"), -1.0)])["hessian"]
    assert "triangle: negative" in page.axes[0].get_xlabel()


def test_the_axis_turns_logarithmic_below_the_outliers():
    shown = results("hessian", 2)
    smallest = min(abs(one.eigenvalues[0]) for one in shown)
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
    operator = CurvatureOperator(objective_of("mlp with an unused layer"))
    generator = torch.Generator().manual_seed(0)
    probes = rademacher_vectors(operator, 30, generator)
    quadrature, _ = stochastic_lanczos(operator, probes, 40, generator)
    truth = np.linalg.eigvalsh(case.hessian())
    grid = symmetric_log_grid(truth[0], truth[-1], 0.01, 4000)
    mean, error = quadrature.density(grid)
    for low, high in ((-0.05, 0.05), (0.3, 10.0), (-10.0, -0.3)):
        inside = (grid > low) & (grid < high)
        mass, spread = (np.trapezoid(y[inside], grid[inside]) for y in (mean, error))
        expected = ((truth > low) & (truth < high)).mean()
        assert mass == pytest.approx(expected, abs=4 * spread + 0.02)


def test_a_loss_of_any_kind_has_a_spectrum():
    problem = Objective(
        nn.Linear(4, 2), (torch.randn(9, 4), torch.randn(9, 2)), F.mse_loss, device="cpu"
    )
    found = hessian.compute(problem, Settings(top=2, probes=2, density_steps=3))
    assert (found.eigenvalues > 0).all()

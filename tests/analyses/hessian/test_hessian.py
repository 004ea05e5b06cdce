"""Hessian spectra: their numbers, the JSON that others rely on, and what is refused."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from analyses import hessian
from analyses.hessian.settings import METHODS, Settings
from landscape.autograd.gradient_graph import GradientGraph
from landscape.data.batches import Batch
from landscape.errors import InputError, LandscapeError
from landscape.objective.objective import Objective
from tests.analyses.case_objectives import case_objective
from tests.analyses.pictures import render
from tests.analyses.problems import network, objective, result, samples
from tests.landscape.eigen.planted import by_magnitude
from tests.oracles.cases import BY_NAME

# --------------------------------------------------------------------------------- the numbers


@pytest.mark.parametrize("method", ["lanczos", "power"])
def test_every_method_finds_the_eigenvalues_of_the_dense_hessian(method):
    name = "mlp with tied weights"
    spectrum = hessian.compute(
        case_objective(name), Settings(top=3, method=method, probes=0, max_steps=400)
    )
    expected = by_magnitude(np.linalg.eigvalsh(BY_NAME[name].hessian()))[:3]
    error = np.abs(spectrum.eigenvalues - expected)
    assert (error <= spectrum.residuals * np.abs(expected) + 1e-13).all()
    np.testing.assert_allclose(spectrum.eigenvalues, expected, rtol=1e-6)


def test_pyhessian_finds_them_too():
    name = "mlp with tied weights"
    spectrum = hessian.compute(case_objective(name), Settings(top=2, method="pyhessian", probes=0))
    expected = by_magnitude(np.linalg.eigvalsh(BY_NAME[name].hessian()))[:2]
    np.testing.assert_allclose(spectrum.eigenvalues, expected, rtol=1e-5)
    # Two certificates, besides what the components took.
    assert spectrum.products - spectrum.block_products == 2


def test_loss_gradient_and_trace():
    case = BY_NAME["mixer"]
    spectrum = hessian.compute(
        case_objective("mixer"), Settings(top=1, probes=40, density_steps=2, components="none")
    )
    model, (inputs, targets) = case.model(), case.data
    assert spectrum.loss == pytest.approx(case.loss(model(inputs), targets).item(), rel=1e-12)
    assert spectrum.gradient_norm == pytest.approx(case.gradient().norm().item(), rel=1e-10)
    headline = spectrum.headline()
    assert abs(headline["trace"] - case.hessian().trace().item()) < 4 * headline["trace_stderr"]
    traces = spectrum.quadrature.traces
    assert traces.shape == (40,)
    # What the first eigenvector is known to contribute has no error any more.
    assert headline["trace_stderr"] < spectrum.quadrature.trace_stderr
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
    # Certificates take a batch in two, as two graphs.
    monkeypatch.setattr(Batch, "in_two", lambda batch: [batch])
    settings = Settings(top=2, method=method, probes=probes, density_steps=5, max_steps=10)
    spectrum = hessian.compute(problem, settings)
    # Of the three largest in size none is negative, so that Lanczos adds the lower end.
    pairs = 3 if method == "lanczos" else 2
    # Sampling errors take none.
    assert spectrum.products * len(problem.batches) == sum(made)
    steps = {"pyhessian": 0}.get(method, spectrum.steps)
    # A certificate for each pair.
    assert spectrum.products - spectrum.block_products == steps + pairs + 5 * probes


def test_a_seed_means_one_answer():
    small = {"top": 2, "probes": 3, "density_steps": 10}
    first, again, other = (
        hessian.compute(objective(), Settings(seed=seed, **small)) for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(first.eigenvalues, again.eigenvalues)
    np.testing.assert_array_equal(first.quadrature.traces, again.quadrature.traces)
    assert not np.array_equal(first.quadrature.traces, other.quadrature.traces)
    np.testing.assert_allclose(other.eigenvalues, first.eigenvalues, rtol=1e-4)


def test_the_tolerance_is_passed_on():
    tight, loose = (
        hessian.compute(case_objective("vit"), Settings(top=2, tol=tol, quick=True))
        for tol in (1e-11, 1e-2)
    )
    assert tight.converged.all()
    assert (tight.residuals <= 1e-11).all()
    assert loose.converged.all()
    assert loose.products < tight.products


# -------------------------------------------------------------------------------- the contract


def strict_json(spectrum, path):
    spectrum.write_json(path)
    return json.loads(path.read_text(), parse_constant=lambda word: pytest.fail(word))


@pytest.mark.parametrize("method", METHODS)
def test_the_json_has_what_others_rely_on(tmp_path, method):
    settings = Settings(top=3, method=method, probes=2, density_steps=4, max_steps=40)
    spectrum = hessian.compute(objective("a label"), settings)
    content = strict_json(spectrum, tmp_path / "hessian.json")
    assert content["label"] == "a label"
    assert content["analysis"] == "hessian"
    assert content["eigenvalues"] == spectrum.eigenvalues.tolist()
    assert np.all(np.diff(np.abs(content["eigenvalues"])) <= 0)
    assert content["residuals"] == spectrum.residuals.tolist()
    assert len(content["residuals"]) == 3
    assert content["converged"] is bool(spectrum.converged.all())
    assert [pair["eigenvalue"] for pair in content["eigenpairs"]] == content["eigenvalues"]
    assert [pair["residual"] for pair in content["eigenpairs"]] == content["residuals"]
    assert [pair["converged"] for pair in content["eigenpairs"]] == spectrum.converged.tolist()
    for name in ("trace", "trace_stderr", "loss", "gradient_norm", "seconds"):
        assert isinstance(content[name], float), name
    assert isinstance(content["products"], int)
    assert content["seconds"] == content["provenance"]["seconds"]
    assert content["settings"]["method"] == method


def test_converged_means_all_of_them(tmp_path):
    spectrum = replace(result("hessian"), converged=np.array([True, False, True]))
    assert strict_json(spectrum, tmp_path / "x.json")["converged"] is False
    spectrum = replace(result("hessian"), converged=np.array([True, True, True]))
    assert strict_json(spectrum, tmp_path / "x.json")["converged"] is True


def test_without_probes_there_is_no_trace(tmp_path):
    spectrum = hessian.compute(objective(), Settings(top=2, probes=0))
    content = strict_json(spectrum, tmp_path / "hessian.json")
    assert content["trace"] is None
    assert content["trace_stderr"] is None
    assert spectrum.quadrature.nodes.size == spectrum.quadrature.traces.size == 0
    # A certificate for two eigenvalues and the lower end.
    assert spectrum.products - spectrum.block_products == spectrum.steps + 3
    row = hessian.tabulate([spectrum])["Spectrum"][0]
    assert row["trace, ± standard error of probes"] == "not measured"


def test_a_single_probe_has_no_standard_error(tmp_path):
    found = hessian.compute(objective(), Settings(top=1, probes=1, density_steps=3))
    content = strict_json(found, tmp_path / "hessian.json")
    assert content["trace"] == found.trace.value
    assert content["trace_stderr"] is None
    row = hessian.tabulate([found])["Spectrum"][0]
    assert "no error" in row["trace, ± standard error of probes"]
    assert "no error" in row["negative share of Σ|λ|, %"]
    for picture in hessian.draw([found]).values():
        render(picture)


# ------------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize("method", METHODS)
def test_more_eigenvalues_than_parameters_are_refused(method):
    problem = case_objective("linear regression")
    with pytest.raises(InputError, match="--top 13 is more than the 12 parameters"):
        hessian.compute(problem, Settings(top=13, method=method))


@pytest.mark.parametrize("method", METHODS)
def test_a_network_that_is_not_finite_is_refused_in_words(method):
    broken = network()
    with torch.no_grad():
        broken[0].weight[0, 0] = math.nan
    problem = Objective(broken, samples(), device="cpu", verify=False)
    with pytest.raises(LandscapeError):
        hessian.compute(problem, Settings(top=1, method=method, max_steps=4, density_steps=3))


def test_unused_parameters_are_no_trouble():
    spectrum = hessian.compute(
        case_objective("mlp with an unused layer"), Settings(top=3, probes=2)
    )
    assert spectrum.converged.all()
    with pytest.raises(InputError, match="use --method lanczos"):
        hessian.compute(case_objective("mlp with an unused layer"), Settings(method="pyhessian"))


def test_a_loss_of_any_kind_has_a_spectrum():
    problem = Objective(
        nn.Linear(4, 2), (torch.randn(9, 4), torch.randn(9, 2)), F.mse_loss, device="cpu"
    )
    spectrum = hessian.compute(problem, Settings(top=2, probes=2, density_steps=3))
    assert (spectrum.eigenvalues > 0).all()

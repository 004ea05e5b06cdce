"""Both ends of a spectrum with errors of their own, files of before, and the held-out form."""

import json
import math
from dataclasses import replace
from math import nan

import h5py
import numpy as np
import pytest
import torch
from scipy import stats

from analyses import components, hessian
from analyses.components.result import ComponentCurvature
from analyses.hessian.result import Spectrum
from analyses.hessian.settings import Settings
from analyses.run_context import RunContext
from landscape.errors import InputError
from landscape.objective.objective import Objective
from tests.analyses.problems import objective, results
from tests.hdf5_files import unsealed
from tests.oracles.slices import slice_error

HELD_OUT = Settings(top=1, quick=True, held_out=True)


def test_each_eigenvalue_has_the_sampling_error_of_its_own_vector():
    """That of the Rayleigh quotients of its eigenvector with the matrices of slices."""
    inputs = torch.randn(600, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    inputs = inputs * torch.tensor([3.0, 1.5, 0.5], dtype=torch.float64)
    model = torch.nn.Linear(3, 1, bias=False)
    objective = Objective(
        model,
        (inputs, torch.zeros(600, 1, dtype=torch.float64)),
        torch.nn.functional.mse_loss,
        device="cpu",
        dtype=torch.float64,
        verify=False,
    )
    spectrum = hessian.compute(objective, Settings(top=2, probes=0))
    dense = 2 * (inputs.T @ inputs / len(inputs)).numpy()
    values, vectors = np.linalg.eigh(dense)
    quotients = 2 * (inputs.numpy() @ vectors) ** 2
    sizes = [batch.size for batch in objective.batches]
    errors = np.array([slice_error(column, sizes)[0] for column in quotients.T])
    # The slices say what single samples do, as well as fifteen degrees of freedom can.
    single = quotients.std(0, ddof=1) / math.sqrt(len(inputs))
    ratios = (errors / single) ** 2 * 15
    assert (stats.chi2.ppf(1e-3, 15) < ratios).all()
    assert (ratios < stats.chi2.ppf(1 - 1e-3, 15)).all()
    np.testing.assert_allclose(spectrum.eigenvalues, values[::-1][:2], rtol=1e-9)
    np.testing.assert_allclose(spectrum.sampling_errors, errors[::-1][:2], rtol=1e-6)
    np.testing.assert_allclose(spectrum.ends.values, values[[-1, 0]], rtol=1e-9)
    np.testing.assert_allclose(spectrum.ends.sampling_errors, errors[[-1, 0]], rtol=1e-4)


def saddle(count=400):
    """Of a product of two linear functions: its negative eigenvalue is the larger in size."""
    inputs = torch.randn(count, 4, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    inputs = inputs * torch.tensor([2.0, 2.0, 0.7, 0.7], dtype=torch.float64)
    model = torch.nn.Linear(4, 2, bias=False)
    targets = torch.zeros(count, 2, dtype=torch.float64)

    def loss(outputs, targets):
        return (outputs[:, 0].square() * 0.2 - outputs[:, 1].square()).mean()

    objective = Objective(
        model, (inputs, targets), loss, device="cpu", dtype=torch.float64, verify=False
    )
    covariance = (inputs.T @ inputs / count).numpy()
    truth = np.linalg.eigvalsh(np.kron(np.diag([0.4, -2.0]), covariance))
    return objective, truth


@pytest.mark.parametrize("settings", [Settings(top=1, probes=0), Settings(top=2, probes=2)])
def test_a_larger_negative_end_hides_no_largest_eigenvalue(settings, tmp_path):
    objective, truth = saddle()
    spectrum = hessian.compute(objective, settings)
    assert spectrum.eigenvalues[0] == pytest.approx(truth[0], rel=1e-6)
    np.testing.assert_allclose(spectrum.ends.values, truth[[-1, 0]], rtol=1e-5)
    assert spectrum.ends.converged.all()
    # The errors are those of the two vectors: the negative end's is five times the other's.
    errors = spectrum.ends.sampling_errors
    assert errors[1] == pytest.approx(spectrum.sampling_errors[0])
    assert errors[1] > 2.5 * errors[0] > 0
    spectrum.write_json(tmp_path / "x.json")
    content = json.loads((tmp_path / "x.json").read_text())
    assert content["lambda_max"]["eigenvalue"] == pytest.approx(truth[-1], rel=1e-5)
    assert content["lambda_min"]["sampling_error"] == pytest.approx(errors[1])
    row = hessian.tabulate([spectrum])["Spectrum"][0]
    shown = [float(cell.split()[0]) for name, cell in row.items() if name.startswith("λ_m")]
    assert shown == pytest.approx([truth[-1], truth[0]], rel=0.05)


def test_an_end_that_has_not_converged_is_a_bound():
    spectrum = hessian.compute(objective(), Settings(top=2, quick=True))
    ends = replace(spectrum.ends, converged=np.array([True, False]))
    row = hessian.tabulate([replace(spectrum, ends=ends)])["Spectrum"][0]
    cell = row["λ_min, ± sampling error (relative residual)"]
    assert cell.endswith("not converged: λ is at most this")


def test_files_of_before_both_ends_are_read(tmp_path):
    """They have the sampling error of the first eigenvalue alone, and one end of components."""
    path, (spectrum, other) = tmp_path / "x.h5", results("hessian", 2)
    signs = np.where(np.arange(len(spectrum.components.names)) % 2, -1.0, 1.0)
    values = signs * np.abs(spectrum.components.largest.values)
    spectrum.save(path)
    with h5py.File(unsealed(path), "r+") as file:
        del file["ends"], file["components/smallest"], file["sampling_errors"]
        file["sampling_error"] = 0.25
        file["components/eigenvalues"][...] = values
        file["eigenvalues"][...] = [4.0, 3.0, 2.0]
        stored = json.loads(file.attrs["settings"])
        del stored["held_out"]
        file.attrs["settings"] = json.dumps(stored)
    old = Spectrum.load(path)
    assert old.sampling_errors[0] == 0.25
    assert np.isnan(old.sampling_errors[1:]).all()
    assert old.ends.values[0] == 4.0
    assert old.ends.sampling_errors[0] == 0.25
    # A smaller one may be negative: it was not measured.
    assert math.isnan(old.ends.values[1])
    np.testing.assert_array_equal(old.components.largest.values, np.where(signs > 0, values, nan))
    np.testing.assert_array_equal(old.components.smallest.values, np.where(signs < 0, values, nan))
    assert old.held_out is None
    tables = hessian.tabulate([old, other])
    assert tables["Spectrum"][0]["λ_min, ± sampling error (relative residual)"] == "–"
    for page in hessian.draw([old, other]).values():
        page.draw_without_rendering()


def test_halves_of_the_sample_enclose_the_largest_eigenvalue(tmp_path):
    objective, truth = saddle(61)
    spectrum = hessian.compute(objective, Settings(top=1, quick=True, held_out=True))
    halves = spectrum.held_out
    assert halves.lower.value < spectrum.ends.values[0]
    assert spectrum.ends.values[0] < halves.eigenvalues.mean()
    (row,) = hessian.tabulate([spectrum])[
        "λ_max of all the data, from halves of the sample (± sampling error)"
    ]
    assert float(row["extrapolated to all"].split()[0]) == pytest.approx(
        halves.extrapolated(truth[-1]), abs=0.05
    )
    spectrum.save(tmp_path / "x.h5")
    again = Spectrum.load(tmp_path / "x.h5")
    np.testing.assert_array_equal(again.held_out.quotients, halves.quotients)
    assert again.headline()["held_out"]["quotient"] == halves.lower.value
    plain = hessian.compute(objective, Settings(top=1, quick=True))
    assert plain.ends.values.tolist() == spectrum.ends.values.tolist()


def test_a_components_file_of_before_is_read(tmp_path):
    (result,) = results("components", 1)
    result.save(tmp_path / "x.h5")
    with h5py.File(unsealed(tmp_path / "x.h5"), "r+") as file:
        del file["ends"], file["components/smallest"]
        for name, values in (("eigenvalues", [-2.0]), ("residuals", [1e-5]), ("converged", [True])):
            file[name] = values
        file["sampling_error"] = 0.5
    old = ComponentCurvature.load(tmp_path / "x.h5")
    # The eigenvalue of largest magnitude was negative: the largest was not measured.
    assert math.isnan(old.ends.values[0])
    assert old.ends.values[1] == -2.0
    assert old.ends.sampling_errors[1] == 0.5
    largest, smallest = components.tabulate([old]).values()
    assert largest[0]["whole network"] == "–"
    assert smallest[0]["whole network"].startswith("-2.00 ± 0.50")


def test_halves_resume_from_the_journal_of_the_whole(tmp_path):
    problem = objective()
    alone = hessian.compute(problem, HELD_OUT)
    context = RunContext(folder=tmp_path)
    first, again = (hessian.compute(problem, HELD_OUT, context) for _ in range(2))
    for spectrum in (first, again):
        np.testing.assert_array_equal(spectrum.ends.values, alone.ends.values)
        np.testing.assert_array_equal(spectrum.held_out.eigenvalues, alone.held_out.eigenvalues)
        np.testing.assert_array_equal(spectrum.held_out.quotients, alone.held_out.quotients)


def test_only_lanczos_holds_out():
    with pytest.raises(InputError, match="--held-out is for lanczos, got --method power"):
        Settings(held_out=True, method="power")

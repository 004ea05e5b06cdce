"""The sharpness of components: dense blocks are the truth, a spectrum's answers are reused."""

import io
import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from analyses import components, hessian
from analyses.components.result import ComponentCurvature
from analyses.components.settings import Settings
from analyses.run_context import RunContext
from landscape.curvature.blocks import block_eigenvalues
from landscape.curvature.operators import CurvatureOperator
from landscape.curvature.products import LocalProducts
from landscape.errors import NotMeasurableError
from landscape.objective.objective import Objective
from landscape.parameters.components import components as find_components
from tests.analyses.case_objectives import case_objective
from tests.analyses.problems import network, samples
from tests.oracles.cases import BY_NAME
from tests.profile import some

SETTINGS = Settings(tol=1e-6, l2=0.01, group=("biases=bias$",), seed=2)


@cache
def curvature(name):
    return components.compute(case_objective(name), SETTINGS)


@pytest.mark.parametrize("name", some(["mixer", "vit", "resnet with batch norm"], 1))
def test_components_and_whole_are_those_of_the_dense_hessian(name):
    objective, result = case_objective(name), curvature(name)
    dense = BY_NAME[name].hessian().numpy() + 0.01 * np.eye(objective.num_parameters)
    for component, group in find_components(objective.module, objective.layout).items():
        rows = np.concatenate([np.arange(*stretch) for stretch in group.stretches])
        k = result.components.names.index(component)
        expected = np.linalg.eigvalsh(dense[np.ix_(rows, rows)])[-1]
        # Where the smallest is larger in size, the tolerance is relative to that.
        assert result.components.largest.values[k] == pytest.approx(expected, rel=1e-5)
        assert result.components.sizes[k] == len(rows)
    assert result.components.largest.converged.all()
    assert "biases" in result.components.names
    whole = np.linalg.eigvalsh(dense)
    assert result.ends.values[0] == pytest.approx(whole[-1], rel=1e-6)
    assert result.ends.residuals[0] <= 1e-6
    error = result.ends.residuals[1] * abs(result.ends.values[1])
    assert whole[0] - 1e-9 <= result.ends.values[1] <= whole[0] + error + 1e-9
    assert (result.ends.sampling_errors > 0).all()


def test_a_spectrum_with_the_same_settings_is_reused(monkeypatch):
    objective = case_objective("vit")
    settings = hessian.Settings(top=2, probes=2, density_steps=4, tol=1e-6, l2=0.01, seed=2)
    spectrum = hessian.compute(objective, replace(settings, group=SETTINGS.group))
    monkeypatch.setattr(
        "analyses.components.measure.measure_spectrum", lambda *_: pytest.fail("measured again")
    )
    result = components.compute(objective, SETTINGS, RunContext(known={"hessian": spectrum}))
    assert result.components is spectrum.components
    assert result.ends is spectrum.ends


@pytest.fixture(scope="module")
def spectrum():
    """A spectrum without components, by which one sees that it was used."""
    return hessian.compute(case_objective("mixer"), hessian.Settings(top=1, quick=True))


@pytest.mark.parametrize("change", [{"l2": 0.0}, {"tol": 1e-3}, {"group": ()}, {"seed": 3}])
def test_a_spectrum_of_another_question_is_not_used(spectrum, change, monkeypatch):
    measured = curvature("mixer")
    same = hessian.Settings(top=1, probes=0, tol=1e-6, l2=0.01, seed=2, group=SETTINGS.group)
    objective = case_objective("mixer")
    context = RunContext(known={"hessian": replace(spectrum, settings=same)})
    assert components.compute(objective, SETTINGS, context).components.names == ()
    asked = []

    def measure(objective, settings, *_):
        asked.append(settings)
        return replace(spectrum, components=measured.components)

    monkeypatch.setattr("analyses.components.measure.measure_spectrum", measure)
    context = RunContext(known={"hessian": replace(spectrum, settings=replace(same, **change))})
    result = components.compute(objective, SETTINGS, context)
    assert result.components is measured.components
    (settings,) = asked
    names = ("l2", "tol", "group", "seed")
    assert [getattr(settings, name) for name in names] == [
        getattr(SETTINGS, name) for name in names
    ]


def test_a_network_without_components_is_refused():
    objective = Objective(network(), samples(), device="cpu")
    with pytest.raises(NotMeasurableError, match="name them with --group NAME=REGEX"):
        components.compute(objective)


class Sum(nn.Module):
    """Two linear functions of different inputs."""

    def __init__(self):
        super().__init__()
        self.first, self.rest = nn.Linear(1, 1, bias=False), nn.Linear(2, 1, bias=False)

    def forward(self, x):
        return self.first(x[:, :1]) + self.rest(x[:, 1:])


def test_the_sampling_error_of_a_component():
    # Its Hessian is 2 x_1^2: the error is that of a mean over independent samples.
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model, inputs = Sum(), torch.randn(4000, 3) * torch.tensor([1.0, 3.0, 0.5])
    objective = Objective(model, (inputs, torch.zeros(4000, 1)), F.mse_loss, device="cpu")
    result = components.compute(objective, Settings(group=("first=^first", "rest=^rest")))
    expected = 2 * inputs[:, 0].square().std().item() / math.sqrt(4000)
    # From 16 parts, whose spread is known to one in sqrt(2 * 15).
    errors = result.components.largest.sampling_errors
    assert errors[0] == pytest.approx(expected, rel=0.5)
    assert errors[1] > 5 * errors[0]


def test_save_and_load(tmp_path):
    result = curvature("vit")
    result.save(tmp_path / "components.h5")
    again = ComponentCurvature.load(tmp_path / "components.h5")
    assert again.components.names == result.components.names
    assert again.headline() == result.headline()
    assert again.settings == SETTINGS


def test_the_table_is_laid_out_as_the_papers():
    shown = [curvature(name) for name in ("vit", "mixer")]
    rows, _ = components.tabulate(shown).values()
    assert [name for name in rows[0] if name.startswith("block")] == ["block 1", "block 2"]
    assert list(rows[0])[-1] == "whole network"
    assert rows[0]["token mixing"] == rows[1]["attention"] == "–"
    position = shown[0].components.names.index("embedding")
    assert rows[0]["embedding"].value == shown[0].components.largest.values[position]


def test_a_network_without_components_is_refused_before_a_product(monkeypatch):
    model = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3))
    data = torch.randn(8, 4), torch.randint(3, (8,))
    objective = Objective(model, data, device="cpu")
    monkeypatch.delattr(LocalProducts, "__call__")
    with pytest.raises(NotMeasurableError, match="has no list of blocks"):
        components.compute(objective, Settings())


def test_no_components_take_no_product(monkeypatch):
    objective = case_objective("vit")
    operator = CurvatureOperator(objective)
    monkeypatch.delattr(LocalProducts, "__call__")
    assert block_eigenvalues(operator, {}, torch.Generator()) == {}


def test_components_without_any_curvature_are_drawn():
    model, inputs = nn.Linear(3, 1), torch.randn(20, 3)
    data = inputs, torch.randn(20)
    flat = Objective(model, data, lambda outputs, targets: outputs.mean(), device="cpu")
    result = components.compute(flat, Settings(group=("w=weight",)))
    assert not result.components.largest.values.any()
    for page in components.draw([result]).values():
        page.savefig(io.BytesIO())

"""The sharpness of components: dense blocks are the truth, a spectrum's answers are reused."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from analyses import components, hessian
from analyses.components.result import ComponentCurvature
from analyses.components.settings import Settings
from analyses.run_context import RunContext
from landscape.errors import NotMeasurableError
from landscape.objective.objective import Objective
from landscape.parameters.components import components as find_components
from tests.analyses.problems import network, samples
from tests.landscape.eigen.planted import by_magnitude
from tests.oracles.cases import BY_NAME

SETTINGS = Settings(tol=1e-6, l2=0.01, group=("biases=bias$",), seed=2)


def objective_of(name):
    case = BY_NAME[name]
    return Objective(
        case.model(), case.data, case.loss, batch_size=3, device="cpu", dtype=torch.float64
    )


@pytest.mark.parametrize("name", ["vit", "mixer", "resnet with batch norm"])
def test_components_and_whole_are_those_of_the_dense_hessian(name):
    objective = objective_of(name)
    found = components.compute(objective, SETTINGS)
    dense = BY_NAME[name].hessian().numpy() + 0.01 * np.eye(objective.num_parameters)
    for part, group in find_components(objective.module, objective.layout).items():
        rows = np.concatenate([np.arange(*stretch) for stretch in group.stretches])
        k = found.components.names.index(part)
        expected = by_magnitude(np.linalg.eigvalsh(dense[np.ix_(rows, rows)]))[0]
        assert found.components.eigenvalues[k] == pytest.approx(expected, rel=1e-6)
        assert found.components.sizes[k] == len(rows)
    assert found.components.converged.all()
    assert "biases" in found.components.names
    whole = by_magnitude(np.linalg.eigvalsh(dense))[0]
    assert found.eigenvalues.tolist() == [pytest.approx(whole, rel=1e-6)]
    assert found.residuals[0] <= 1e-6
    assert found.sampling_error > 0


def test_what_a_spectrum_has_found_is_not_measured_again(monkeypatch):
    objective = objective_of("vit")
    asked = hessian.Settings(top=2, probes=2, density_steps=4, tol=1e-6, l2=0.01, seed=2)
    spectrum = hessian.compute(objective, replace(asked, group=SETTINGS.group))
    monkeypatch.setattr(
        "analyses.components.measure.measure_spectrum", lambda *_: pytest.fail("measured again")
    )
    found = components.compute(objective, SETTINGS, RunContext(known={"hessian": spectrum}))
    assert found.components is spectrum.components
    assert found.eigenvalues.tolist() == spectrum.eigenvalues[:1].tolist()


@pytest.mark.parametrize("change", [{"l2": 0.0}, {"tol": 1e-3}, {"group": ()}, {"seed": 3}])
def test_a_spectrum_of_another_question_is_not_used(change):
    objective = objective_of("mixer")
    asked = hessian.Settings(top=1, probes=0, tol=1e-6, l2=0.01, seed=2, group=SETTINGS.group)
    spectrum = hessian.compute(objective, replace(asked, **change))
    found = components.compute(objective, SETTINGS, RunContext(known={"hessian": spectrum}))
    own = components.compute(objective, SETTINGS)
    assert found.components is not spectrum.components
    np.testing.assert_array_equal(found.components.eigenvalues, own.components.eigenvalues)


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
    found = components.compute(objective, Settings(group=("first=^first", "rest=^rest")))
    expected = 2 * inputs[:, 0].square().std().item() / math.sqrt(4000)
    # From 16 parts, whose spread is known to one in sqrt(2 * 15).
    assert found.components.sampling_errors[0] == pytest.approx(expected, rel=0.5)
    assert found.components.sampling_errors[1] > 5 * found.components.sampling_errors[0]


def test_save_and_load(tmp_path):
    found = components.compute(objective_of("vit"), SETTINGS)
    found.save(tmp_path / "components.h5")
    again = ComponentCurvature.load(tmp_path / "components.h5")
    assert again.components.names == found.components.names
    assert again.headline() == found.headline()
    assert again.settings == SETTINGS


def test_the_table_is_laid_out_as_the_papers():
    found = [components.compute(objective_of(name), SETTINGS) for name in ("vit", "mixer")]
    (rows,) = components.tabulate(found).values()
    assert [name for name in rows[0] if name.startswith("block")] == ["block 1", "block 2"]
    assert list(rows[0])[-1] == "whole network"
    assert rows[0]["token mixing"] == rows[1]["attention"] == "–"
    assert float(rows[0]["embedding"].split(" ")[0]) == pytest.approx(
        found[0].components.eigenvalues[found[0].components.names.index("embedding")], rel=1e-2
    )

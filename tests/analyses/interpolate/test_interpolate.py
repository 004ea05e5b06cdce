"""The line between two networks: its ends, its points, and what is refused."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from analyses import interpolate
from analyses.interpolate.result import Interpolation
from analyses.interpolate.settings import Settings
from landscape.checkpoints.weights import weights_of
from landscape.directions.derived import toward
from landscape.errors import InputError, NotMeasurableError
from tests.analyses.case_objectives import case_objective
from tests.analyses.interpolate.pairs import AXIS, ONE, ZERO, between, mixed, pair
from tests.analyses.written import arrays
from tests.oracles.cases import BY_NAME

PAIRS = ("vit", "mixer", "resnet with batch norm", "mlp with tied weights", "linear regression")


# --------------------------------------------------------------------------------- the ends


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", PAIRS)
def test_the_ends_are_the_two_checkpoints(name, dtype):
    line, problem, end = between(name, dtype=dtype)
    here, there = problem.evaluate(), end.evaluate()
    assert line.loss[ZERO] == line.loss_at_origin == here.loss
    np.testing.assert_array_equal(line.accuracy[ZERO], here.accuracy)
    # theta + 1 (other - theta) is the other but for one rounding.
    assert line.loss[ONE] == pytest.approx(there.loss, rel=1e-13 if dtype.itemsize == 8 else 2e-6)
    np.testing.assert_allclose(line.accuracy[ONE], there.accuracy)
    assert abs(here.loss - there.loss) > 1e-3


@pytest.mark.parametrize("name", ["vit", "resnet with batch norm"])
def test_every_point_is_the_mean_of_the_two_networks(name):
    line, _, _ = between(name)
    first, other = pair(name)
    inputs, targets = BY_NAME[name].data
    for t, loss, accuracy in zip(np.linspace(-0.5, 1.5, 9), line.loss, line.accuracy, strict=True):
        outputs = mixed(first, other, float(t))(inputs)
        expected = F.cross_entropy(outputs, targets).item()
        np.testing.assert_allclose(loss, expected, rtol=1e-11)
        hits = (outputs.argmax(1) == targets).double().mean().item()
        assert accuracy == pytest.approx(100 * hits)


def test_statistics_can_stay_where_they_are():
    name = "resnet with batch norm"
    line, _, end = between(name, states=False)
    first, other = pair(name)
    hybrid = copy.deepcopy(other)
    hybrid.load_state_dict({**other.state_dict(), **dict(first.named_buffers())})
    assert line.loss[ONE] == pytest.approx(case_objective(name, model=hybrid).loss(), rel=1e-12)
    assert abs(line.loss[ONE] - end.loss()) > 1e-4


def test_statistics_can_be_taken_anew_at_every_point():
    name = "resnet with batch norm"
    # One batch, so that a forward pass in training mode says what the statistics are.
    line, _, _ = between(name, Settings(x=AXIS, bn="reestimate"), batch_size=7)
    first, other = pair(name)
    inputs, targets = BY_NAME[name].data
    for t, loss in zip(AXIS.coordinates, line.loss, strict=True):
        model = mixed(first, other, float(t)).train()
        for layer in model.modules():
            if isinstance(layer, torch.nn.BatchNorm2d):
                layer.momentum = 1.0
        model(inputs)
        expected = F.cross_entropy(model.eval()(inputs), targets).item()
        assert loss == pytest.approx(expected, rel=1e-11)
    chord = (1 - AXIS.coordinates) * line.loss[ZERO] + AXIS.coordinates * line.loss[ONE]
    height, _, _ = line.barriers()["train"]
    assert height == pytest.approx((line.loss - chord)[ZERO + 1 : ONE].max(), rel=1e-10)


def test_statistics_of_a_network_without_batch_norm_are_not_taken_anew():
    with pytest.raises(NotMeasurableError, match="has no BatchNorm"):
        between("vit", Settings(x=AXIS, bn="reestimate"))


def test_it_comes_back_from_its_file(tmp_path):
    line, _, _ = between("vit")
    line.save(tmp_path / "x.h5")
    back = Interpolation.load(tmp_path / "x.h5")
    assert back.barriers() == line.barriers()
    np.testing.assert_array_equal(back.loss, line.loss)
    assert arrays(tmp_path / "x.h5")["xcoordinates"].tolist() == AXIS.coordinates.tolist()


def test_the_networks_are_left_as_they_are():
    first, other = pair("resnet with batch norm")
    before = [{k: v.clone() for k, v in m.state_dict().items()} for m in (first, other)]
    problem = case_objective("resnet with batch norm", model=first)
    theta, loss = problem.theta.clone(), problem.loss()
    along = toward(problem, weights_of(other, problem))
    interpolate.compute(problem, Settings(x=AXIS), direction=along)
    assert torch.equal(problem.theta, theta)
    assert problem.loss() == loss
    for model, state in zip((first, other), before, strict=True):
        assert all(torch.equal(model.state_dict()[name], state[name]) for name in state)


# ----------------------------------------------------------------------------- what is wrong


def test_two_checkpoints_are_needed(tmp_path):
    problem = case_objective("vit")
    with pytest.raises(InputError, match="an interpolation needs two checkpoints"):
        interpolate.compute(problem)
    torch.save(pair("vit")[0].state_dict(), tmp_path / "same.pt")
    with pytest.raises(InputError, match="have the same weights; there is no line between them"):
        interpolate.compute(problem, Settings(toward_x=str(tmp_path / "same.pt")))
    torch.save(pair("mixer")[0].state_dict(), tmp_path / "mixer.pt")
    with pytest.raises(InputError, match=r"mixer\.pt does not fit the model"):
        interpolate.compute(problem, Settings(toward_x=str(tmp_path / "mixer.pt")))


def test_the_other_checkpoint_can_be_a_file(tmp_path):
    name = "resnet with batch norm"
    expected, problem, _ = between(name)
    torch.save(pair(name)[1].state_dict(), tmp_path / "other.pt")
    settings = Settings(x=AXIS, toward_x=str(tmp_path / "other.pt"))
    line = interpolate.compute(problem, settings)
    np.testing.assert_array_equal(line.loss, expected.loss)
    assert line.barriers() == expected.barriers()

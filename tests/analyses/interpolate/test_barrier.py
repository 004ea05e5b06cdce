"""The barrier between two networks: its height, its error, its table and picture."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from analyses import interpolate
from analyses.interpolate.settings import Settings
from analyses.slices.grid import Axis
from landscape.checkpoints.weights import weights_of
from landscape.directions.derived import toward
from landscape.objective.objective import Objective
from tests.analyses.interpolate.pairs import AXIS, ONE, ZERO, between, mixed, pair
from tests.analyses.pictures import coloured, render
from tests.analyses.problems import having_loss, network, result, samples
from tests.oracles.cases import BY_NAME


def by_hand(inputs, targets, first, other, ts):
    """Height, standard error and place of the barrier, from the losses of single samples."""
    with torch.no_grad():
        losses = {
            t: F.cross_entropy(mixed(first, other, t)(inputs), targets, reduction="none").numpy()
            for t in (0.0, 1.0, *ts)
        }
    above = {t: losses[t] - (1 - t) * losses[0.0] - t * losses[1.0] for t in ts}
    place = max(ts, key=lambda t: above[t].mean())
    error = above[place].std(ddof=1) / np.sqrt(len(targets))
    if above[place].mean() <= 0:  # the ends are the highest
        return 0.0, error, 0.0
    return above[place].mean(), error, place


@pytest.mark.parametrize("name", ["vit", "mixer", "resnet with batch norm"])
def test_the_barrier_by_hand(name):
    line, _, _ = between(name, Settings(x=Axis(-0.2, 1.2, 15)))
    ts = [float(t) for t in line.x if 1e-9 < t < 1 - 1e-9]
    expected = by_hand(*BY_NAME[name].data, *pair(name), ts)
    assert list(line.barriers()) == ["train"]
    np.testing.assert_allclose(line.barriers()["train"], expected, rtol=1e-9)
    said = line.headline()
    assert (said["train_barrier"], said["train_barrier_stderr"], said["train_barrier_at"]) == (
        line.barriers()["train"]
    )


def test_each_split_has_a_barrier_of_its_own():
    held_out = samples(60)[0][25:].double(), samples(60)[1][25:]
    first, other = network(0).double(), network(3).double()
    problem = Objective(
        first, samples(), device="cpu", dtype=torch.float64, batch_size=10,
        extra_splits={"test": held_out},
    )  # fmt: skip
    along = toward(problem, weights_of(other, problem))
    line = interpolate.compute(problem, Settings(x=AXIS), direction=along)
    ts = [float(t) for t in AXIS.coordinates if 0 < t < 1]
    inputs, targets = samples()
    for split, data in (("train", (inputs.double(), targets)), ("test", held_out)):
        expected = by_hand(*data, first, other, ts)
        np.testing.assert_allclose(line.barriers()[split], expected, rtol=1e-9)
    assert line.splits == ["train", "test"]
    assert {"train_barrier", "test_barrier"} <= set(line.headline())


def test_the_error_of_the_barrier_is_that_of_pairs():
    """The three losses are of the same samples, so most of their errors cancels."""
    first = network(0)
    other = copy.deepcopy(first)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    problem = Objective(first, samples(), device="cpu", dtype=torch.float64)
    along = toward(problem, weights_of(other, problem))
    line = interpolate.compute(problem, Settings(x=AXIS), direction=along)
    _, error, _ = line.barriers()["train"]
    assert 0 < error < 0.02 * line.loss_stderr


def test_from_the_other_end_it_is_the_same_barrier():
    line, problem, end = between("vit")
    back = toward(end, weights_of(problem.module, end))
    mirrored = interpolate.compute(end, Settings(x=AXIS), direction=back)
    np.testing.assert_allclose(mirrored.loss, line.loss[::-1], rtol=1e-10)
    height, error, place = line.barriers()["train"]
    expected = height, error, 1 - place
    np.testing.assert_allclose(mirrored.barriers()["train"], expected, rtol=1e-8)


def test_a_convex_loss_has_no_barrier():
    name = "linear regression"
    line, _, _ = between(name)
    height, error, place = line.barriers()["train"]
    chord = (1 - AXIS.coordinates) * line.loss[ZERO] + AXIS.coordinates * line.loss[ONE]
    assert ((line.loss - chord)[ZERO + 1 : ONE] < 0).all()
    assert (height, place) == (0, 0)
    assert error > 0  # so much may the highest point between be above
    assert np.isnan(line.accuracy).all()
    title = interpolate.draw([line])["interpolate"].axes[0].get_title()
    assert title.startswith("train: barrier 0.0")
    assert " at " not in title


def test_a_loss_without_per_sample_values_leaves_no_error():
    def unsplittable(outputs, targets):
        assert outputs.isfinite().all()  # vmap can't evaluate this condition
        return F.cross_entropy(outputs, targets)

    problem = Objective(network(0), samples(), unsplittable, device="cpu", dtype=torch.float64)
    along = toward(problem, weights_of(network(3), problem))
    line = interpolate.compute(problem, Settings(x=AXIS), direction=along)
    height, error, place = line.barriers()["train"]
    inputs, targets = samples()
    expected = by_hand(
        inputs.double(), targets, network(0).double(), network(3).double(), [float(place)]
    )
    assert height == pytest.approx(expected[0], rel=1e-6)
    assert np.isnan(error)
    assert "(no error)" in interpolate.tabulate([line])[""][0]["train barrier, ± sampling error"]
    render(interpolate.draw([line])["interpolate"])


@pytest.mark.parametrize("axis", [Axis(2, 3, 3), Axis(0, 1, 2), Axis(-1, 0, 5)], ids=str)
def test_without_a_point_between_there_is_no_barrier(axis, tmp_path):
    line, _, _ = between("vit", Settings(x=axis))
    assert np.isnan(line.barriers()["train"]).all()
    line.save(tmp_path / "x.h5")
    line.write_json(tmp_path / "x.json")
    interpolate.tabulate([line])
    assert coloured(interpolate.draw([line])["interpolate"])[0] > 100


def test_the_two_checkpoints_are_marked_in_the_picture():
    for axes in interpolate.draw([result("interpolate")])["interpolate"].axes:
        marks = [line.get_xdata() for line in axes.get_lines() if line.get_color() == "0.7"]
        assert marks == [[0.0, 0.0], [1.0, 1.0]]


def test_a_line_that_is_not_finite_has_the_barrier_of_what_is():
    before = result("interpolate")
    shown = having_loss(before, np.full_like(before.loss, np.nan))
    shown = replace(shown, path={"train_barrier": np.full(3, np.nan)})
    render(interpolate.draw([shown, before])["interpolate"])
    interpolate.tabulate([shown])

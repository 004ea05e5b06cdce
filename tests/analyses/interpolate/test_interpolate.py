import copy
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from analyses import interpolate
from analyses.interpolate.result import Interpolation
from analyses.interpolate.settings import Settings
from analyses.slices.grid import Axis
from landscape.checkpoints.weights import weights_of
from landscape.directions.derived import toward
from landscape.errors import InputError, NotMeasurableError
from landscape.objective.objective import Objective
from tests.analyses.pictures import coloured, render
from tests.analyses.problems import having_loss, network, result, samples
from tests.analyses.written import arrays, headline
from tests.oracles.cases import BY_NAME, randomise

AXIS = Axis(-0.5, 1.5, 9)
ZERO, ONE = 2, 6
PAIRS = ("vit", "mixer", "resnet with batch norm", "mlp with tied weights", "linear regression")


def pair(name, dtype=torch.float64):
    """A case's network, and another with weights and statistics of its own."""
    case = BY_NAME[name]
    first = case.model()
    with torch.random.fork_rng():
        torch.manual_seed(77)
        other = randomise(copy.deepcopy(first))
    return first.to(dtype), other.to(dtype)


def objective_of(name, model, dtype=torch.float64, **options):
    case = BY_NAME[name]
    options = {"batch_size": 3, **options}
    return Objective(model, case.data, case.loss, device="cpu", dtype=dtype, **options)


def between(name, settings=None, dtype=torch.float64, states=True, **options):
    """The interpolation of a case, and the objectives of both ends."""
    first, other = pair(name, dtype)
    problem = objective_of(name, first, dtype, **options)
    along = toward(problem, weights_of(other, problem), states=states)
    found = interpolate.compute(problem, settings or Settings(x=AXIS), direction=along)
    return found, problem, objective_of(name, other, dtype, **options)


def mixed(first, other, t):
    """The network whose parameters and statistics are (1 - t) of one and t of the other."""
    model, end = copy.deepcopy(first), other.state_dict()
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point():
                tensor.mul_(1 - t).add_(end[name], alpha=t)
    return model.eval()


# --------------------------------------------------------------------------------- the ends


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", PAIRS)
def test_the_ends_are_the_two_checkpoints(name, dtype):
    found, problem, end = between(name, dtype=dtype)
    here, there = problem.evaluate(), end.evaluate()
    assert found.loss[ZERO] == found.loss_at_origin == here.loss
    np.testing.assert_array_equal(found.accuracy[ZERO], here.accuracy)
    # theta + 1 (other - theta) is the other but for one rounding.
    assert found.loss[ONE] == pytest.approx(there.loss, rel=1e-13 if dtype.itemsize == 8 else 2e-6)
    np.testing.assert_allclose(found.accuracy[ONE], there.accuracy)
    assert abs(here.loss - there.loss) > 1e-3


@pytest.mark.parametrize("name", ["vit", "resnet with batch norm"])
def test_every_point_is_the_mean_of_the_two_networks(name):
    found, _, _ = between(name)
    first, other = pair(name)
    inputs, targets = BY_NAME[name].data
    for t, loss, accuracy in zip(
        np.linspace(-0.5, 1.5, 9), found.loss, found.accuracy, strict=True
    ):
        outputs = mixed(first, other, float(t))(inputs)
        expected = F.cross_entropy(outputs, targets).item()
        np.testing.assert_allclose(loss, expected, rtol=1e-11)
        hits = (outputs.argmax(1) == targets).double().mean().item()
        assert accuracy == pytest.approx(100 * hits)


def test_statistics_can_stay_where_they_are():
    name = "resnet with batch norm"
    found, _, end = between(name, states=False)
    first, other = pair(name)
    hybrid = copy.deepcopy(other)
    hybrid.load_state_dict({**other.state_dict(), **dict(first.named_buffers())})
    assert found.loss[ONE] == pytest.approx(objective_of(name, hybrid).loss(), rel=1e-12)
    assert abs(found.loss[ONE] - end.loss()) > 1e-4


def test_statistics_can_be_taken_anew_at_every_point():
    name = "resnet with batch norm"
    # One batch, so that a forward pass in training mode says what the statistics are.
    found, _, _ = between(name, Settings(x=AXIS, bn="reestimate"), batch_size=7)
    first, other = pair(name)
    inputs, targets = BY_NAME[name].data
    for t, loss in zip(AXIS.coordinates, found.loss, strict=True):
        model = mixed(first, other, float(t)).train()
        for part in model.modules():
            if isinstance(part, torch.nn.BatchNorm2d):
                part.momentum = 1.0
        model(inputs)
        expected = F.cross_entropy(model.eval()(inputs), targets).item()
        assert loss == pytest.approx(expected, rel=1e-11)
    chord = (1 - AXIS.coordinates) * found.loss[ZERO] + AXIS.coordinates * found.loss[ONE]
    height, _, _ = found.barriers()["train"]
    assert height == pytest.approx((found.loss - chord)[ZERO + 1 : ONE].max(), rel=1e-10)


def test_statistics_of_a_network_without_batch_norm_are_not_taken_anew():
    with pytest.raises(NotMeasurableError, match="has no BatchNorm"):
        between("vit", Settings(x=AXIS, bn="reestimate"))


# ------------------------------------------------------------------------------ the barrier


def by_hand(inputs, targets, first, other, ts):
    """Height, standard error and place of the barrier, from the losses of single samples."""
    with torch.no_grad():
        losses = {
            t: F.cross_entropy(mixed(first, other, t)(inputs), targets, reduction="none").numpy()
            for t in (0.0, 1.0, *ts)
        }
    above = {t: losses[t] - (1 - t) * losses[0.0] - t * losses[1.0] for t in ts}
    place = max(ts, key=lambda t: above[t].mean())
    return above[place].mean(), above[place].std(ddof=1) / np.sqrt(len(targets)), place


@pytest.mark.parametrize("name", ["vit", "mixer", "resnet with batch norm"])
def test_the_barrier_by_hand(name):
    found, _, _ = between(name, Settings(x=Axis(-0.2, 1.2, 15)))
    ts = [float(t) for t in found.x if 1e-9 < t < 1 - 1e-9]
    expected = by_hand(*BY_NAME[name].data, *pair(name), ts)
    assert list(found.barriers()) == ["train"]
    np.testing.assert_allclose(found.barriers()["train"], expected, rtol=1e-9)
    said = found.headline()
    assert (said["train_barrier"], said["train_barrier_stderr"], said["train_barrier_at"]) == (
        found.barriers()["train"]
    )


def test_each_split_has_a_barrier_of_its_own():
    held_out = samples(60)[0][25:].double(), samples(60)[1][25:]
    first, other = network(0).double(), network(3).double()
    problem = Objective(
        first, samples(), device="cpu", dtype=torch.float64, batch_size=10,
        extra_splits={"test": held_out},
    )  # fmt: skip
    along = toward(problem, weights_of(other, problem))
    found = interpolate.compute(problem, Settings(x=AXIS), direction=along)
    ts = [float(t) for t in AXIS.coordinates if 0 < t < 1]
    inputs, targets = samples()
    for split, data in (("train", (inputs.double(), targets)), ("test", held_out)):
        expected = by_hand(*data, first, other, ts)
        np.testing.assert_allclose(found.barriers()[split], expected, rtol=1e-9)
    assert found.splits == ["train", "test"]
    assert {"train_barrier", "test_barrier"} <= set(found.headline())


def test_the_error_of_the_barrier_is_that_of_pairs():
    """The three losses are of the same samples, so most of their errors cancels."""
    first = network(0)
    other = copy.deepcopy(first)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    problem = Objective(first, samples(), device="cpu", dtype=torch.float64)
    along = toward(problem, weights_of(other, problem))
    found = interpolate.compute(problem, Settings(x=AXIS), direction=along)
    _, error, _ = found.barriers()["train"]
    assert 0 < error < 0.02 * found.loss_stderr


def test_from_the_other_end_it_is_the_same_barrier():
    found, problem, end = between("mixer")
    back = toward(end, weights_of(problem.module, end))
    mirrored = interpolate.compute(end, Settings(x=AXIS), direction=back)
    np.testing.assert_allclose(mirrored.loss, found.loss[::-1], rtol=1e-10)
    height, error, place = found.barriers()["train"]
    expected = height, error, 1 - place
    np.testing.assert_allclose(mirrored.barriers()["train"], expected, rtol=1e-8)


def test_a_convex_loss_has_no_barrier():
    name = "linear regression"
    found, problem, _ = between(name)
    first, other = pair(name)
    d = toward(problem, weights_of(other, problem)).vector
    bend = 0.5 * (d @ BY_NAME[name].hessian() @ d).item()
    height, _, place = found.barriers()["train"]
    inside = AXIS.coordinates[ZERO + 1 : ONE]
    assert height == pytest.approx((bend * inside * (inside - 1)).max(), rel=1e-10)
    assert height < 0
    assert place in (0.25, 0.75)
    assert np.isnan(found.accuracy).all()
    title = interpolate.draw([found])["interpolate"].axes[0].get_title()
    assert title.startswith("train: barrier -")
    assert " at " not in title


def test_a_loss_that_is_not_taken_sample_by_sample_leaves_no_error():
    def unsplittable(outputs, targets):
        assert outputs.isfinite().all()  # a question that vmap can't ask
        return F.cross_entropy(outputs, targets)

    problem = Objective(network(0), samples(), unsplittable, device="cpu", dtype=torch.float64)
    along = toward(problem, weights_of(network(3), problem))
    found = interpolate.compute(problem, Settings(x=AXIS), direction=along)
    height, error, place = found.barriers()["train"]
    inputs, targets = samples()
    expected = by_hand(
        inputs.double(), targets, network(0).double(), network(3).double(), [float(place)]
    )
    assert height == pytest.approx(expected[0], rel=1e-6)
    assert np.isnan(error)
    assert "(no error)" in interpolate.tabulate([found])[""][0]["train barrier, ± sampling error"]
    render(interpolate.draw([found])["interpolate"])


@pytest.mark.parametrize("axis", [Axis(2, 3, 3), Axis(0, 1, 2), Axis(-1, 0, 5)], ids=str)
def test_without_a_point_between_there_is_no_barrier(axis, tmp_path):
    found, _, _ = between("vit", Settings(x=axis))
    assert np.isnan(found.barriers()["train"]).all()
    found.save(tmp_path / "x.h5")
    found.write_json(tmp_path / "x.json")
    interpolate.tabulate([found])
    assert coloured(interpolate.draw([found])["interpolate"])[0] > 100


def test_a_line_that_is_not_finite_has_the_barrier_of_what_is():
    before = result("interpolate")
    shown = having_loss(before, np.full_like(before.loss, np.nan))
    shown = replace(shown, path={"train_barrier": np.full(3, np.nan)})
    render(interpolate.draw([shown, before])["interpolate"])
    interpolate.tabulate([shown])


def test_it_comes_back_from_its_file(tmp_path):
    found, _, _ = between("vit")
    found.save(tmp_path / "x.h5")
    back = Interpolation.load(tmp_path / "x.h5")
    assert back.barriers() == found.barriers()
    np.testing.assert_array_equal(back.loss, found.loss)
    assert arrays(tmp_path / "x.h5")["xcoordinates"].tolist() == AXIS.coordinates.tolist()


def test_the_networks_are_left_as_they_are():
    first, other = pair("resnet with batch norm")
    before = [{k: v.clone() for k, v in m.state_dict().items()} for m in (first, other)]
    problem = objective_of("resnet with batch norm", first)
    theta, loss = problem.theta.clone(), problem.loss()
    along = toward(problem, weights_of(other, problem))
    interpolate.compute(problem, Settings(x=AXIS), direction=along)
    assert torch.equal(problem.theta, theta)
    assert problem.loss() == loss
    for model, state in zip((first, other), before, strict=True):
        assert all(torch.equal(model.state_dict()[name], state[name]) for name in state)


# ----------------------------------------------------------------------------- what is wrong


def test_two_checkpoints_are_needed(tmp_path):
    problem = objective_of("vit", pair("vit")[0])
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
    found = interpolate.compute(problem, settings)
    np.testing.assert_array_equal(found.loss, expected.loss)
    assert found.barriers() == expected.barriers()


# -------------------------------------------------------------------------- the command line

SMALL = ("--samples", "48", "--x=-0.5:1.5:9")


def test_two_runs_on_two_splits(done, runs, tmp_path):
    words = (*SMALL, "--split", "train,test", "--precision", "fp64", "--output-dir", tmp_path)
    out, err = done("interpolate", *runs, *words)
    names = ("plain-to-sam/interpolate.h5", "plain-to-sam/interpolate.json")
    names = (*names, "interpolate.png", "interpolate.html")
    names = (*names, "interpolate.json", "interpolate.md")
    assert out.splitlines() == [str(tmp_path / name) for name in names]
    assert "plain-to-sam: measuring interpolate" in err
    stored = arrays(tmp_path / "plain-to-sam" / "interpolate.h5")
    said = headline(tmp_path, "plain-to-sam", "interpolate")
    for split in ("train", "test"):
        alone = ("--samples", "48", "--x=-1:1:3", "--split", split, "--precision", "fp64")
        done("line", *runs, *alone, "--format", "none", "--output-dir", tmp_path / split)
        for run, place in (("plain", ZERO), ("sam", ONE)):
            own = headline(tmp_path / split, run, "line")
            assert stored[f"{split}_loss"][place] == pytest.approx(own["loss"], rel=1e-11)
            assert stored[f"{split}_acc"][place] == pytest.approx(own["accuracy"])
        loss = stored[f"{split}_loss"]
        heights = loss - (1 - AXIS.coordinates) * loss[ZERO] - AXIS.coordinates * loss[ONE]
        inside = heights[ZERO + 1 : ONE]
        assert said[f"{split}_barrier"] == pytest.approx(inside.max(), rel=1e-9)
        assert said[f"{split}_barrier_at"] == AXIS.coordinates[ZERO + 1 + inside.argmax()]
        assert said[f"{split}_barrier_stderr"] > 0
    assert said["settings"]["toward_x"] == str(runs[1])
    _, err = done("interpolate", *runs, *words)
    assert "plain-to-sam: interpolate is already measured" in err


def test_the_first_with_each_of_the_others(done, runs, tmp_path):
    checkpoints = (f"a={runs[0]}", f"b={runs[1]}", f"c={runs[1] / 'best.pt'}")
    done("interpolate", *checkpoints, *SMALL, "--format", "png", "--output-dir", tmp_path)
    folders = {path.name for path in tmp_path.iterdir() if path.is_dir()}
    assert folders == {"a-to-b", "a-to-c"}
    one, same = (arrays(tmp_path / name / "interpolate.h5") for name in sorted(folders))
    np.testing.assert_array_equal(one["train_loss"], same["train_loss"])


def test_what_is_no_pair(refused, runs, tmp_path):
    words = (*SMALL, "--output-dir", tmp_path / "figures")
    assert "interpolate takes two or more checkpoints" in refused("interpolate", runs[0], *words)
    same = (f"a={runs[0]}", f"b={runs[0]}")
    assert "have the same weights" in refused("interpolate", *same, *words)
    absent = tmp_path / "absent"
    assert f"no such checkpoint: {absent}" in refused("interpolate", runs[0], absent, *words)


def test_the_other_checkpoint_is_part_of_the_question(done, runs, tmp_path):
    """Other weights under the same name are another interpolation."""
    other = shutil.copytree(runs[1], tmp_path / "other")
    words = (runs[0], other, *SMALL, "--format", "none", "--output-dir", tmp_path / "figures")
    done("interpolate", *words)
    before = arrays(tmp_path / "figures" / "plain-to-other" / "interpolate.h5")["train_loss"]
    state = torch.load(other / "last.pt", weights_only=True)
    for tensor in state["model"].values():
        tensor *= 1.1
    torch.save(state, other / "last.pt")
    _, err = done("interpolate", *words)
    assert "another content of the files it was laid by" in err
    folder = tmp_path / "figures" / "plain-to-other"
    kept, after = (arrays(folder / f"interpolate{k}.h5")["train_loss"] for k in (".1", ""))
    np.testing.assert_array_equal(kept, before)
    assert after[ZERO] == before[ZERO]
    assert abs(after[ONE] - before[ONE]) > 1e-4


def test_a_stored_interpolation_is_drawn_again(done, runs, tmp_path):
    words = (*SMALL, "--format", "none", "--output-dir", tmp_path / "one")
    done("interpolate", *runs, *words)
    stored = tmp_path / "one" / "plain-to-sam" / "interpolate.h5"
    before = stored.read_bytes()
    words = ("--format", "svg", "--output-dir", tmp_path / "two")
    out, _ = done("interpolate", f"once more={stored}", *words)
    assert out.splitlines() == [str(tmp_path / "two" / "interpolate.svg")]
    text = (tmp_path / "two" / "interpolate.svg").read_text()
    assert "once more" in text
    assert "barrier" in text
    assert stored.read_bytes() == before

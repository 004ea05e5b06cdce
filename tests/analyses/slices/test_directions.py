"""The directions of lines and planes: drawn, computed, read from files and toward checkpoints."""

import h5py
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from analyses.slices.directions import make_directions, perturbed_norm
from analyses.slices.settings import PlaneSettings, SliceSettings
from landscape.directions.direction import cosine, random_direction
from landscape.errors import InputError
from landscape.parameters.policies import PRESETS, Policy
from landscape.runtime.choices import NORMALIZATIONS
from tests.analyses.problems import network, objective
from tests.oracles.dense import dense_gradient, dense_hessian


@pytest.mark.parametrize("normalize", NORMALIZATIONS)
@pytest.mark.parametrize("policy", PRESETS)
def test_directions_are_drawn_one_after_the_other(normalize, policy):
    problem = objective()
    how = {"normalize": normalize, "policy": policy}
    dx, dy = make_directions(problem, SliceSettings(seed=3, **how), 2)
    generator = torch.Generator().manual_seed(3)
    for direction in (dx, dy):
        expected = random_direction(
            problem.layout,
            problem.theta,
            generator,
            normalize=normalize,
            policy=Policy.named(policy),
        )
        assert torch.equal(direction.vector, expected.vector)
    (alone,) = make_directions(problem, SliceSettings(seed=3, **how), 1)
    assert torch.equal(alone.vector, dx.vector)


def write(path, problem, names):
    tensors = {}
    with h5py.File(path, "w") as file:
        for scale, name in enumerate(names, 1):
            for number, shape in enumerate(problem.layout.shapes):
                values = np.full(shape, scale + 0.25 * number, np.float32)
                file[f"{name}/{number}"] = tensors[name, number] = values
    return tensors


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_directions_of_a_file_are_taken_as_they_are(tmp_path, dtype):
    problem = objective(dtype=dtype)
    path = tmp_path / "directions.h5"
    tensors = write(path, problem, ("xdirection", "ydirection"))
    settings = SliceSettings(directions=str(path), normalize="filter", seed=9)
    directions = make_directions(problem, settings, 2)
    for name, direction in zip(("xdirection", "ydirection"), directions, strict=True):
        assert direction.vector.dtype == dtype
        for number, tensor in enumerate(problem.layout.views(direction.vector)):
            assert np.array_equal(tensor.numpy(), tensors[name, number])
    (first,) = make_directions(problem, settings, 1)
    assert torch.equal(first.vector, directions[0].vector)


def test_one_direction_is_not_enough_for_two(tmp_path):
    problem = objective()
    write(tmp_path / "x.h5", problem, ("xdirection",))
    settings = SliceSettings(directions=str(tmp_path / "x.h5"))
    assert len(make_directions(problem, settings, 1)) == 1
    with pytest.raises(InputError, match=r"x\.h5 holds one direction; a surface needs two"):
        make_directions(problem, settings, 2)


# ------------------------------------------------------------------------------- other kinds


def double():
    return objective(dtype=torch.float64)


def test_the_gradient_is_a_direction_of_the_length_of_the_weights_that_move():
    problem = double()
    inputs, targets = samples_of(problem)
    gradient = dense_gradient(network().double(), inputs, targets, F.cross_entropy)
    x, y = make_directions(problem, SliceSettings(directions="gradient"), 2)
    assert cosine(x.vector, gradient) == pytest.approx(1, rel=1e-9)
    moved = [w for w in problem.layout.views(problem.theta) if w.dim() > 1]
    norm = torch.cat([w.flatten() for w in moved]).norm().item()
    assert perturbed_norm(problem, Policy.named()) == pytest.approx(norm)
    assert x.vector.norm().item() == pytest.approx(norm)
    (random,) = make_directions(problem, SliceSettings(), 1)
    assert torch.equal(y.vector, random.vector)
    assert random.vector.norm().item() == pytest.approx(norm)


def test_eigenvectors_are_those_of_the_dense_hessian():
    problem = double()
    hessian = dense_hessian(network().double(), *samples_of(problem), F.cross_entropy)
    values, vectors = torch.linalg.eigh(hessian)
    top = values.abs().argsort(descending=True)[:2]
    directions = make_directions(problem, SliceSettings(directions="eigenvector"), 2)
    for direction, number in zip(directions, top, strict=True):
        assert abs(cosine(direction.vector, vectors[:, number])) == pytest.approx(1, abs=1e-6)


def samples_of(problem):
    inputs = torch.cat([batch.inputs for batch in problem.batches])
    return inputs, torch.cat([batch.targets for batch in problem.batches])


def test_two_kinds_with_a_comma():
    problem = double()
    x, y = make_directions(problem, SliceSettings(directions="eigenvector,gradient"), 2)
    (first,) = make_directions(problem, SliceSettings(directions="eigenvector"), 1)
    (second,) = make_directions(problem, SliceSettings(directions="gradient"), 1)
    assert torch.equal(x.vector, first.vector)
    assert torch.equal(y.vector, second.vector)


def test_orthogonalised_directions_keep_their_length():
    problem = double()
    plain = make_directions(problem, SliceSettings(normalize="weight", seed=2), 2)
    x, y = make_directions(
        problem, PlaneSettings(normalize="weight", seed=2, orthogonalize=True), 2
    )
    assert abs(cosine(plain[0].vector, plain[1].vector)) > 1e-3
    assert abs(cosine(x.vector, y.vector)) < 1e-12
    assert torch.equal(x.vector, plain[0].vector)
    assert y.vector.norm().item() == pytest.approx(plain[1].vector.norm().item())


def test_a_repeat_is_the_next_seed():
    problem = objective()
    repeated = make_directions(problem, SliceSettings(seed=4, repeats=3), 2, repeat=2)
    alone = make_directions(problem, SliceSettings(seed=6), 2)
    for direction, expected in zip(repeated, alone, strict=True):
        assert torch.equal(direction.vector, expected.vector)


def test_toward_a_checkpoint_of_the_same_architecture(tmp_path):
    problem = objective()
    torch.save(network(5).state_dict(), tmp_path / "other.pt")
    (x,) = make_directions(problem, SliceSettings(toward_x=str(tmp_path / "other.pt")), 1)
    end = torch.cat([p.detach().flatten() for p in network(5).parameters()])
    torch.testing.assert_close(problem.theta + x.vector, end)
    torch.save(torch.nn.Linear(2, 2).state_dict(), tmp_path / "foreign.pt")
    with pytest.raises(InputError, match="does not fit the model"):
        make_directions(problem, SliceSettings(toward_x=str(tmp_path / "foreign.pt")), 1)

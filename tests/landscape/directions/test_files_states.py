"""Directions of states, with BatchNorm's statistics, and frozen parameters in files."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from landscape.directions.direction import Direction
from landscape.directions.files import direction_arrays, read_directions
from landscape.errors import InputError
from landscape.objective.eval_copy import statistics_of
from landscape.parameters.layout import ParameterLayout
from tests.landscape.directions.written import write_group, written
from tests.oracles.cases import TiedWeights
from tests.profile import repeats


def normed(frozen=()):
    """Convolution, BatchNorm, dense; entries of weight, bias and statistics interleave."""
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 3)
    ).double()
    for name in frozen:
        model.get_parameter(name).requires_grad_(False)
    return model


def direction_of(model, states):
    layout = ParameterLayout.of(model)
    count = sum(buffer.numel() for buffer in statistics_of(model).values())
    vector, statistics = torch.randn(layout.size).double(), torch.randn(count).double()
    return Direction(vector, layout, statistics if states else None)


def test_states_are_written_in_the_order_of_the_state_dict():
    model = normed()
    direction = direction_of(model, states=True)
    arrays = list(direction_arrays(direction, "xdirection", model).values())
    state = model.state_dict()
    assert [values.shape for values in arrays] == [tuple(t.shape) for t in state.values()]
    by_name = dict(zip(state, arrays, strict=True))
    mean, variance = direction.statistics.split(2)
    assert np.array_equal(by_name["1.running_mean"], mean)
    assert np.array_equal(by_name["1.running_var"], variance)
    assert by_name["1.num_batches_tracked"] == 0
    tensors = direction.layout.views(direction.vector)
    for name, tensor in zip(direction.layout.names, tensors, strict=True):
        assert np.array_equal(by_name[name], tensor), name


def test_weights_of_a_network_with_states_are_written_alone():
    model = normed()
    arrays = direction_arrays(direction_of(model, states=False), "ydirection", model)
    assert list(arrays) == [f"ydirection/{k}" for k in range(6)]
    assert [v.shape for v in arrays.values()] == [tuple(p.shape) for p in model.parameters()]


@pytest.mark.parametrize("states", [True, False])
@pytest.mark.parametrize("frozen", [(), ("1.weight", "3.bias")], ids=["all trained", "frozen"])
def test_states_and_weights_come_back_as_what_they_were(tmp_path, states, frozen):
    model = normed(frozen)
    direction = direction_of(model, states)
    path = written(tmp_path / "x.h5", direction_arrays(direction, "xdirection", model))
    (read,) = read_directions(path, direction.layout, model)
    assert torch.equal(read.vector, direction.vector)
    if states:
        assert torch.equal(read.statistics, direction.statistics)
    else:
        assert read.statistics is None


def test_states_of_the_original_tool_are_read(tmp_path):
    model = normed()
    layout = ParameterLayout.of(model)
    random = np.random.default_rng(0)
    state = {k: random.standard_normal(t.shape) for k, t in model.state_dict().items()}
    # It may copy the counter of batches, which moves nothing.
    state["1.num_batches_tracked"] = np.array(781.0)
    write_group(tmp_path / "states.h5", "xdirection", state.values())
    (read,) = read_directions(tmp_path / "states.h5", layout, model)
    single = {name: values.astype(np.float32) for name, values in state.items()}
    for name, tensor in zip(layout.names, layout.views(read.vector), strict=True):
        assert np.array_equal(tensor, single[name]), name
    assert np.array_equal(read.statistics[:2], single["1.running_mean"])
    assert np.array_equal(read.statistics[2:], single["1.running_var"])


def test_of_states_a_tied_tensor_has_an_entry_for_each_name(tmp_path):
    model = TiedWeights()
    model.register_buffer("running_mean", torch.zeros(2))
    direction = direction_of(model.double(), states=True)
    arrays = direction_arrays(direction, "xdirection", model)
    by_name = dict(zip(model.state_dict(), arrays.values(), strict=True))
    assert np.array_equal(by_name["first.weight"], by_name["second.weight"])
    (back,) = read_directions(written(tmp_path / "x.h5", arrays), direction.layout, model)
    assert torch.equal(back.vector, direction.vector)
    assert torch.equal(back.statistics, direction.statistics)


@pytest.mark.parametrize("form", ["weights", "states"])
def test_frozen_parameters_may_stand_in_a_file_if_they_do_not_move(tmp_path, form):
    model = normed(["0.weight"])
    layout = ParameterLayout.of(model)
    named = dict(model.named_parameters()) if form == "weights" else model.state_dict()
    tensors = {name: np.ones(tensor.shape) for name, tensor in named.items()}
    tensors["0.weight"] *= 0
    write_group(tmp_path / "still.h5", "xdirection", tensors.values())
    (read,) = read_directions(tmp_path / "still.h5", layout, model)
    assert torch.equal(read.vector, torch.ones(layout.size))
    assert (read.statistics is not None) == (form == "states")

    tensors["0.weight"][1, 0, 2, 2] = 1e-3
    write_group(tmp_path / "moved.h5", "xdirection", tensors.values())
    with pytest.raises(
        InputError, match=r"moved\.h5 \(/xdirection\) moves 0\.weight, which is frozen"
    ):
        read_directions(tmp_path / "moved.h5", layout, model)


def test_states_of_another_architecture_are_refused(tmp_path):
    model = normed()
    direction = direction_of(model, states=True)
    path = written(tmp_path / "x.h5", direction_arrays(direction, "xdirection", model))
    other = nn.Sequential(*model[:3], nn.Linear(8, 4))
    with pytest.raises(InputError, match="does not fit the model.*same architecture"):
        read_directions(path, ParameterLayout.of(other), other)


class Stored(nn.Module):
    """Parameters and statistics of any shapes, some in a submodule, some frozen."""

    def __init__(self, parameters, buffers, frozen):
        super().__init__()
        self.inner = nn.Module()
        for k, shape in enumerate(parameters):
            owner = self.inner if k % 2 else self
            owner.register_parameter(f"p{k}", nn.Parameter(torch.zeros(shape)))
            owner.get_parameter(f"p{k}").requires_grad_(k not in frozen)
        for k, shape in enumerate(buffers):
            owner = self if k % 2 else self.inner
            owner.register_buffer(f"b{k}", torch.zeros(shape))
        self.register_buffer("count", torch.tensor(0))
        self.register_buffer("passing", torch.zeros(3), persistent=False)


shapes = st.lists(st.integers(1, 3), max_size=3)


@settings(max_examples=repeats(20, 60), deadline=None, database=None)
@given(data=st.data(), double=st.booleans(), states=st.booleans())
def test_any_direction_comes_back(data, double, states):
    parameters = data.draw(st.lists(shapes, min_size=1, max_size=14))
    buffers = data.draw(st.lists(shapes, min_size=1, max_size=4))
    frozen = data.draw(st.sets(st.integers(0, 13)))
    if frozen >= set(range(len(parameters))):
        frozen = set()
    model = Stored(parameters, buffers, frozen)
    direction = direction_of(model, states)
    if not double:
        statistics = direction.statistics.float() if states else None
        direction = Direction(direction.vector.float(), direction.layout, statistics)
    with tempfile.TemporaryDirectory() as folder:
        arrays = direction_arrays(direction, "xdirection", model)
        path = written(Path(folder) / "x.h5", arrays)
        (read,) = read_directions(path, direction.layout, model)
    assert read.vector.dtype == direction.vector.dtype
    assert torch.equal(read.vector, direction.vector)
    if states:
        assert torch.equal(read.statistics, direction.statistics)
    else:
        assert read.statistics is None

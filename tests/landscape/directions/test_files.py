import re
import tempfile
from pathlib import Path

import h5py
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
from landscape.objective.objective import Objective
from landscape.parameters.layout import ParameterLayout
from tests.landscape.parameters.drawing import Everything, draw, layout_and_theta
from tests.oracles.cases import BY_NAME, TiedWeights


def write_group(path, name, tensors, mode="a"):
    """One direction as the original tool writes it."""
    with h5py.File(path, mode) as file:
        group = file.create_group(name)
        for number, tensor in enumerate(tensors):
            group.create_dataset(str(number), data=np.asarray(tensor, dtype=np.float32))


def test_arrays_have_the_names_of_the_original_tool():
    layout, theta = layout_and_theta()
    direction = draw(layout, theta)
    arrays = direction_arrays(direction, "xdirection", Everything())
    assert list(arrays) == [f"xdirection/{k}" for k in range(len(layout.shapes))]
    for values, tensor in zip(arrays.values(), layout.views(direction.vector), strict=True):
        assert values.shape == tuple(tensor.shape)
        assert np.array_equal(values, tensor.numpy())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_directions_come_back_from_a_file(tmp_path, dtype):
    layout, theta = layout_and_theta(dtype=dtype)
    written = [draw(layout, theta, seed) for seed in (1, 2)]
    path = tmp_path / "directions.h5"
    with h5py.File(path, "w") as file:
        for name, direction in zip(("xdirection", "ydirection"), written, strict=True):
            for key, values in direction_arrays(direction, name, Everything()).items():
                file[key] = values
    found = read_directions(path, layout, Everything())
    assert len(found) == 2
    for one, other in zip(found, written, strict=True):
        assert torch.equal(one.vector, other.vector)
        assert one.layout == layout


def test_a_file_of_the_original_tool_is_read(tmp_path):
    layout, _ = layout_and_theta()
    # More than ten tensors would be out of order if they were sorted as text.
    layout = ParameterLayout(
        layout.names + tuple(f"more{k}" for k in range(6)),
        layout.shapes + tuple(torch.Size([k + 1, 2]) for k in range(6)),
    )
    assert len(layout.shapes) == 13
    path = tmp_path / "directions.h5"
    random = np.random.default_rng(0)
    tensors = [random.standard_normal(shape).astype(np.float32) for shape in layout.shapes]
    write_group(path, "xdirection", tensors)
    (found,) = read_directions(path, layout, Everything())
    assert isinstance(found, Direction)
    for got, expected in zip(layout.views(found.vector), tensors, strict=True):
        assert np.array_equal(got.numpy(), expected)


def zeros_like(layout):
    return [np.zeros(shape) for shape in layout.shapes]


@pytest.mark.parametrize(
    ("name", "shape"), [("dense.weight", (4, 3)), ("convolution.weight", (5, 2, 2, 2))]
)
def test_directions_of_another_architecture_are_refused(tmp_path, name, shape):
    layout, _ = layout_and_theta()
    place = layout.names.index(name)
    tensors = zeros_like(layout)
    tensors[place] = np.zeros(shape)
    write_group(tmp_path / "other.h5", "xdirection", tensors)
    expected = re.escape(f"expected shape {tuple(layout.shapes[place])} for {name}, got {shape}")
    with pytest.raises(InputError, match=rf"other\.h5 \(/xdirection\).*{expected}.*same architect"):
        read_directions(tmp_path / "other.h5", layout, Everything())


@pytest.mark.parametrize("change", [-1, 1, "all"])
def test_a_wrong_number_of_tensors_is_refused(tmp_path, change):
    layout, _ = layout_and_theta()
    tensors = zeros_like(layout)
    tensors = {-1: tensors[:-1], 1: [*tensors, np.zeros(2)], "all": []}[change]
    write_group(tmp_path / "x.h5", "xdirection", tensors)
    with pytest.raises(
        InputError, match=f"expected 7 tensors, one for each parameter, got {len(tensors)}"
    ):
        read_directions(tmp_path / "x.h5", layout, Everything())


def test_the_second_direction_has_to_fit_too(tmp_path):
    layout, _ = layout_and_theta()
    write_group(tmp_path / "xy.h5", "xdirection", zeros_like(layout))
    write_group(tmp_path / "xy.h5", "ydirection", zeros_like(layout)[:-1])
    with pytest.raises(InputError, match="/ydirection"):
        read_directions(tmp_path / "xy.h5", layout, Everything())


def test_a_file_without_directions_is_refused(tmp_path):
    layout, _ = layout_and_theta()
    with h5py.File(tmp_path / "empty.h5", "w"):
        pass
    with pytest.raises(InputError, match="has no xdirection"):
        read_directions(tmp_path / "empty.h5", layout, Everything())


def test_a_y_direction_is_no_x_direction(tmp_path):
    layout, _ = layout_and_theta()
    write_group(tmp_path / "y.h5", "ydirection", zeros_like(layout))
    with pytest.raises(InputError, match="has no xdirection"):
        read_directions(tmp_path / "y.h5", layout, Everything())


def test_tensors_by_other_names_are_refused(tmp_path):
    layout, _ = layout_and_theta()
    path = tmp_path / "named.h5"
    with h5py.File(path, "w") as file:
        for name, tensor in zip(layout.names, zeros_like(layout), strict=True):
            file[f"xdirection/{name}"] = tensor
    with pytest.raises(InputError, match=r"named\.h5"):
        read_directions(path, layout, Everything())


def test_a_direction_that_is_one_array_is_refused(tmp_path):
    layout, _ = layout_and_theta()
    with h5py.File(tmp_path / "flat.h5", "w") as file:
        file["xdirection"] = np.zeros(layout.size)
    with pytest.raises(InputError, match=r"flat\.h5"):
        read_directions(tmp_path / "flat.h5", layout, Everything())


def test_tensors_that_are_no_numbers_are_refused(tmp_path):
    layout, _ = layout_and_theta()
    with h5py.File(tmp_path / "text.h5", "w") as file:
        for number in range(len(layout.shapes)):
            file[f"xdirection/{number}"] = "text"
    with pytest.raises(InputError, match=r"text\.h5"):
        read_directions(tmp_path / "text.h5", layout, Everything())


def test_no_file_is_refused(tmp_path):
    layout, _ = layout_and_theta()
    with pytest.raises(InputError, match="no such direction file: .*nowhere"):
        read_directions(tmp_path / "nowhere.h5", layout, Everything())


DAMAGE = {
    "empty": lambda content: b"",
    "text": lambda content: b"these are no directions" * 100,
    "half": lambda content: content[: len(content) // 2],
    "without its last byte": lambda content: content[:-1],
    "with damaged nodes": lambda content: content.replace(b"SNOD", b"DONS"),
    "with damaged trees": lambda content: content.replace(b"TREE", b"EERT"),
    "with damaged heaps": lambda content: content.replace(b"HEAP", b"PAEH"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_refused(tmp_path, damage):
    layout, _ = layout_and_theta()
    path = tmp_path / "damaged.h5"
    write_group(path, "xdirection", zeros_like(layout))
    path.write_bytes(DAMAGE[damage](path.read_bytes()))
    with pytest.raises(InputError, match=r"damaged\.h5"):
        read_directions(path, layout, Everything())


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="not an HDF5 file"):
        read_directions(tmp_path, layout_and_theta()[0], Everything())


# ------------------------------------------------------------------ states and frozen parameters


def normed(frozen=()):
    """Convolution, BatchNorm, dense; entries of weight, bias and statistics interleave."""
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 3)
    ).double()
    for name in frozen:
        model.get_parameter(name).requires_grad_(False)
    return model


def written(path, arrays):
    with h5py.File(path, "w") as file:
        for key, values in arrays.items():
            file[key] = values
    return path


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
    found = dict(zip(state, arrays, strict=True))
    mean, variance = direction.statistics.split(2)
    assert np.array_equal(found["1.running_mean"], mean)
    assert np.array_equal(found["1.running_var"], variance)
    assert found["1.num_batches_tracked"] == 0
    tensors = direction.layout.views(direction.vector)
    for name, tensor in zip(direction.layout.names, tensors, strict=True):
        assert np.array_equal(found[name], tensor), name


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
    (found,) = read_directions(path, direction.layout, model)
    assert torch.equal(found.vector, direction.vector)
    if states:
        assert torch.equal(found.statistics, direction.statistics)
    else:
        assert found.statistics is None


def test_states_of_the_original_tool_are_read(tmp_path):
    model = normed()
    layout = ParameterLayout.of(model)
    random = np.random.default_rng(0)
    state = {k: random.standard_normal(t.shape) for k, t in model.state_dict().items()}
    # It may copy the counter of batches, which moves nothing.
    state["1.num_batches_tracked"] = np.array(781.0)
    write_group(tmp_path / "states.h5", "xdirection", state.values())
    (found,) = read_directions(tmp_path / "states.h5", layout, model)
    single = {name: values.astype(np.float32) for name, values in state.items()}
    for name, tensor in zip(layout.names, layout.views(found.vector), strict=True):
        assert np.array_equal(tensor, single[name]), name
    assert np.array_equal(found.statistics[:2], single["1.running_mean"])
    assert np.array_equal(found.statistics[2:], single["1.running_var"])


def test_of_states_a_tied_tensor_has_an_entry_for_each_name(tmp_path):
    model = TiedWeights()
    model.register_buffer("running_mean", torch.zeros(2))
    direction = direction_of(model.double(), states=True)
    arrays = direction_arrays(direction, "xdirection", model)
    found = dict(zip(model.state_dict(), arrays.values(), strict=True))
    assert np.array_equal(found["first.weight"], found["second.weight"])
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
    (found,) = read_directions(tmp_path / "still.h5", layout, model)
    assert torch.equal(found.vector, torch.ones(layout.size))
    assert (found.statistics is not None) == (form == "states")

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


@settings(max_examples=60, deadline=None, database=None)
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
        (found,) = read_directions(path, direction.layout, model)
    assert found.vector.dtype == direction.vector.dtype
    assert torch.equal(found.vector, direction.vector)
    if states:
        assert torch.equal(found.statistics, direction.statistics)
    else:
        assert found.statistics is None


# ------------------------------------------------------------- surfaces that name their directions


def surface_naming(path, directions):
    """A surface file of the original tool: it holds coordinates and losses, no directions."""
    with h5py.File(path, "w") as file:
        file["dir_file"] = str(directions)
        file["xcoordinates"] = np.linspace(-1, 1, 3)
        file["train_loss"] = np.zeros(3)
    return path


def test_a_surface_leads_to_the_directions_it_names(tmp_path):
    layout, theta = layout_and_theta()
    direction = draw(layout, theta)
    (tmp_path / "elsewhere").mkdir()
    arrays = direction_arrays(direction, "xdirection", Everything())
    directions = written(tmp_path / "elsewhere" / "directions.h5", arrays)
    surface = surface_naming(tmp_path / "surface.h5", directions)
    (found,) = read_directions(surface, layout, Everything())
    assert torch.equal(found.vector, direction.vector)


def test_directions_are_found_beside_a_surface_that_has_moved(tmp_path):
    layout, theta = layout_and_theta()
    direction = draw(layout, theta)
    written(tmp_path / "directions.h5", direction_arrays(direction, "xdirection", Everything()))
    surface = surface_naming(tmp_path / "surface.h5", "/cluster/results/directions.h5")
    (found,) = read_directions(surface, layout, Everything())
    assert torch.equal(found.vector, direction.vector)


@pytest.mark.parametrize("name", ["/cluster/results/directions.h5", "surface.h5"])
def test_a_surface_whose_directions_are_gone_is_refused(tmp_path, name):
    layout, _ = layout_and_theta()
    surface = surface_naming(tmp_path / "surface.h5", name)
    with pytest.raises(InputError, match=rf"has its directions in {name}, which is not there"):
        read_directions(surface, layout, Everything())


def test_a_surface_that_names_no_file_is_refused(tmp_path):
    layout, _ = layout_and_theta()
    with h5py.File(tmp_path / "surface.h5", "w") as file:
        file["dir_file"] = 3.0
    with pytest.raises(InputError, match=r"surface\.h5 is not an HDF5 file of directions"):
        read_directions(tmp_path / "surface.h5", layout, Everything())


def test_eigenvectors_of_a_spectrum_are_directions(tmp_path):
    from analyses import hessian

    case = BY_NAME["mlp with frozen parameters"]
    objective = Objective(case.model(), case.data, case.loss, device="cpu", dtype=torch.float64)
    asked = hessian.Settings(top=3, probes=0, save_vectors=True)
    found = hessian.compute(objective, asked)
    found.save(tmp_path / "hessian.h5")
    read = read_directions(tmp_path / "hessian.h5", objective.layout, objective.module)
    assert len(read) == 2
    for direction, vector in zip(read, found.vectors, strict=False):
        np.testing.assert_array_equal(direction.vector, vector)
        assert direction.statistics is None
    other = Objective(BY_NAME["mixer"].model(), BY_NAME["mixer"].data, device="cpu")
    with pytest.raises(InputError, match="has eigenvectors of .* parameters, the model has"):
        read_directions(tmp_path / "hessian.h5", other.layout, other.module)

"""Directions in files: written, read and refused."""

import re

import h5py
import numpy as np
import pytest
import torch

from landscape.directions.direction import Direction
from landscape.directions.files import direction_arrays, read_directions
from landscape.errors import InputError
from landscape.objective.objective import Objective
from landscape.parameters.layout import ParameterLayout
from tests.landscape.directions.written import write_group, written, zeros_like
from tests.landscape.parameters.drawing import Everything, draw, layout_and_theta
from tests.oracles.cases import BY_NAME


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
    directions = read_directions(path, layout, Everything())
    assert len(directions) == 2
    for direction_read, expected in zip(directions, written, strict=True):
        assert torch.equal(direction_read.vector, expected.vector)
        assert direction_read.layout == layout


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
    (direction,) = read_directions(path, layout, Everything())
    assert isinstance(direction, Direction)
    for got, expected in zip(layout.views(direction.vector), tensors, strict=True):
        assert np.array_equal(got.numpy(), expected)


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


@pytest.mark.parametrize("change", [-1, 1])
def test_a_wrong_number_of_tensors_is_refused(tmp_path, change):
    layout, _ = layout_and_theta()
    tensors = zeros_like(layout)
    tensors = {-1: tensors[:-1], 1: [*tensors, np.zeros(2)]}[change]
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


def test_a_direction_of_no_tensors_is_refused(tmp_path):
    layout, _ = layout_and_theta()
    write_group(tmp_path / "x.h5", "xdirection", [])
    with pytest.raises(InputError, match="has no xdirection"):
        read_directions(tmp_path / "x.h5", layout, Everything())


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
    with pytest.raises(InputError, match="is not a file; expected an HDF5 file"):
        read_directions(tmp_path, layout_and_theta()[0], Everything())


# ------------------------------------------------------------- surfaces that name their directions


def surface_naming(path, directions):
    """A surface file of the original tool: it holds coordinates and losses, no directions."""
    with h5py.File(path, "w") as file:
        file["dir_file"] = str(directions)
        file["xcoordinates"] = np.linspace(-1, 1, 3)
        file["train_loss"] = np.zeros(3)
    return path


def test_what_a_surface_names_is_not_opened_but_said(tmp_path):
    """A file that came from somebody else does not choose what is read."""
    layout, theta = layout_and_theta()
    direction = draw(layout, theta)
    (tmp_path / "elsewhere").mkdir()
    arrays = direction_arrays(direction, "xdirection", Everything())
    directions = written(tmp_path / "elsewhere" / "directions.h5", arrays)
    surface = surface_naming(tmp_path / "surface.h5", directions)
    with pytest.raises(InputError, match=rf"has no xdirection.*give --directions {directions}$"):
        read_directions(surface, layout, Everything())


def test_a_file_of_that_name_beside_a_surface_that_has_moved_is_proposed(tmp_path):
    layout, theta = layout_and_theta()
    arrays = direction_arrays(draw(layout, theta), "xdirection", Everything())
    beside = written(tmp_path / "directions.h5", arrays)
    surface = surface_naming(tmp_path / "surface.h5", "/cluster/results/directions.h5")
    with pytest.raises(InputError, match=rf"give --directions {beside}$"):
        read_directions(surface, layout, Everything())


def test_eigenvectors_of_a_spectrum_are_directions(tmp_path):
    from analyses import hessian

    case = BY_NAME["mlp with frozen parameters"]
    objective = Objective(case.model(), case.data, case.loss, device="cpu", dtype=torch.float64)
    settings = hessian.Settings(top=3, probes=0, save_vectors=True)
    spectrum = hessian.compute(objective, settings)
    spectrum.save(tmp_path / "hessian.h5")
    read = read_directions(tmp_path / "hessian.h5", objective.layout, objective.module)
    assert len(read) == 2
    for direction, vector in zip(read, spectrum.vectors, strict=False):
        np.testing.assert_array_equal(direction.vector, vector)
        assert direction.statistics is None
    other = Objective(BY_NAME["mixer"].model(), BY_NAME["mixer"].data, device="cpu")
    with pytest.raises(InputError, match="has eigenvectors of .* parameters, the model has"):
        read_directions(tmp_path / "hessian.h5", other.layout, other.module)

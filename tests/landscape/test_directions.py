import math
import re

import h5py
import numpy as np
import pytest
import torch
from torch import nn

from landscape.direction_files import direction_arrays, read_directions
from landscape.directions import NORMALIZATIONS, Direction, cosine, random_direction
from landscape.errors import InputError
from landscape.parameters import ParameterLayout, flatten
from landscape.policies import Policy


class Everything(nn.Module):
    """Tensors of 0 to 4 dimensions; it is never called."""

    def __init__(self):
        super().__init__()
        self.dense = nn.Linear(4, 3)
        self.convolution = nn.Conv2d(2, 5, 3)
        self.sequence = nn.Conv1d(3, 4, 2, bias=False)
        self.tokens = nn.Parameter(torch.randn(1, 6, 4))
        self.temperature = nn.Parameter(torch.tensor(-1.7))


def layout_and_theta(model=None, dtype=torch.float64):
    model = (model or Everything()).to(dtype)
    return ParameterLayout.of(model), flatten(p.detach() for p in model.parameters())


def draw(layout, theta, seed=3, **how):
    return random_direction(layout, theta, torch.Generator().manual_seed(seed), **how)


def gaussian(layout, theta, seed=3):
    """The draw itself, before anything is done to it."""
    return draw(layout, theta, seed, normalize="none", policy=Policy.named("all"))


def by_name(layout, vector):
    return dict(zip(layout.names, layout.views(vector), strict=True))


def rows(tensor):
    """The slices along dimension 0: what feeds one output unit."""
    return [tensor[k].reshape(-1) for k in range(len(tensor))]


# ----------------------------------------------------------------------------- the draw itself


def test_without_normalisation_the_direction_is_gaussian():
    layout, theta = layout_and_theta(nn.Linear(100, 200, bias=False))
    vector = draw(layout, theta, normalize="none").vector
    assert abs(vector.mean().item()) < 4 / math.sqrt(layout.size)
    assert vector.std().item() == pytest.approx(1, abs=4 / math.sqrt(2 * layout.size))
    assert (vector > 0).double().mean().item() == pytest.approx(0.5, abs=0.02)
    assert vector.abs().max() > 3  # a uniform draw has no tails


def test_two_directions_of_one_generator_are_independent():
    layout, theta = layout_and_theta(nn.Linear(100, 200, bias=False))
    generator = torch.Generator().manual_seed(0)
    one, other = (random_direction(layout, theta, generator).vector for _ in range(2))
    assert abs(cosine(one, other)) < 4 / math.sqrt(layout.size)


@pytest.mark.parametrize("normalize", NORMALIZATIONS)
def test_a_seed_means_one_direction(normalize):
    layout, theta = layout_and_theta()
    before = torch.get_rng_state()
    one, again = (draw(layout, theta, 5, normalize=normalize).vector for _ in range(2))
    assert torch.equal(one, again)
    assert not torch.equal(one, draw(layout, theta, 6, normalize=normalize).vector)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("normalize", NORMALIZATIONS)
def test_a_seed_means_one_direction_in_every_precision(normalize):
    layout, theta = layout_and_theta(dtype=torch.float32)
    single = draw(layout, theta, normalize=normalize).vector
    double = draw(layout, theta.double(), normalize=normalize).vector
    assert single.dtype == torch.float32
    assert double.dtype == torch.float64
    torch.testing.assert_close(single.double(), double, rtol=1e-5, atol=1e-6)


def test_the_network_is_left_as_it_is():
    layout, theta = layout_and_theta()
    before = theta.clone()
    for normalize in NORMALIZATIONS:
        draw(layout, theta, normalize=normalize, policy=Policy.named("all"))
    assert torch.equal(theta, before)


@pytest.mark.parametrize(
    "model",
    [nn.Linear(3, 2), nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)), nn.LSTM(3, 4), None],
    ids=["linear", "batch norm", "lstm", "everything"],
)
def test_every_architecture_has_directions(model):
    layout, theta = layout_and_theta(model)
    direction = draw(layout, theta)
    assert direction.layout == layout
    assert direction.vector.shape == theta.shape
    assert direction.vector.isfinite().all()
    assert direction.vector.any()


# ------------------------------------------------------------------------------- normalisation


def expected_tensor(d, w, normalize):
    """What ``normalize`` makes of the draw ``d`` for the network's tensor ``w``, row by row."""
    if normalize == "none":
        return d
    if normalize == "weight":
        return d * w
    if normalize == "layer":
        return d * (w.norm() / d.norm())
    if normalize == "dlayer":
        return d / d.norm()
    scaled = [
        row * (own.norm() / row.norm() if normalize == "filter" else 1 / row.norm())
        for row, own in zip(rows(d), rows(w), strict=True)
    ]
    return torch.stack(scaled).reshape(d.shape)


@pytest.mark.parametrize("normalize", NORMALIZATIONS)
def test_tensors_with_filters_are_scaled_as_computed_directly(normalize):
    layout, theta = layout_and_theta()
    raw = layout.views(gaussian(layout, theta).vector)
    found = layout.views(draw(layout, theta, normalize=normalize).vector)
    checked = 0
    for d, w, got in zip(raw, layout.views(theta), found, strict=True):
        if d.dim() > 1:
            torch.testing.assert_close(got, expected_tensor(d, w, normalize), rtol=1e-12, atol=0)
            checked += 1
    assert checked == 4


def test_filter_normalisation_gives_every_output_unit_the_norm_of_the_network():
    layout, theta = layout_and_theta()
    found, own = layout.views(draw(layout, theta).vector), layout.views(theta)
    ratios = [
        (row.norm() / weights.norm()).item()
        for d, w in zip(found, own, strict=True)
        if d.dim() > 1
        for row, weights in zip(rows(d), rows(w), strict=True)
    ]
    assert len(ratios) == 3 + 5 + 4 + 1
    assert ratios == pytest.approx([1.0] * len(ratios), rel=1e-12)


@pytest.mark.parametrize("normalize", NORMALIZATIONS)
def test_tensors_of_one_dimension_are_not_moved(normalize):
    layout, theta = layout_and_theta()
    found = layout.views(draw(layout, theta, normalize=normalize).vector)
    still = {name for name, d in zip(layout.names, found, strict=True) if not d.any()}
    assert still == {"dense.bias", "convolution.bias", "temperature"}


@pytest.mark.parametrize("normalize", NORMALIZATIONS)
def test_tensors_of_one_dimension_move_as_one_filter_if_asked(normalize):
    layout, theta = layout_and_theta()
    raw = layout.views(gaussian(layout, theta).vector)
    found = layout.views(
        draw(layout, theta, normalize=normalize, policy=Policy.named("all")).vector
    )
    whole = {"filter": "layer", "dfilter": "dlayer"}.get(normalize, normalize)
    checked = 0
    for d, w, got in zip(raw, layout.views(theta), found, strict=True):
        if d.dim() <= 1:
            torch.testing.assert_close(got, expected_tensor(d, w, whole), rtol=1e-12, atol=0)
            checked += 1
    assert checked == 3


@pytest.mark.parametrize("normalize", ["filter", "layer", "weight"])
def test_where_the_network_is_zero_the_direction_is_zero(normalize):
    layout, theta = layout_and_theta()
    own = by_name(layout, theta)
    own["dense.weight"][1] = 0
    own["dense.bias"].zero_()
    own["convolution.weight"].zero_()
    moved = by_name(
        layout, draw(layout, theta, normalize=normalize, policy=Policy.named("all")).vector
    )
    assert all(tensor.isfinite().all() for tensor in moved.values())
    assert not moved["dense.bias"].any()
    assert not moved["convolution.weight"].any()
    assert moved["dense.weight"][0].any()
    assert moved["dense.weight"][1].any() == (normalize == "layer")


@pytest.mark.parametrize("normalize", NORMALIZATIONS)
def test_a_draw_of_zeros_gives_no_nan(normalize, monkeypatch):
    layout, theta = layout_and_theta()
    how = {"normalize": normalize, "policy": Policy.named("all")}
    ordinary = by_name(layout, draw(layout, theta, **how).vector)
    randn = torch.randn

    def with_zeros(*size, **options):
        vector = randn(*size, **options)
        zero = by_name(layout, vector)
        zero["dense.weight"].zero_()
        zero["convolution.weight"][1] = 0
        zero["dense.bias"].zero_()
        return vector

    monkeypatch.setattr(torch, "randn", with_zeros)
    found = by_name(layout, draw(layout, theta, **how).vector)
    assert all(tensor.isfinite().all() for tensor in found.values())
    assert not found["dense.weight"].any()
    assert not found["dense.bias"].any()
    assert not found["convolution.weight"][1].any()
    if normalize in ("filter", "dfilter"):
        assert torch.equal(found["convolution.weight"][2], ordinary["convolution.weight"][2])
    for name in ("sequence.weight", "tokens", "temperature"):
        assert torch.equal(found[name], ordinary[name])


def test_unknown_ways_to_normalise_are_refused():
    layout, theta = layout_and_theta()
    with pytest.raises(InputError, match="unknown normalization 'filters'; expected one of filter"):
        draw(layout, theta, normalize="filters")


# --------------------------------------------------------------------------------------- files


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
        InputError, match=f"expected 7 tensors, one a parameter, got {len(tensors)}"
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


# -------------------------------------------------------------------------------------- cosine


def test_cosine():
    x, y = torch.tensor([3.0, 0.0, 4.0]), torch.tensor([0.0, 2.0, 0.0])
    assert cosine(x, y) == 0
    assert cosine(x, 7 * x) == pytest.approx(1, abs=1e-15)
    assert cosine(x, -x) == pytest.approx(-1, abs=1e-15)
    assert cosine(x, torch.tensor([1.0, 0.0, 0.0])) == pytest.approx(0.6, abs=1e-15)
    assert math.isnan(cosine(x, torch.zeros(3)))


def test_cosine_is_taken_in_double_precision():
    # In single precision the products of these underflow, and so would the cosine.
    x = torch.full((50,), 1e-30)
    assert cosine(x, x) == pytest.approx(1, abs=1e-12)

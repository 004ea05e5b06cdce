"""Dimension scales of result files: what HDF5's own functions say of them, and what we read."""

import h5py
import numpy as np
import pytest

from landscape.errors import InputError
from landscape.results.dimensions import scales_of
from landscape.results.hdf5.read import read_arrays, read_outline, read_shapes
from landscape.results.hdf5.scales import SCALE_ONLY
from landscape.results.hdf5.seal import USER_BLOCK, seal
from landscape.results.hdf5.write import write_hdf5
from landscape.results.result import Array

COORDINATES = ("xs", "names")
ARRAYS = {
    "xs": Array([0.5, 1.5, 2.5], "m", ("x",)),
    "loss": Array(np.arange(6.0).reshape(2, 3), "nats", ("probe", "x")),
    "error/loss": Array(np.ones((2, 3)), "nats", ("probe", "x")),
    "parts/names": Array(np.array(["a", "ß"], dtype=object), "", ("part",)),
    "parts/gram": Array(np.eye(2), "", ("part", "part")),
    "parts/inner/sizes": Array([3, 4], "", ("part",)),
    "trace": Array([1.0, 0.1], "", ("±",)),
    "epoch": Array([1.0, 2.0, 3.0, 4.0], "", ("epoch",)),
    "lr": Array([0.1, 0.2, 0.3, 0.4], "", ("epoch",)),
    "fine/x": Array([1.0, 2.0, 3.0, 4.0], "", ("epoch",)),
    "direction/0": Array(np.zeros((3, 2))),
    "direction/1": Array(np.zeros(2)),
    "empty": Array(np.zeros((0, 3)), "", ("nothing", "x")),
    "count": Array(7),
}


def written(path, arrays=ARRAYS):
    values = {name: array.values for name, array in arrays.items()}
    write_hdf5(path, {}, values, {}, scales_of(arrays, COORDINATES))
    return path


@pytest.fixture
def file(tmp_path):
    return written(tmp_path / "x.h5")


def test_every_axis_has_its_scale(file):
    expected = {
        "xs": ["/x"],
        "loss": ["/probe", "/x"],
        "error/loss": ["/probe", "/x"],
        "parts/names": ["/parts/part"],
        "parts/gram": ["/parts/part", "/parts/part 2"],
        "parts/inner/sizes": ["/parts/part"],
        "trace": ["/±"],
        "lr": ["/epoch"],
        "fine/x": ["/epoch"],
        "direction/0": ["/length 3", "/length 2"],
        "direction/1": ["/length 2"],
        "empty": ["/nothing", "/x"],
    }
    with h5py.File(file) as opened:
        for path, scales in expected.items():
            array = opened[path]
            assert [dimension[0].name for dimension in array.dims] == scales
            for place, scale in enumerate(scales):
                assert h5py.h5ds.is_scale(opened[scale].id)
                assert h5py.h5ds.is_attached(array.id, opened[scale].id, place)
                assert opened[scale].shape == (array.shape[place],)
        assert h5py.h5ds.is_scale(opened["epoch"].id)  # an array that is its own coordinate
        assert "DIMENSION_LIST" not in opened["epoch"].attrs
        assert set(opened["direction"]) == {"0", "1"}  # the original tool counts them


def test_scales_hold_coordinates_and_units(file):
    with h5py.File(file) as opened:
        assert opened["x"][:].tolist() == [0.5, 1.5, 2.5]
        assert opened["x"].attrs["units"] == b"m"
        assert opened["parts/part"].asstr()[:].tolist() == ["a", "ß"]
        assert opened["±"].asstr()[:].tolist() == ["value", "standard error"]
        for name, length in (("probe", 2), ("length 3", 3), ("nothing", 0)):
            text = f"This is a netCDF dimension but not a netCDF variable.{length:10d}"
            assert opened[name].attrs["NAME"] == text.encode()
            assert opened[name].id.get_storage_size() == 0


def test_only_the_lists_of_scales_are_of_variable_length(file):
    def check(path, item):
        if isinstance(item, h5py.Dataset):
            assert item.dtype.kind != "O", path
        for key in item.attrs:
            is_list = key == "DIMENSION_LIST"
            assert (item.attrs.get_id(key).dtype.kind == "O") == is_list, (path, key)

    with h5py.File(file) as opened:
        opened.visititems(check)


def test_we_read_the_arrays_alone(file):
    arrays = read_arrays(file)
    assert set(arrays) == set(ARRAYS) == set(read_shapes(file))
    for path, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[path], array.values)


def test_files_are_the_same_to_the_bit(file, tmp_path):
    assert written(tmp_path / "again.h5").read_bytes() == file.read_bytes()


def test_what_has_the_name_of_a_dimension_and_is_none(tmp_path):
    arrays = {
        "rank": Array([1.0, 2.0], "", ("layer",)),
        "values": Array([1.0, 2.0, 3.0], "", ("rank",)),
        "parts/sizes": Array([1, 2], "", ("parts",)),
        "parts/deep/sizes": Array([1, 2], "", ("deep",)),
        "outside": Array([1, 2], "", ("parts",)),
        "seconds": Array(3.0, "s"),
        "times": Array([1.0], "s", ("seconds",)),
    }
    with h5py.File(written(tmp_path / "x.h5", arrays)) as opened:
        assert opened["values"].dims[0][0].name == "/rank axis"
        assert opened["rank"].dims[0][0].name == "/layer"
        assert opened["outside"].dims[0][0].name == "/parts axis"
        assert opened["parts/deep/sizes"].dims[0][0].name == "/parts/deep/deep"
        assert opened["times"].dims[0][0].name == "/seconds axis"


def test_a_scale_may_not_be_in_another_file(tmp_path):
    (tmp_path / "secret").write_bytes(b"secret")
    with h5py.File(tmp_path / "x.h5", "w") as file:
        external = [(str(tmp_path / "secret"), 0, 6)]
        scale = file.create_dataset("x", (6,), "u1", external=external)
        scale.attrs[SCALE_ONLY] = 1
    with pytest.raises(InputError, match="x has its values in another file"):
        read_outline(tmp_path / "x.h5")


def test_five_thousand_arrays_share_a_dimension(tmp_path):
    """Their references are more than the 64 kB that an attribute of HDF5's first format holds."""
    arrays = {f"direction/{number}": Array(np.zeros(4)) for number in range(5000)}
    with h5py.File(written(tmp_path / "x.h5", arrays)) as opened:
        assert len(opened["length 4"].attrs["REFERENCE_LIST"]) == 5000
        assert opened["direction/4999"].dims[0][0].name == "/length 4"


@pytest.mark.parametrize("damage", [b"\x00", b"\xff", b"GCOL"])
def test_damaged_references_do_not_reach_us(tmp_path, damage):
    """Only who seals a file again can make one with them: nothing that we read follows them."""
    written(tmp_path / "x.h5")

    def sealed_again(content):
        body = memoryview(content)[USER_BLOCK:]
        (tmp_path / "x.h5").write_bytes(seal(body) + bytes(body))

    content = (tmp_path / "x.h5").read_bytes()
    start = content.index(b"GCOL")
    length = int.from_bytes(content[start + 8 : start + 16], "little")
    assert length >= 4096
    harmed = damage * (length // len(damage))
    sealed_again(content[:start] + harmed + content[start + len(harmed) :])
    arrays = read_arrays(tmp_path / "x.h5")
    for path, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[path], array.values)

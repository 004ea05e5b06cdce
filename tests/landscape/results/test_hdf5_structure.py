"""A file may hold nothing but numbers and texts of its own."""

import time

import h5py
import numpy as np
import pytest

from landscape.errors import InputError
from landscape.results.hdf5.read import read_arrays, read_outline


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "result.h5"
    with h5py.File(path, "w") as written:
        written["numbers"] = [1.0, 2.0]
    return path


def external_values(opened, secret):
    opened.create_dataset("bad", (6,), "u1", external=[(str(secret), 0, 6)])


def virtual_values(opened, secret):
    with h5py.File(secret.with_suffix(".other"), "w") as other:
        other["bad"] = np.arange(6)
    layout = h5py.VirtualLayout((6,), "i8")
    layout[:] = h5py.VirtualSource(secret.with_suffix(".other"), "bad", (6,))
    opened.create_virtual_dataset("bad", layout)


def external_link(opened, secret):
    with h5py.File(secret.with_suffix(".other"), "w") as other:
        other["bad"] = np.arange(6)
    opened["bad"] = h5py.ExternalLink(str(secret.with_suffix(".other")), "bad")


def soft_link(opened, _secret):
    opened["bad"] = h5py.SoftLink("/numbers")


def dangling_link(opened, _secret):
    opened["bad"] = h5py.SoftLink("/nowhere")


def group_in_itself(opened, _secret):
    group = opened.create_group("bad")
    group["again"] = group


def deep_groups(opened, _secret):
    opened.create_group("/".join(["bad"] * 40))


def never_written(opened, _secret):
    opened.create_dataset("bad", (10**6, 10**6), "f8")


def compressed_bomb(opened, _secret):
    bad = opened.create_dataset("bad", (40, 1 << 20), "f4", chunks=(1, 1 << 20), compression=9)
    bad[:] = 0


def many_arrays_of_spare_size(opened, _secret):
    for number in range(20):
        opened.create_dataset(f"bad{number}", (1 << 20,), "f4", chunks=True, compression=9)


def records(opened, _secret):
    opened["bad"] = np.zeros(3, [("a", "f8"), ("b", "i4")])


def references(opened, _secret):
    opened.create_dataset("bad", data=opened["numbers"].ref, dtype=h5py.ref_dtype)


def ragged(opened, _secret):
    bad = opened.create_dataset("bad", (2,), h5py.vlen_dtype("f8"))
    bad[0] = [1.0, 2.0]


def nothing_at_all(opened, _secret):
    opened["bad"] = h5py.Empty("f8")


def foreign_filter(opened, _secret):
    opened.create_dataset(
        "bad", (4,), "f8", chunks=(4,), compression=32015, allow_unknown_filter=True
    )


def row_as_label(opened, _secret):
    opened.attrs["label"] = ["a", "b"]


KINDS = [
    external_values,
    virtual_values,
    external_link,
    soft_link,
    dangling_link,
    group_in_itself,
    deep_groups,
    never_written,
    compressed_bomb,
    many_arrays_of_spare_size,
    records,
    references,
    ragged,
    nothing_at_all,
    foreign_filter,
    row_as_label,
]


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_may_hold_nothing_but_numbers_and_texts_of_its_own(file, tmp_path, kind):
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    with h5py.File(file, "r+") as opened:
        kind(opened, secret)
    started = time.monotonic()
    for read in (read_outline, read_arrays):
        with pytest.raises(
            InputError, match="result.h5 is damaged or not a file of results: "
        ) as e:
            read(file)
        assert "\n" not in str(e.value)
    assert time.monotonic() - started < 5

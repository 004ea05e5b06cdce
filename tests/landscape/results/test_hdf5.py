"""Files on which the HDF5 library crashes or hangs are refused, others opened as they are."""

import os
import signal
import time
from pathlib import Path

import h5py
import pytest

from landscape.errors import InputError
from landscape.results import hdf5
from landscape.results.hdf5 import open_hdf5

DAMAGED = Path(__file__).parents[4] / "shared" / "cases" / "damaged"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "result.h5"
    with h5py.File(path, "w") as written:
        written.attrs["label"] = "a text"
        written["numbers"] = [1.0, 2.0]
    return path


def crash(_path):
    os.kill(os.getpid(), signal.SIGSEGV)


def loop(_path):
    while True:
        pass


def hang(_path):
    while True:
        time.sleep(0.01)


@pytest.mark.parametrize("fault", [crash, loop, hang])
def test_a_fault_of_the_library_is_one_line(file, fault, monkeypatch):
    monkeypatch.setattr(hdf5, "_read_small_parts", fault)
    monkeypatch.setattr(hdf5, "LONGEST_SECONDS", 60.0 if fault is loop else 0.2)
    with pytest.raises(InputError, match=r"result.h5 is damaged: the HDF5 library"):
        open_hdf5(file)


def test_a_busy_machine_is_no_fault_of_the_file(file, monkeypatch):
    """A child that gets no time, or waits for a disk, is not one that loops."""
    monkeypatch.setattr(hdf5, "SECONDS", 0.1)
    monkeypatch.setattr(hdf5, "_read_small_parts", lambda _path: time.sleep(0.3))
    with open_hdf5(file) as opened:
        assert opened.attrs["label"] == "a text"


def test_a_sound_file_is_opened(file):
    with open_hdf5(file) as opened:
        assert opened.attrs["label"] == "a text"
        assert opened["numbers"][:].tolist() == [1.0, 2.0]


def test_what_can_be_caught_is_raised_here(tmp_path):
    (tmp_path / "text.h5").write_text("no HDF5")
    with pytest.raises(OSError, match="signature|format"):
        open_hdf5(tmp_path / "text.h5")
    with pytest.raises(FileNotFoundError):
        open_hdf5(tmp_path / "absent.h5")


@pytest.mark.skipif(not DAMAGED.is_dir(), reason="needs ../shared/cases/damaged")
@pytest.mark.parametrize("name", ["hang", "segfault"])
def test_results_with_flipped_bits(name):
    with pytest.raises(InputError, match="crashes or hangs"):
        open_hdf5(DAMAGED / f"{name}.h5")

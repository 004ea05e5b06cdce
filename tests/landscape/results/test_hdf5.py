"""Nothing in an HDF5 file makes its reader crash, hang, read other files or take all memory."""

import gc
import io
import os
import signal
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from landscape.errors import InputError, SaveError
from landscape.results.hdf5 import child, write
from landscape.results.hdf5.child import read_in_child
from landscape.results.hdf5.content import Content
from landscape.results.hdf5.read import is_hdf5, read_arrays, read_outline, read_shapes
from landscape.results.hdf5.write import write_hdf5

DAMAGED = Path(__file__).parents[4] / "shared" / "cases" / "damaged"


@pytest.fixture
def file(tmp_path):
    """A file without a checksum, as other tools write it."""
    path = tmp_path / "result.h5"
    with h5py.File(path, "w") as written:
        written.attrs["label"] = "a text"
        written["numbers"] = [1.0, 2.0]
        written["names"] = ["one", "zwölf"]
        written["folder/flags"] = np.array([[True], [False]])
    return path


@pytest.fixture
def sealed(tmp_path):
    path = tmp_path / "sealed.h5"
    arrays = {
        "numbers": np.arange(6.0).reshape(2, 3),
        "folder/names": np.array(["eins", "zwölf", ""], dtype=object),
        "empty": np.zeros((0, 3), np.float32),
        "no names": np.array([], dtype=object),
        "flags": np.array([True, False]),
        "count": 3,
        "word": "ein Wort",
    }
    write_hdf5(path, {"label": "ρ", "complete": True, "format": 2}, arrays, {})
    return path, arrays


# ------------------------------------------------------------------------- sound files are read


def test_a_file_of_another_tool_is_read(file):
    outline = read_outline(file)
    assert outline.attributes == {"label": "a text"}
    assert read_shapes(file) == {"numbers": (2,), "names": (2,), "folder/flags": (2, 1)}
    assert not outline.is_sealed
    arrays = read_arrays(file)
    assert arrays["numbers"].tolist() == [1.0, 2.0]
    assert arrays["names"].tolist() == ["one", "zwölf"]
    assert arrays["folder/flags"].dtype == bool
    assert arrays["folder/flags"].tolist() == [[True], [False]]


def test_a_sealed_file_comes_back(sealed):
    path, arrays = sealed
    outline, read = read_outline(path), read_arrays(path)
    assert outline.is_sealed
    assert outline.attributes == {"label": "ρ", "complete": True, "format": 2}
    assert set(read) == set(arrays) == set(read_shapes(path))
    for name, values in arrays.items():
        expected = np.asarray(values)
        assert read[name].shape == expected.shape
        np.testing.assert_array_equal(read[name], expected)
        if expected.dtype.kind not in "OU":
            assert read[name].dtype == expected.dtype
    assert read["word"].item() == "ein Wort"


def test_other_readers_skip_the_checksum_and_find_no_text_of_variable_length(sealed):
    with h5py.File(sealed[0]) as opened:
        assert opened.userblock_size == 512
        assert opened["numbers"][1, 2] == 5.0
        assert opened["folder/names"].asstr()[1] == "zwölf"
        assert opened["folder/names"].dtype.kind == "S"
        assert opened.attrs["label"].decode() == "ρ"


def test_a_long_text_is_an_attribute_too(tmp_path):
    text = "x" * 200_000
    write_hdf5(tmp_path / "x.h5", {"settings": text}, {"a": 1}, {})
    assert read_outline(tmp_path / "x.h5").attributes["settings"] == text


def test_part_of_a_file_is_read(sealed):
    path, _ = sealed
    assert set(read_arrays(path, lambda name: name == "count")) == {"count"}
    assert read_arrays(path, rows={"numbers": 1})["numbers"].tolist() == [[0.0, 1.0, 2.0]]


def test_a_file_that_changed_is_read_again(file):
    assert read_outline(file).attributes["label"] == "a text"
    with h5py.File(file, "r+") as opened:
        opened.attrs["label"] = "another text"
    assert read_outline(file).attributes["label"] == "another text"


# ---------------------------------------------------------------------- damage is named in a line


def test_every_flipped_bit_of_a_sealed_file_is_noticed(sealed):
    path, _ = sealed
    content = path.read_bytes()
    generator = np.random.default_rng(0)
    places = [*range(0, 512, 7), *generator.integers(len(content), size=150)]
    for place in places:
        damaged = bytearray(content)
        damaged[place] ^= 1 << int(generator.integers(8))
        path.write_bytes(damaged)
        if place < len(b"loss-landscape-toolkit result"):  # an unsealed file, which is sound
            assert not read_outline(path).is_sealed
            continue
        with pytest.raises(InputError, match="sealed.h5 is damaged or was changed: it has not"):
            read_arrays(path)


def test_a_sealed_file_that_was_cut_short_is_refused(sealed):
    path, _ = sealed
    content = path.read_bytes()
    for length in (100, 512, 600, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(InputError, match="is damaged"):
            read_arrays(path)
    path.write_bytes(content + b"\0")
    with pytest.raises(InputError, match="checksum"):
        read_arrays(path)


def crash():
    os.kill(os.getpid(), signal.SIGSEGV)


def loop():
    while True:
        pass


def hang():
    while True:
        time.sleep(0.01)


@pytest.mark.parametrize("fault", [crash, loop, hang])
def test_a_fault_of_the_library_is_one_line(file, fault, monkeypatch):
    monkeypatch.setattr(child, "SECONDS", 0.3)
    monkeypatch.setattr(child, "LONGEST_SECONDS", 60.0 if fault is loop else 0.2)
    with pytest.raises(InputError, match=r"result.h5 is damaged: the HDF5 library"):
        read_in_child(file, fault, 1)


def test_a_busy_machine_is_no_fault_of_the_file(file, monkeypatch):
    """A child that gets no time, or waits for a disk, is not one that loops."""
    monkeypatch.setattr(child, "SECONDS", 0.1)
    content = Content({}, {}, {})

    def wait():
        time.sleep(0.3)
        return content

    assert read_in_child(file, wait, 1) == content


def test_the_child_does_not_copy_what_its_parent_holds(file):
    """A collection of garbage would write to every object."""
    said = read_in_child(file, lambda: Content({"collects": gc.isenabled()}, {}, {}), 1)
    assert said.attributes == {"collects": False}
    assert gc.isenabled()


def test_memory_is_limited(file, monkeypatch):
    monkeypatch.setattr(child, "SPARE_BYTES", 1 << 26)

    def fill():
        np.ones(1 << 26)
        return Content({}, {}, {})

    with pytest.raises(InputError, match="result.h5 is damaged or not a file of results"):
        read_in_child(file, fill, 1)


def test_what_is_no_hdf5_file_is_refused(tmp_path):
    (tmp_path / "text.h5").write_text("no HDF5")
    with pytest.raises(InputError, match="text.h5 is damaged or not a file of results"):
        read_outline(tmp_path / "text.h5")
    with pytest.raises(FileNotFoundError):
        read_outline(tmp_path / "absent.h5")
    with pytest.raises(InputError, match="is not a file"):
        read_outline(tmp_path)
    assert not is_hdf5(tmp_path)
    assert not is_hdf5(tmp_path / "text.h5")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "pipe.h5")
    with pytest.raises(InputError, match="pipe.h5 is not a file"):
        read_outline(tmp_path / "pipe.h5")
    assert not is_hdf5(tmp_path / "pipe.h5")


@pytest.mark.skipif(not DAMAGED.is_dir(), reason="needs ../shared/cases/damaged")
@pytest.mark.parametrize("name", ["hang", "segfault"])
def test_results_with_flipped_bits(name):
    with pytest.raises(InputError, match="is damaged"):
        read_arrays(DAMAGED / f"{name}.h5")


# ---------------------------------------------------------------------------- writing fails whole


def test_a_file_that_can_not_be_written_leaves_the_one_that_was_there(sealed, monkeypatch):
    path, _ = sealed
    before = path.read_bytes()

    def full(_number):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SaveError, match=r"sealed.h5 can't be written: No space left .* is intact"):
        write_hdf5(path, {"label": "new"}, {"numbers": [1.0]}, {})
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == ["sealed.h5"]


def test_a_failed_write_leaves_no_view_of_its_memory(tmp_path, monkeypatch):
    """Collecting one that a traceback keeps crashes Python 3.12.1 and warns in others."""
    memories = []

    class Memory(io.BytesIO):
        def __init__(self):
            super().__init__()
            memories.append(self)

    def full(content):
        raise OSError("File too large")

    monkeypatch.setattr(io, "BytesIO", Memory)
    monkeypatch.setattr(write, "seal", full)
    with pytest.raises(SaveError) as caught:
        write_hdf5(tmp_path / "a.h5", {}, {"numbers": np.arange(3.0)}, {})
    assert caught.traceback
    (memory,) = memories
    memory.close()  # raises BufferError while there is a view

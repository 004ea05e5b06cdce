import hashlib
import os
import subprocess

import pytest

from landscape.errors import InputError
from landscape.results.files import (
    make_directory,
    put_aside,
    replacing,
    sha256,
    sweep,
    unused_directories_removed,
)


@pytest.mark.parametrize(
    ("name", "asides"),
    [
        ("surface.h5", ["surface.1.h5", "surface.2.h5", "surface.3.h5"]),
        ("surface.journal", ["surface.1.journal", "surface.2.journal", "surface.3.journal"]),
        ("line.journal.12", ["line.1.journal.12", "line.2.journal.12", "line.3.journal.12"]),
        ("notes", ["notes.1", "notes.2", "notes.3"]),
    ],
)
def test_put_aside(tmp_path, name, asides):
    for number, expected in enumerate(asides):
        (tmp_path / name).write_text(str(number))
        aside = put_aside(tmp_path / name)
        assert aside == tmp_path / expected
        assert not (tmp_path / name).exists()
    # The earlier ones are as they were.
    assert [(tmp_path / aside).read_text() for aside in asides] == ["0", "1", "2"]
    assert {path.name for path in tmp_path.iterdir()} == set(asides)


def test_put_aside_takes_a_free_number(tmp_path):
    (tmp_path / "surface.2.h5").write_text("second")
    for text in ("first", "third"):
        (tmp_path / "surface.h5").write_text(text)
        put_aside(tmp_path / "surface.h5")
    contents = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert contents == {"surface.1.h5": "first", "surface.2.h5": "second", "surface.3.h5": "third"}


def test_put_aside_leaves_dots_in_folders_alone(tmp_path):
    folder = tmp_path / "lr=0.1"
    folder.mkdir()
    (folder / "surface.h5").write_text("")
    assert put_aside(folder / "surface.h5") == folder / "surface.1.h5"


def test_put_aside_without_a_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        put_aside(tmp_path / "surface.h5")


def test_replacing_is_all_or_nothing(tmp_path):
    path = tmp_path / "result.h5"
    path.write_text("old")

    def fail_half_way():
        with replacing(path) as temporary:
            temporary.write_text("half of the n")
            assert path.read_text() == "old"
            raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        fail_half_way()
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("result.h5", "old")]
    with replacing(path) as temporary:
        # Whoever looks for *.h5 does not find it.
        assert temporary.name.startswith(".result.h5.")
        assert temporary.suffix == ".part"
        temporary.write_text("new")
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("result.h5", "new")]


@pytest.fixture(scope="module")
def dead():
    """The number of a process that has ended."""
    with subprocess.Popen(["true"]) as process:
        pass
    return process.pid


def test_sweep_removes_what_killed_writes_left_and_nothing_else(tmp_path, dead):
    path = tmp_path / "surface[1].h5"
    sweep(tmp_path / "nowhere" / "surface.h5")
    sweep(path)
    left = f".{path.name}.{dead}-0a1b2c3d.part"
    others = {
        *(path.name, "surface.1.h5", ".hidden", f".surface.json.{dead}-0a1b2c3d.part"),
        # Those of editors and of people.
        *(f".{path.name}.swp", f".{path.name}.old", f".{path.name}.mine", f".{path.name}~"),
        *(f".{path.name}.{dead}.part", f".{path.name}.{dead}-mine.part", f"{left}.old", left[1:]),
    }
    for name in (*others, left):
        (tmp_path / name).write_text("")
    sweep(path)
    assert {file.name for file in tmp_path.iterdir()} == others


def test_sweep_leaves_what_a_living_process_writes(tmp_path):
    path = tmp_path / "metrics.csv"
    of_another = tmp_path / f".metrics.csv.{os.getppid()}-0a1b2c3d.part"
    of_another.write_text("")
    with replacing(path) as temporary:
        temporary.write_text("whole")
        sweep(path)
        assert temporary.exists()
    assert path.read_text() == "whole"
    assert of_another.exists()


def test_sweep_removes_what_an_earlier_process_of_the_same_number_left(tmp_path):
    """As in containers, where a process may have the same number each time."""
    path = tmp_path / "metrics.csv"
    with replacing(path) as temporary:
        temporary.write_text("")
    temporary.write_text("")
    os.utime(temporary, (0, 0))
    sweep(path)
    assert [file.name for file in tmp_path.iterdir()] == ["metrics.csv"]


def test_folders_that_another_process_fills_or_removes_stay(tmp_path):
    def fail():
        with unused_directories_removed(tmp_path / "a" / "b"):
            for name in ("b", "c"):
                (tmp_path / "a" / name).mkdir(parents=True)
            (tmp_path / "a" / "c" / "file").touch()
            raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        fail()
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")) == [
        *("a", "a/c", "a/c/file")
    ]


def test_make_directory(tmp_path):
    assert make_directory(tmp_path / "a" / "b") == tmp_path / "a" / "b"
    assert make_directory(tmp_path / "a" / "b").is_dir()
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write to .*file"):
        make_directory(tmp_path / "file")


def test_sha256(tmp_path):
    (tmp_path / "file").write_bytes(b"abc")
    assert sha256(tmp_path / "file") == hashlib.sha256(b"abc").hexdigest()

"""A full disk: one line that names the file, nothing that was there is lost, nothing is half."""

import resource
import sys
from contextlib import contextmanager

import pytest

from analyses.cli import main
from tests.profile import repeats

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits the size of files")


@contextmanager
def longest_file(length):
    """Writing beyond this many bytes of a file fails, as it does on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (length, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def content(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def assert_one_line(status, capsys):
    errors = [line for line in capsys.readouterr().err.splitlines() if ": error: " in line]
    assert status == 1, errors
    (line,) = errors
    assert "can't be written: File too large" in line
    assert "make room" in line


@pytest.mark.parametrize("length", [500, 5_000, 50_000][: repeats(2, 3)])
def test_measuring_on_a_full_disk(runs, tmp_path, capsys, length):
    words = ("line", runs[0], "--x=-1:1:3", "--samples", "48", "--format", "png,html")
    with longest_file(length):
        status = main([*map(str, words), "--output-dir", str(tmp_path / "out")])
    assert_one_line(status, capsys)
    assert not [path for path in tmp_path.rglob("*") if path.suffix in (".part", ".png")]
    assert main([*map(str, words), "--output-dir", str(tmp_path / "out")]) == 0
    assert {"line.png", "line.html"} <= {path.name for path in (tmp_path / "out").iterdir()}


@pytest.mark.parametrize("length", [500, 20_000, 100_000][: repeats(2, 3)])
def test_drawing_on_a_full_disk_keeps_what_was_there(measured, runs, capsys, length):
    before = content(measured)
    words = ["norms", "--format", "png,pdf,html,md"]
    files = [str(measured / run.name / "norms.h5") for run in runs]
    with longest_file(length):
        status = main([*words, *files, "--output-dir", str(measured)])
    assert_one_line(status, capsys)
    after = content(measured)
    assert not [path for path in after if path.suffix == ".part"]
    assert set(before) <= set(after)
    changed = {path.suffix for path in before if after[path] != before[path]}
    assert changed <= {".png", ".pdf"}  # whole new ones, before the first that failed

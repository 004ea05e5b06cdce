"""An analysis that another package brings: one package and one entry point are all it takes."""

import importlib
import os
import re
import subprocess
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from tests.commands import TIMEOUT, installed
from tests.warm import Warm

PACKAGE = Path(__file__).parent / "plugin"
ENTRY_POINTS = "[landscape.analyses]\n{}\n"


def install(folder, entry="ranges = weight_ranges:ANALYSIS"):
    """Make a folder in which the package is installed; returns where Python finds it."""
    metadata = folder / "site" / "weight_ranges-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: weight-ranges\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(ENTRY_POINTS.format(entry))
    return [str(PACKAGE), str(folder / "site")]


def run(places, *words):
    """Run landscape-plot by its name; returns status, output and messages."""
    process = subprocess.run(
        [installed("landscape-plot"), *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([*places, os.environ.get("PYTHONPATH", "")]),
        },
    )
    return process.returncode, process.stdout, process.stderr


@pytest.fixture(scope="module")
def warm(server, tmp_path_factory):
    """Starts landscape-plot where the package is installed."""
    folder = tmp_path_factory.mktemp("warm")
    warm = Warm(server, folder, "landscape-plot", places=install(folder))
    yield warm
    warm.close()


@pytest.fixture
def done(warm):
    """Run the command, which has to succeed; returns its standard output and error."""

    def done(*words):
        running = warm.start(*words)
        assert running.end() == 0, running.err
        return running.out, running.err

    return done


def weights_of(run):
    state = torch.load(run / "last.pt", weights_only=True)["model"]
    return {name: tensor for name, tensor in state.items() if tensor.is_floating_point()}


def test_it_has_its_subcommand_flags_and_index_entry(tmp_path, done):
    status, out, err = run(install(tmp_path), "--list")
    assert status == 0, err
    assert "| ranges | how large are the largest weights? | |" in out
    assert "the smallest and the largest weight" in " ".join(done("--help")[0].split())
    assert "--left-out SHARE" in done("ranges", "--help")[0]


def test_it_has_its_files_resumption_and_redrawing(warm, done, runs, tmp_path):
    words = ("ranges", *runs, "--samples", "48", "--output-dir", tmp_path / "figures")
    stopped = warm.start(*words, environment={"STOP_AT": "3"})
    assert stopped.end() == 130
    assert re.findall(r"measuring tensor (\d+)", stopped.err) == ["0", "1", "2"]
    assert "the same command continues from there" in stopped.err
    _, err = done(*words)
    measured = list(map(int, re.findall(r"measuring tensor (\d+)", err)))
    assert measured[0] == 3  # the first three came from the journal
    assert not list((tmp_path / "figures").rglob("*.journal*"))
    with h5py.File(tmp_path / "figures" / "plain" / "ranges.h5") as file:
        names, ends = file["tensors"].asstr()[:], file["ends"][:]
    state = weights_of(runs[0])
    expected = [[float(state[name].min()), float(state[name].max())] for name in names]
    np.testing.assert_allclose(ends, expected, rtol=1e-6)
    written = {path.name for path in (tmp_path / "figures").rglob("*") if path.is_file()}
    assert {"ranges.h5", "ranges.json", "ranges.png", "ranges.html", "ranges.md"} <= written
    none = ("--format", "none")
    assert "plain: ranges is already measured" in done(*words, *none)[1]
    assert "left_out 0.0, now 0.1" in done(*words, "--left-out", "0.1", *none)[1]
    again = ("ranges", tmp_path / "figures" / "plain" / "ranges.h5", "--output-dir", tmp_path / "x")
    done(*again)
    assert (tmp_path / "x" / "ranges.png").stat().st_size > 1000


def test_it_has_its_section_in_a_report(done, runs, tmp_path):
    words = ("--samples", "48", "--only", "norms,ranges", "--output-dir", tmp_path)
    done("report", runs[0], *words)
    page = (tmp_path / "report.html").read_text()
    for text in (
        "Ranges of weights",
        "A bar for each tensor.",
        "largest weight",
        "Norms of weights",
    ):
        assert text in page


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("absent_package:ANALYSIS", "the analysis absent_package:ANALYSIS can't be imported"),
        ("os:path", "os:path has to be an Analysis, got module"),
        ("analyses.surface:ANALYSIS", "is called 'surface', a name that is taken"),
    ],
)
def test_an_entry_point_that_can_not_be_used_is_one_line(tmp_path, entry, message):
    status, out, err = run(install(tmp_path, f"bad = {entry}"), "norms", "nowhere")
    assert (status, out) == (2, "")
    assert err.startswith("landscape-plot: error: ")
    assert len(err.splitlines()) == 1
    assert message in err


def test_from_python_it_is_an_analysis_like_any_other(monkeypatch):
    monkeypatch.syspath_prepend(PACKAGE)
    analysis = importlib.import_module("weight_ranges").ANALYSIS
    data = torch.randn(8, 2), torch.arange(8) % 2
    result = analysis.of(torch.nn.Linear(2, 2), data, left_out=0.25, device="cpu")
    assert result.settings.left_out == 0.25
    assert result.provenance.num_parameters == 6
    assert list(result.plot()) == ["ranges"]

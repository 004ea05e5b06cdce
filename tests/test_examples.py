"""The examples run, one of them as a person would run it, and print numbers that hold together."""

import csv
import os
import re
import runpy
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import h5py
import pytest
import torch

from tests.commands import TIMEOUT
from tests.conftest import imported
from tests.profile import long_test
from tests.warm import Warm

EXAMPLES = Path(__file__).parents[1] / "examples"
PLUGIN = EXAMPLES / "calibration_plugin"
NUMBER = r"(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)"
# What is imported first, since a torchvision that does not fit the installed torch stops others.
NEEDS = {
    "language_model": "transformers.models.gpt2.modeling_gpt2",
    "lightning_module": "lightning",
}
others_warnings = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def output_of(tmp_path, monkeypatch, capsys):
    """What an example prints that runs in this process, which has imported most of what it needs.

    Skips where the library that it shows is missing.
    """

    def output_of(name):
        if name in NEEDS:
            library = NEEDS[name].partition(".")[0]
            if find_spec(library) is None:
                pytest.skip(f"{library} is not installed")
            imported(NEEDS[name])
        script = str(EXAMPLES / f"{name}.py")
        monkeypatch.setattr(sys, "argv", [script, str(tmp_path)])
        monkeypatch.chdir(tmp_path)
        with torch.random.fork_rng():
            runpy.run_path(script, run_name="__main__")
        return capsys.readouterr().out

    # Examples set some; this undoes it.
    monkeypatch.setattr(os, "environ", os.environ.copy())
    return output_of


def numbers(pattern, text):
    """The numbers in the places of N of every match of a pattern."""
    found = re.findall(re.escape(pattern).replace("N", NUMBER), text)
    assert found, (pattern, text)
    return [tuple(map(float, each if isinstance(each, tuple) else (each,))) for each in found]


def assert_is_picture(path):
    assert path.read_bytes().startswith(b"\x89PNG")


def test_sam_and_tracker(output_of, tmp_path):
    out = output_of("sam_and_tracker")
    for name in ("SGD", "SAM"):
        rows = numbers(f"{name} epoch N: loss N, λ₁ N (residual N), trace N ± N", out)
        assert [row[0] for row in rows] == [0, 2, 4, 6]
        assert rows[-1][1] < rows[0][1] / 4  # it has learnt
        assert all(row[3] < 1e-3 < row[2] for row in rows)
        assert (tmp_path / name / "metrics.csv").is_file()
    first = [line.partition(" ")[2] for line in out.splitlines() if "epoch 0" in line]
    assert first[0] == first[1]  # the same initial weights
    assert_is_picture(tmp_path / "sam_and_tracker.png")


@others_warnings
@long_test
def test_language_model(output_of):
    out = output_of("language_model")
    (before,), (after,) = (numbers(f"{when}: loss N ± N", out) for when in ("before", "after"))
    assert after[0] + 3 * after[1] < before[0]
    eigenvalues = numbers("λ N ± N (relative residual N)", out)
    assert len(eigenvalues) == 4
    assert all(error > 0 and residual < 1e-3 for _, error, residual in eigenvalues)


@long_test
def test_physics_informed_by_its_command(tmp_path):
    process = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / "physics_informed.py", tmp_path],
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(EXAMPLES.parent)},
    )
    assert process.returncode == 0, process.stderr
    out = process.stdout
    assert numbers("largest distance from sin(x): N", out)[0][0] < 0.05
    eigenvalues = numbers("λ N, and a true eigenvalue within N", out)
    assert len(eigenvalues) == 3
    assert all(error < 1e-3 * value for value, error in eigenvalues)
    assert_is_picture(tmp_path / "physics_informed.png")


@others_warnings
def test_lightning_module(output_of, tmp_path):
    out = output_of("lightning_module")
    rows = numbers("epoch N: loss N, λ₁ N (residual N), SAM's gap N", out)
    assert [row[0] for row in rows] == [0, 1, 2, 3]
    assert rows[-1][1] < rows[0][1] / 4
    assert all(row[3] < 1e-3 and row[4] > 0 for row in rows)
    with (tmp_path / "logs" / "metrics.csv").open() as file:
        logged = [float(row["lambda_1"]) for row in csv.DictReader(file) if row["lambda_1"]]
    assert logged == pytest.approx([row[2] for row in rows], abs=0.005)


def test_mode_connectivity(output_of, tmp_path):
    out = output_of("mode_connectivity")
    (apart,) = numbers("different initial weights: barrier N ± N nats at N", out)
    (shared,) = numbers("two epochs shared: barrier N ± N nats at N", out)
    assert apart[0] - 3 * apart[1] > shared[0] + 3 * shared[1]
    assert 0.2 < apart[2] < 0.8
    assert_is_picture(tmp_path / "mode_connectivity.png")


def test_the_plug_in_is_a_subcommand_once_it_is_installed(server, tmp_path):
    project = tomllib.loads((PLUGIN / "pyproject.toml").read_text())["project"]
    metadata = tmp_path / "site" / "landscape_calibration-1.0.dist-info"
    metadata.mkdir(parents=True)
    named = f"Name: {project['name']}\nVersion: {project['version']}\n"
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\n{named}")
    entries = project["entry-points"]["landscape.analyses"]
    lines = "".join(f"{name} = {value}\n" for name, value in entries.items())
    (metadata / "entry_points.txt").write_text(f"[landscape.analyses]\n{lines}")
    places = [str(PLUGIN), str(metadata.parent)]

    def run(name, *words):
        assert Warm(server, tmp_path, name, places).run(*words, "--quiet") == ""

    network = ("--model", "vit-tiny", "--model-args", "depth=1", "dim=16", "--data", "digits")
    run("landscape-train", *network, "--epochs", "2", "--output-dir", tmp_path / "vit")
    figures = tmp_path / "figures"
    run("landscape-plot", "calibration", tmp_path / "vit", "--bins", "4", "--output-dir", figures)
    with h5py.File(figures / "vit" / "calibration.h5") as file:
        counts, accuracy = file["counts"][:], file["accuracy"][:, 0]
        excess, error = file["overconfidence"][:]
    assert len(counts) == 4
    assert 0 < error < 0.1
    # Confidences lie within their bins, and so does what they exceed the accuracy by.
    full = counts > 0
    shares = counts[full] / counts.sum()
    right = (shares * accuracy[full]).sum()
    lowest = (shares * (full.nonzero()[0] / 4)).sum()
    assert lowest - right - 1e-9 <= excess <= lowest + 0.25 - right + 1e-9
    assert_is_picture(figures / "calibration.png")


def test_the_page_lists_every_example():
    page = (EXAMPLES / "README.md").read_text()
    listed = set(re.findall(r"^\| \[([^]]+)\]", page, flags=re.MULTILINE))
    files = {path.name for path in EXAMPLES.glob("*.py")}
    assert listed == files | {PLUGIN.name}


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_an_example_is_short(path):
    assert len(path.read_text().splitlines()) <= 90

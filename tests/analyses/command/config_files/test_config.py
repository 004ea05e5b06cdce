"""A result's JSON and a run's config.json as the files of settings of further commands."""

import json

import h5py
import numpy as np

from tests.analyses.command.words import USER_FILE

NONE = ("--format", "none")


def arrays(path):
    with h5py.File(path) as file:
        names = [name for name in file if isinstance(file[name], h5py.Dataset)]
        return {name: file[name][()] for name in names}


def assert_same(one, other):
    first, second = arrays(one), arrays(other)
    assert first.keys() == second.keys()
    for name, values in first.items():
        assert np.array_equal(values, second[name]), name


def test_a_result_repeats_itself_to_the_bit(done, runs, tmp_path, monkeypatch):
    """Also for the bare weights, of which only the result knows model and data."""
    monkeypatch.chdir(tmp_path)
    words = ("--x=-1:1:3", "--y=0:0.5:3", "--seed", "5", "--samples", "24", "--split", "test")
    done("surface", f"a={runs[0]}", *words, "--orthogonalize", *NONE)
    (result,) = tmp_path.rglob("surface.json")
    done("surface", f"b={runs[0]}", "--config", result, *NONE)
    assert_same(result.with_suffix(".h5"), tmp_path / "figures" / "b" / "surface.h5")
    weights = tmp_path / "weights.pt"
    weights.write_bytes((runs[0] / "last.pt").read_bytes())
    done("surface", f"c={weights}", "--config", result, *NONE)
    assert_same(result.with_suffix(".h5"), tmp_path / "figures" / "c" / "surface.h5")
    done("norms", f"d={weights}", "--config", runs[0] / "config.json", "--samples", "24", *NONE)


def test_what_is_saved_is_what_was_merged(done, runs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.toml").write_text('samples = 16\nseed = 4\nx = "-1:1:3"\n')
    done("line", f"a={runs[0]}", "--config", "mine.toml", "--seed", "9", *NONE)
    saved = json.loads((tmp_path / "figures" / "a" / "line.json").read_text())
    assert (saved["settings"]["seed"], saved["settings"]["x"]) == (9, "-1:1:3")
    command = saved["provenance"]["origin"]["command"]
    assert (command["samples"], command["seed"], command["data"]) == (16, 9, "digits")
    assert saved["provenance"]["num_samples"] == 16


def test_code_of_a_result_runs_only_when_it_is_named(done, refused, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(USER_FILE)
    named = ("--model", "mine.py:net", "--data", "mine.py:data")
    done("norms", *named, *NONE)
    (result,) = tmp_path.rglob("norms.json")
    (tmp_path / "mine.py").write_text("raise SystemExit('was run')\n" + USER_FILE)
    line = refused("norms", "--config", result, "--output-dir", "again", *NONE)
    assert "has data: mine.py:data, which would run the code in mine.py" in line
    (tmp_path / "mine.py").write_text(USER_FILE)
    done("norms", "--config", result, *named, "--output-dir", "again", *NONE)

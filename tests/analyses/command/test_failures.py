"""What goes wrong with one checkpoint is said of it, and the others are measured and drawn."""

import json

import pytest

from analyses.analysis import Analysis
from tests.analyses.command.words import SPECTRUM
from tests.analyses.report.parsed import Page
from tests.commands import assert_one_line, content
from tests.profile import IS_FULL

FILE = """\
import sys

import torch
from torch import nn

def good(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3))

def diverged():
    model = good(1)
    with torch.no_grad():
        model[3].weight[0, :2] = float("nan")
        model[3].bias[1] = float("inf")
    return model

class Broken(nn.Module):
    def __init__(self, error):
        super().__init__()
        self.inner, self.error = good(2), error

    def forward(self, inputs):
        raise self.error

def raising():
    return Broken(KeyError("no such\\nlayer"))

def leaving():
    return Broken(SystemExit(0))

def greedy():
    return Broken(MemoryError())

def ends():
    sys.exit(0)

def data(split):
    generator = torch.Generator().manual_seed(7)
    return torch.randn(24, 1, 2, 2, generator=generator), torch.arange(24) % 3

def data_that_ends(split):
    raise SystemExit
"""
NOT_FINITE = (
    "the weights are not finite: 2 of the 15 entries of 3.weight are NaN or infinite, also in 1 "
    "other tensor"
)
REASONS = {
    "diverged": NOT_FINITE,
    "raising": r"KeyError: 'no such\nlayer'",
    "leaving": "ended the program (sys.exit(0))",
    "greedy": "out of memory (MemoryError)",
    "ends": "ends failed: it called sys.exit(0), which would end the command",
}


@pytest.fixture
def words(tmp_path):
    """Makes the words of a command that measures functions of the file."""
    file = tmp_path / "mine.py"
    file.write_text(FILE)

    def words(analysis, *names, data="data"):
        given = [f"{file}:{name}" for name in names]
        folder = ("--output-dir", tmp_path / "figures")
        spectrum = SPECTRUM if analysis in ("hessian", "report") else ()
        return (analysis, *given, "--data", f"{file}:{data}", *spectrum, *folder)

    return words


@pytest.mark.parametrize("bad", list(REASONS))
def test_one_of_two_is_drawn_and_the_other_named(bad, plot, words, tmp_path):
    is_drawn = IS_FULL or bad == "raising"
    formats = "png,html,md" if is_drawn else "md"
    status, out, err = plot(*words("hessian", "good", bad), "--quiet", "--format", formats)
    assert status == 1
    assert_one_line(err, "landscape-plot")
    assert err.startswith(f"landscape-plot: error: {bad}: hessian failed: ")
    assert REASONS[bad] in err
    folder = tmp_path / "figures"
    assert {"good/hessian.h5", "hessian.md"} <= set(content(folder))
    assert not (folder / bad).exists()
    (failed,) = json.loads((folder / "hessian.json").read_text())["failed"]
    assert (failed["labels"], failed["analyses"]) == ([bad], ["hessian"])
    assert REASONS[bad] in failed["reason"]
    assert f"- **{bad}**: hessian: " in (folder / "hessian.md").read_text()
    if is_drawn:
        assert (folder / "hessian.png").is_file()
        page = Page((folder / "hessian.html").read_text())
        assert f"{bad} : hessian: {failed['reason']}" in page.text


@pytest.mark.parametrize(("bad", "status"), [("diverged", 2), ("ends", 2), ("raising", 1)])
def test_one_alone_is_one_line_and_leaves_nothing(bad, status, plot, words, tmp_path):
    got, out, err = plot(*words("hessian", bad), "--quiet")
    assert (got, out) == (status, "")
    assert_one_line(err, "landscape-plot")
    assert REASONS[bad] in err
    assert not (tmp_path / "figures").exists()


def test_code_that_ends_the_program_does_not_end_the_command(plot, words, tmp_path):
    status, out, err = plot(*words("line", "leaving"), "--quiet")
    assert (status, out) == (1, "")
    assert REASONS["leaving"] in err
    status, _, err = plot(*words("line", "good", data="data_that_ends"), "--quiet")
    assert status == 2
    assert "which would end the command" in err


def test_all_that_failed_have_a_line_each(plot, words, tmp_path):
    status, out, err = plot(*words("hessian", "diverged", "raising"), "--quiet")
    assert (status, out) == (1, "")
    first, second = err.splitlines()
    assert NOT_FINITE in first
    assert first.startswith("landscape-plot: error: diverged: hessian failed: ")
    assert second.startswith("landscape-plot: error: raising: hessian failed: KeyError: ")
    assert second.endswith(" (--debug shows where)")
    assert not (tmp_path / "figures").exists()


def test_a_missing_file_among_several_is_wrong_input(refused, words, tmp_path):
    command = list(words("hessian", "good", "diverged"))
    said = refused(*command[:2], tmp_path / "absent.pt", *command[2:])
    assert f"no such checkpoint: {tmp_path / 'absent.pt'}" in said
    assert not (tmp_path / "figures").exists()


def test_debug_shows_the_traceback_of_each(plot, words):
    status, _, err = plot(*words("hessian", "good", "raising"), "--debug", "--format", "none")
    assert status == 1
    assert err.count("Traceback (most recent call last):") == 1
    assert "raise self.error" in err


def test_a_report_without_one_network_and_parts_of_another(plot, words, tmp_path, monkeypatch):
    compute = Analysis.compute

    def computing(analysis, objective, *others, **keywords):
        if (analysis.name, objective.label) == ("norms", "good"):
            raise ValueError("by chance")
        return compute(analysis, objective, *others, **keywords)

    monkeypatch.setattr(Analysis, "compute", computing)
    only = ("--only", "line,norms,sparsity", "--x=-1:1:3", "--quiet")
    status, _, err = plot(*words("report", "diverged", "good", "raising"), *only)
    assert status == 1
    lines = [line.removeprefix("landscape-plot: error: ") for line in err.splitlines()]
    assert len(lines) == 3
    assert lines[0].startswith(f"diverged: line, norms, sparsity failed: {NOT_FINITE}")
    assert lines[1].startswith("raising: line, norms, sparsity failed: KeyError: ")
    assert lines[2] == "good: norms failed: ValueError: by chance (--debug shows where)"
    folder = tmp_path / "figures"
    assert {"good/line.h5", "line.png", "sparsity.png"} <= set(content(folder))
    page = Page((folder / "report.html").read_text())
    assert "1 checkpoint, measured" in page.text
    assert f"diverged : line, norms, sparsity: {NOT_FINITE}" in page.text
    assert "good : norms: ValueError: by chance" in page.text


def test_ctrl_c_is_no_failure_of_one_measurement(plot, words, monkeypatch):
    def interrupted(*_words, **_keywords):
        raise KeyboardInterrupt

    monkeypatch.setattr(Analysis, "compute", interrupted)
    assert plot(*words("hessian", "good", "raising"), "--quiet")[0] == 130


@pytest.mark.parametrize("work", ["tabulate", "draw"])
def test_tables_or_pictures_that_fail_leave_the_rest_of_the_report(
    work, plot, words, tmp_path, monkeypatch
):
    does = getattr(Analysis, work)

    def failing(analysis, *others):
        if analysis.name == "surface":
            raise ValueError("by chance")
        return does(analysis, *others)

    monkeypatch.setattr(Analysis, work, failing)
    only = ("--only", "surface,norms", "--x=-1:1:3", "--y=-1:1:3", "--quiet")
    status, out, err = plot(*words("report", "good"), *only, "--format", "png,html,md")
    assert status == 1
    assert err == (
        "landscape-plot: error: good: surface failed: ValueError: by chance (--debug shows where)\n"
    )
    folder = tmp_path / "figures"
    assert {"norms.png", "report.html", "report.md"} <= set(content(folder))
    assert ("surface.png" in content(folder)) == (work == "tabulate")
    page = Page((folder / "report.html").read_text())
    assert "good : surface: ValueError: by chance" in page.text
    assert "Loss surface" in page.text  # what can be had of it
    numbers = json.loads((folder / "report.json").read_text())
    assert list(numbers["surface"]) == list(numbers["norms"]) == ["good"]
    assert [failed["analyses"] for failed in numbers["failed"]] == [["surface"]]

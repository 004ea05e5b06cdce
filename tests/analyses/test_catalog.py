"""What every analysis has in common."""

import dataclasses
import subprocess
import sys
from dataclasses import replace
from functools import cache
from xml.sax.saxutils import escape

import pytest
from matplotlib.figure import Figure

from analyses.catalog import known_analyses
from analyses.drawing.options import FORMATS
from analyses.drawing.style import styled
from tests.analyses.pictures import coloured, laid_out, save_figures, texts
from tests.analyses.problems import LABELS, NAMES, objective, result, results
from tests.profile import IS_FULL, some

every_analysis = pytest.mark.parametrize("name", NAMES)

PICTURES = {
    "surface": ["surface", "surface_lines", "surface_3d"],
    "line": ["line"],
    "interpolate": ["interpolate"],
    "hessian": ["hessian", "hessian-tails", "hessian-linear"],
    "components": ["components"],
    "minibatch": ["minibatch"],
    "ntk": ["ntk"],
    "flatness": ["flatness"],
    "norms": ["norms"],
    "sparsity": ["sparsity", "sparsity-neurons"],
    "recursion": ["recursion"],
    "similarity": ["similarity", "similarity-networks", "similarity-invariance"],
    "linearity": ["linearity"],
}


def pictures(name, count):
    """Those of one network lack what compares networks."""
    return [key for key in PICTURES[name] if count > 1 or key != "similarity-networks"]


@every_analysis
def test_an_analysis_has_what_the_command_and_the_report_need(name):
    analysis = known_analyses()[name]
    assert analysis.title
    assert analysis.summary
    assert all(text.endswith(".") for text in analysis.reading.values())
    assert analysis.reading[""]
    assert known_analyses()[name].result_type.analysis == name
    assert known_analyses()[name].result_type.settings_type is analysis.settings
    assert dataclasses.is_dataclass(analysis.settings)
    assert analysis.settings() == analysis.settings()  # every field has a default
    assert type(result(name)) is known_analyses()[name].result_type


@pytest.mark.parametrize("name", ["hessian", "sparsity"])
def test_settings_can_be_left_out(name):
    found = known_analyses()[name].compute(objective())
    assert found.settings == known_analyses()[name].settings()


@every_analysis
def test_a_result_says_what_it_measured(name):
    made = result(name).provenance
    problem = objective()
    assert made.num_parameters == problem.num_parameters == 83
    assert made.num_samples == 25
    assert made.weights_sha256 == problem.weights_hash()
    assert made.sample_sha256 == problem.sample_hash()
    assert made.origin["label"] == "plain"
    assert made.seconds >= 0


@cache
def drawn(name, count):
    """The pictures of as many networks, laid out once for all that is asked of them."""
    with styled():
        pages = known_analyses()[name].draw(results(name, count))
        return {key: laid_out(page) for key, page in pages.items()}


@every_analysis
@pytest.mark.parametrize("count", [1, 2, 6] if IS_FULL else [2])
def test_pictures_are_drawn_and_not_blank(name, count):
    pages = drawn(name, count)
    assert list(pages) == pictures(name, count)
    fewest = {
        "line": 2,
        "interpolate": 2,
        "sparsity": 1,
        "sparsity-neurons": 1,
        "hessian-linear": 1,
        "minibatch": 1,
    }
    fewest |= {
        "hessian-tails": min(count, 2),
        "components": 1,
        "linearity": 1,
        "flatness": count,
        "ntk": 1,
        "recursion": 4,
        "similarity": count,
        "similarity-networks": 1,
        "similarity-invariance": 1,
        "norms": 1,
    }
    for key, page in pages.items():
        assert isinstance(page, Figure)
        with styled():
            found = coloured(page)
        assert len(found) >= fewest.get(key, count + 1)
        assert min(found.values()) > 50


@pytest.mark.parametrize("name", NAMES if IS_FULL else ["surface", "hessian", "similarity"])
@pytest.mark.parametrize("kind", FORMATS if IS_FULL else ["pdf"])
def test_pictures_are_saved_with_every_label(name, kind, tmp_path):
    with styled():
        paths = save_figures(drawn(name, 2), tmp_path, [kind])
    pages = [path.name for path in paths if path.suffix == f".{kind}"]
    assert pages == [f"{page}.{kind}" for page in pictures(name, 2)]
    assert min((tmp_path / page).stat().st_size for page in pages) > 5000
    if kind == "svg":
        for path in paths:
            text = path.read_text()
            assert "plain" in text
            assert "sam &amp; co" in text


@pytest.mark.parametrize("name", some(NAMES, 7))
def test_any_label_is_shown(name, tmp_path):
    labels = ["_old", "a$b_c^d^e$", "50% & <more>", "x" * 40, "$5", "Ünïcode"]  # no formula
    shown = zip(results(name, len(labels)), labels, strict=True)
    with styled():
        pages = known_analyses()[name].draw([replace(one, label=label) for one, label in shown])
    for page in pages.values():
        for label in labels:
            assert any(label in text for text in texts(page)), label
    if IS_FULL:
        for path in save_figures(pages, tmp_path, ["svg"]):
            assert all(escape(label) in path.read_text() for label in labels)


@every_analysis
def test_a_table_has_a_row_for_each_checkpoint(name):
    for caption, rows in known_analyses()[name].tabulate(results(name, 6)).items():
        assert [row["checkpoint"] for row in rows] == list(LABELS), caption
        for row in rows:
            assert row.keys() == rows[0].keys()
            assert next(iter(row)) == "checkpoint"
            assert all(isinstance(value, str) and value for value in row.values())


COMPUTE = """
import sys
import landscape
import landscape.eigen.lanczos, landscape.eigen.quadrature, landscape.objective.objective
assert not any(name.partition(".")[0] == "analyses" for name in sys.modules)
import analyses.surface, analyses.line, analyses.hessian, analyses.sparsity
import torch
from analyses import Axis

assert "matplotlib" not in sys.modules
model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2))
data = torch.randn(4, 2), torch.tensor([0, 1, 1, 0])
objective = landscape.Objective(model, data, device="cpu")
axis = Axis(-1, 1, 2)
analyses.surface.compute(objective, analyses.surface.Settings(x=axis, y=axis)).headline()
analyses.line.compute(objective, analyses.line.Settings(x=axis)).headline()
analyses.hessian.compute(objective, analyses.hessian.Settings(top=1, density_steps=2)).headline()
analyses.sparsity.compute(objective).headline()
assert "matplotlib" not in sys.modules, "computing imports matplotlib"
"""


def test_computing_needs_no_matplotlib_and_the_engine_no_analyses():
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", COMPUTE], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == done.stderr == ""

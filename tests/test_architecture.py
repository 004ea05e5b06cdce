"""The rules of the house, each shown to fail where it is broken."""

import subprocess
import sys
from dataclasses import replace

import pytest

from analyses.catalog import known_analyses
from tests.architecture import (
    PACKAGES,
    ROOT,
    SHARED,
    Module,
    broken_floors,
    broken_rooms,
    circles,
    full_folders,
    long_modules,
    named_questions,
    needless_matplotlib,
    read_modules,
    slow_imports,
)

EVERYTHING = ("landscape", "analyses", "benchmarks", "docs", "tests")
QUESTIONS = set(known_analyses())


@pytest.fixture(scope="module")
def everywhere():
    return read_modules(packages=EVERYTHING)


@pytest.fixture(scope="module")
def modules(everywhere):
    """Those of both packages."""
    return {name: found for name, found in everywhere.items() if name.partition(".")[0] in PACKAGES}


def test_no_module_has_over_300_lines(everywhere):
    assert long_modules(everywhere) == []
    assert long_modules({"a": Module("a", 301, frozenset(), frozenset())}) == ["a: 301 lines"]


def test_no_folder_has_over_20_modules(tmp_path):
    assert full_folders(packages=EVERYTHING) == []
    (tmp_path / "full").mkdir()
    for number in range(21):
        (tmp_path / "full" / f"m{number}.py").touch()
    assert full_folders(tmp_path, ("full",)) == [f"{tmp_path / 'full'}: 21"]


def test_no_modules_import_each_other(everywhere, tmp_path):
    assert circles(everywhere) == []
    (tmp_path / "round").mkdir()
    (tmp_path / "round" / "a.py").write_text("from round.b import x\n")
    (tmp_path / "round" / "b.py").write_text("def x():\n    from round import a\n")
    broken = circles(read_modules(tmp_path, ("round",)))
    assert broken == ["round.a -> round.b -> round.a"]


def test_the_engine_knows_no_question_and_imports_downwards(modules):
    assert broken_floors(modules) == []


@pytest.mark.parametrize(
    ("module", "imported"),
    [
        ("landscape.objective.objective", "analyses.catalog"),
        ("landscape.objective.objective", "landscape.curvature.operators"),
        ("landscape.hooks.activations", "landscape.measures.cka"),
        ("landscape.estimates", "landscape.errors"),
    ],
)
def test_an_import_that_goes_up_or_sideways_is_found(modules, module, imported):
    lazily = replace(modules[module], lazy_names=frozenset({imported}))
    assert broken_floors({module: lazily}) == [f"{module} imports {imported}"]


@pytest.mark.parametrize(
    ("text", "imported"),
    [
        ('import_module("analyses.drawing.given_axes").draw', "analyses.drawing.given_axes"),
        (
            'importlib.import_module(name="x", package="y") or __import__("analyses.cli")',
            "analyses.cli",
        ),
        ('partial(import_module, "analyses.cli")', "analyses.cli"),
        ('import_module(f"analyses.{name}.result")', "analyses"),
    ],
)
def test_an_import_by_text_is_found(tmp_path, text, imported):
    (tmp_path / "landscape" / "results").mkdir(parents=True)
    (tmp_path / "landscape" / "results" / "files.py").write_text(f"def load(name):\n    {text}\n")
    modules = read_modules(tmp_path, ("landscape",))
    assert broken_floors(modules) == [f"landscape.results.files imports {imported}"]


def test_matplotlib_is_imported_only_where_something_is_drawn(modules):
    assert needless_matplotlib(modules) == []
    broken = {
        name: Module(name, 1, frozenset({"matplotlib.figure"}), frozenset())
        for name in ("analyses.surface.measure", "landscape.slices.order", "analyses.runner")
    }
    assert needless_matplotlib(broken) == list(broken)


@pytest.mark.parametrize("command", ["analyses.command.plot", "landscape.training.command.train"])
def test_commands_start_without_what_takes_long_to_import(modules, command):
    assert slow_imports(modules, command) == []
    reader = modules["landscape.checkpoints.foreign.distributed"]
    eager = {"entry": Module("entry", 1, frozenset({reader.name}), frozenset())}
    assert len(slow_imports({**modules, **eager}, "entry")) >= 4


def test_every_folder_of_analyses_is_a_question_or_known_to_be_shared():
    folders = {path.name for path in (ROOT / "analyses").iterdir() if path.is_dir()}
    assert folders - {"__pycache__"} == QUESTIONS | SHARED


def test_rooms_import_what_comes_before_them_and_no_other_question(modules):
    assert broken_rooms(modules, QUESTIONS) == []


@pytest.mark.parametrize(
    ("module", "imported"),
    [
        ("analyses.surface.settings", "analyses.surface.result"),
        ("analyses.surface.tables", "analyses.surface.figures"),
        ("analyses.surface.figures", "analyses.surface.measure"),
        ("analyses.surface.measure", "analyses.line.result"),
        ("analyses.runner", "analyses.surface.result"),
        ("analyses.drawing.style", "analyses.hessian"),
    ],
)
def test_a_broken_room_is_found(module, imported):
    wrong = Module(module, 1, frozenset(), frozenset({imported}))
    assert broken_rooms({module: wrong}, QUESTIONS) == [f"{module} imports {imported}"]


def test_no_question_is_named_outside_its_package(tmp_path):
    assert named_questions(ROOT, QUESTIONS) == []
    (tmp_path / "analyses").mkdir()
    (tmp_path / "analyses" / "runner.py").write_text(
        '"""A runner."""\nif name == "surface": pass\n'
    )
    assert named_questions(tmp_path, QUESTIONS) == ["analyses.runner:2: 'surface'"]


@pytest.mark.parametrize(
    "command", ["analyses.command.arguments", "landscape.training.command.arguments"]
)
def test_help_needs_neither_torch_nor_matplotlib(command):
    code = (
        f"import sys, {command} as command; command.build_parser().format_help(); "
        "print([name for name in ('torch', 'matplotlib', 'scipy', 'h5py') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout == "[]\n"

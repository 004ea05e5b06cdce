"""The pages say what works: their Python runs, and their commands parse."""

import re
import shlex
from pathlib import Path

import pytest
import torch

from analyses.catalog import known_analyses
from analyses.command import arguments as plot_arguments
from analyses.command.index import index_of_analyses
from landscape.training.command import arguments as train_arguments

ROOT = Path(__file__).parents[1]
OF_ANALYSES = {
    path.stem: path for path in (ROOT / "docs" / "analyses").glob("*.md") if path.stem != "README"
}
FILES = [
    ROOT / "README.md",
    *(ROOT / "docs").glob("*.md"),
    ROOT / "docs" / "analyses" / "README.md",
    *OF_ANALYSES.values(),
    *(ROOT / "docs" / "how-to").glob("*.md"),
    *(ROOT / "docs" / "reference").glob("*.md"),
]
PAGES = [page.read_text(encoding="utf-8") for page in FILES]
COMMANDS = [
    command
    for page in PAGES
    for command in re.findall(r"^    (landscape-(?:train|plot) .*)$", page, flags=re.MULTILINE)
]


def test_there_is_something_to_check():
    assert len(COMMANDS) >= 6


@pytest.fixture(scope="module")
def parsers():
    """The parser of each command."""
    return {
        "landscape-train": train_arguments.build_parser(),
        "landscape-plot": plot_arguments.build_parser(),
    }


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_parse(command, parsers):
    program, *arguments = shlex.split(command)
    parsers[program].parse_args(arguments)


def test_every_analysis_has_a_page_with_a_picture_and_how_to_run_it():
    assert set(OF_ANALYSES) == {*known_analyses(), "report"}
    for name, path in OF_ANALYSES.items():
        page = path.read_text(encoding="utf-8")
        assert page.startswith(f"# {name}: ")
        assert f"pictures/{name}.png)" in page
        assert re.search(rf"^    landscape-plot {name} ", page, flags=re.MULTILINE)
        rows = ("definition", "its error", "pitfalls", "literature")
        assert name == "report" or all(f"\n| {row} | " in page for row in rows)


NEED_A_RUN = {"interpolate", "trajectory", "sharpness", "curves", "robustness", "report"}


def test_the_index_is_that_of_the_command():
    index = (ROOT / "docs" / "analyses" / "README.md").read_text(encoding="utf-8")
    assert index_of_analyses(with_links=True) in index


@pytest.mark.parametrize("name", sorted(OF_ANALYSES))
def test_the_python_of_a_page_runs(name, tmp_path, monkeypatch, capsys):
    run_python_of(OF_ANALYSES[name], tmp_path, monkeypatch, capsys, name in NEED_A_RUN)


def test_the_python_for_a_training_of_ones_own_runs(tmp_path, monkeypatch, capsys):
    run_python_of(ROOT / "docs" / "own-training.md", tmp_path, monkeypatch, capsys)
    assert (tmp_path / "runs" / "mine" / "epochs" / "0020.pt").is_file()


def test_the_python_for_losses_of_any_kind_runs(tmp_path, monkeypatch, capsys):
    run_python_of(ROOT / "docs" / "losses.md", tmp_path, monkeypatch, capsys)


def test_the_python_for_result_files_runs(tmp_path, monkeypatch, capsys):
    run_python_of(ROOT / "docs" / "results.md", tmp_path, monkeypatch, capsys)
    assert (tmp_path / "surface.h5").is_file()


def run_python_of(path, tmp_path, monkeypatch, capsys, may_have_none=False):
    """Run the examples of a page one after the other; each prints something."""
    page = path.read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    assert blocks or may_have_none
    monkeypatch.chdir(tmp_path)
    names = {}
    for code in blocks:
        with torch.random.fork_rng():
            exec(compile(code, path.name, "exec"), names)  # noqa: S102
        assert capsys.readouterr().out.strip()


@pytest.mark.parametrize("command_line", [train_arguments, plot_arguments])
def test_examples_of_the_help_parse(command_line):
    parser = command_line.build_parser()
    lines = parser.epilog.replace("\\\n", " ").splitlines()
    commands = [line[line.index("landscape-") :] for line in lines if "landscape-" in line]
    assert len(commands) >= 3
    for command in commands:
        parser.parse_args(shlex.split(command)[1:])

"""README.md says what works: its Python runs, its commands parse, its pictures are there."""

import re
import shlex
from pathlib import Path

import pytest

import analyses.cli
import landscape.cli

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
PAGES = [README, *(page.read_text(encoding="utf-8") for page in (ROOT / "docs").glob("*.md"))]
COMMANDS = [
    command
    for page in PAGES
    for command in re.findall(r"^    (landscape-(?:train|plot) .*)$", page, flags=re.MULTILINE)
]
PICTURES = re.findall(r"!\[[^]]+\]\(([^)]+)\)", README)


def test_there_is_something_to_check():
    assert len(PYTHON) >= 1
    assert len(COMMANDS) >= 6
    assert len(PICTURES) >= 1


@pytest.mark.parametrize("code", PYTHON)
def test_python_runs(code, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})  # noqa: S102
    assert (tmp_path / "surface.h5").stat().st_size > 0
    assert capsys.readouterr().out.count("a true eigenvalue lies within") == 3


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_parse(command):
    program, *arguments = shlex.split(command)
    parser = {"landscape-train": landscape.cli, "landscape-plot": analyses.cli}[program]
    parser.build_parser().parse_args(arguments)


@pytest.mark.parametrize("path", PICTURES)
def test_pictures_are_there(path):
    assert (ROOT / path).read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("cli", [landscape.cli, analyses.cli])
def test_examples_of_the_help_parse(cli):
    text = cli.EXAMPLES.replace("\\\n", " ")
    lines = [line for line in text.splitlines() if "landscape-" in line]
    commands = [line[line.index("landscape-") :] for line in lines]
    assert len(commands) >= 3
    for command in commands:
        cli.build_parser().parse_args(shlex.split(command)[1:])

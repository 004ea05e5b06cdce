"""Files of a user's own are not overwritten; those of an earlier command are."""

import json
import shutil

import matplotlib as mpl
import pytest

from analyses.generated import was_generated
from tests.analyses.command.words import SMALL
from tests.commands import content

ANALYSES = frozenset({"line", "surface"})
FORMATS = ("--format", "png,pdf,svg,html,md")


@pytest.fixture(scope="session")
def drawn(runs, tmp_path_factory):
    """A folder that a command has written."""
    from analyses.cli import main
    from tests.commands import status_of

    folder = tmp_path_factory.mktemp("drawn") / "figures"
    words = ("line", runs[0], *SMALL["line"], *FORMATS, "--quiet", "--output-dir", folder)
    assert status_of(main, *words) == 0
    return folder


@pytest.fixture
def folder(drawn, tmp_path):
    return shutil.copytree(drawn, tmp_path / "figures")


def test_every_file_of_ours_is_known(drawn):
    files = [path for path in drawn.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {
        *(".png", ".pdf", ".svg", ".html", ".md", ".json", ".csv", ".h5")
    }
    for path in files:
        assert was_generated(path, ANALYSES), path


def test_the_same_command_again_writes_over_its_own(done, folder, runs):
    before = content(folder)
    done("line", runs[0], *SMALL["line"], *FORMATS, "--output-dir", folder)
    assert content(folder).keys() == before.keys()


@pytest.mark.parametrize(
    "name",
    [
        *("line.png", "line.pdf", "line.svg", "line.html", "line.md", "line.json", "line.csv"),
        *("line-mine.png", "plain/line.json", "plain/line.h5"),
    ],
)
def test_a_file_of_a_users_own_is_refused_before_anything_is_measured(
    refused, runs, tmp_path, name
):
    place = tmp_path / name
    place.parent.mkdir(exist_ok=True)
    place.write_text('{"mine": 1}')
    said = refused("line", runs[0], *SMALL["line"], *FORMATS, "--output-dir", tmp_path)
    assert f"{place} is there, and was not written by landscape-plot" in said
    assert "--force" in said
    assert content(tmp_path) == {name: b'{"mine": 1}'}


def test_a_picture_of_a_users_own_made_with_the_same_library(refused, runs, tmp_path):
    from matplotlib.figure import Figure

    Figure().savefig(tmp_path / "line.png")
    words = ("line", runs[0], *SMALL["line"], "--output-dir", tmp_path)
    assert "was not written by landscape-plot" in refused(*words)


def test_other_files_and_other_formats_are_nobody_elses_business(done, runs, tmp_path):
    (tmp_path / "line.pdf").write_text("mine")
    (tmp_path / "lines.png").write_text("mine")
    (tmp_path / "surface.png").write_text("mine")
    done("line", runs[0], *SMALL["line"], "--format", "png", "--output-dir", tmp_path)
    for name in ("line.pdf", "lines.png", "surface.png"):
        assert (tmp_path / name).read_text() == "mine"


def test_force_overwrites(done, runs, tmp_path):
    (tmp_path / "line.json").write_text("mine")
    done("line", runs[0], *SMALL["line"], "--force", "--output-dir", tmp_path)
    assert "line" in json.loads((tmp_path / "line.json").read_text())


@pytest.mark.parametrize("name", ["plain", "line.png/"])
def test_a_file_in_place_of_a_folder_and_the_other_way_round(refused, runs, tmp_path, name):
    if name.endswith("/"):
        (tmp_path / name).mkdir()
    else:
        (tmp_path / name).write_text("mine")
    words = ("line", runs[0], *SMALL["line"], "--format", "png", "--output-dir", tmp_path)
    said = refused(*words)
    assert "move it" in said
    assert not list(tmp_path.rglob("*.h5"))


def test_latex_and_fonts_of_a_users_matplotlibrc_have_no_effect(done, drawn, runs, tmp_path):
    """Without LaTeX installed, text.usetex would fail."""
    with mpl.rc_context({"text.usetex": True, "figure.facecolor": "red", "font.family": "cursive"}):
        done("line", drawn / "plain" / "line.h5", "--format", "png", "--output-dir", tmp_path)
    assert (tmp_path / "line.png").read_bytes() == (drawn / "line.png").read_bytes()

"""The pages of docs/how-to and the tutorial do what they say: their Python and commands run."""

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import analyses.cli
import landscape.cli
from analyses.hessian import Spectrum
from tests.commands import status_of
from tests.profile import long_test

ROOT = Path(__file__).parents[1]
HOW_TO = ROOT / "docs" / "how-to"
# Their commands want checkpoints of one's own, several processes or GPUs; that they parse is tested
# with those of all pages.
ONLY_PYTHON = ("large-models", "many-gpus", "original-tool")
# The fixtures that import what a page imports.
NEEDED = {
    "hugging-face": "transformers",
    "language-model": "transformers",
    "timm": "timm",
    "lightning": "lightning",
}
MAIN = {"landscape-plot": analyses.cli.main, "landscape-train": landscape.cli.main}
PAGES = sorted(path.stem for path in HOW_TO.glob("*.md") if path.stem != "index")

pytestmark = pytest.mark.filterwarnings("ignore")  # those of the libraries on the pages


@pytest.fixture
def place(tmp_path, monkeypatch) -> Iterator[Path]:
    """A folder with the gallery in it, whose modules can be imported and are forgotten later."""
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "gallery").symlink_to(ROOT / "figures" / "gallery")
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "gallery").symlink_to(ROOT / "checkpoints" / "gallery")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for path in tmp_path.glob("my_*.py"):
        sys.modules.pop(path.stem, None)


def steps_of(page: str) -> Iterator[tuple[str, str]]:
    """The blocks of Python and the commands of a page, in its order: (kind, text)."""
    pattern = r"```python\n([\s\S]*?)```|^    (landscape-(?:plot|train) .*)$"
    for match in re.finditer(pattern, page, flags=re.MULTILINE):
        code, command = match.groups()
        yield ("python", code) if code else ("command", command)


def run_page(path: Path, place: Path, with_commands: bool, capsys: pytest.CaptureFixture) -> int:
    """Run a page from its beginning to its end; returns the number of steps."""
    names: dict[str, object] = {}
    count = 0
    for kind, text in steps_of(path.read_text(encoding="utf-8")):
        file = re.match(r"# (my_\w+\.py)\n", text)
        if kind == "python" and file:
            (place / file[1]).write_text(text, encoding="utf-8")
        elif kind == "python":
            if "import pandas" in text or "to_pandas" in text:
                pytest.importorskip("pandas")
            if "xarray" in text:
                pytest.importorskip("h5netcdf")
                pytest.importorskip("xarray")
            capsys.readouterr()
            with torch.random.fork_rng():
                exec(compile(text, path.name, "exec"), names)  # noqa: S102
            assert capsys.readouterr().out.strip()
        elif with_commands and "--data-dir" not in text:
            program, *words = shlex.split(text)
            assert status_of(MAIN[program], *words, "--quiet") == 0, capsys.readouterr().err
        else:
            continue
        count += 1
    return count


@pytest.mark.parametrize("name", PAGES)
def test_a_how_to_page_runs(name, place, capsys, request):
    if name in NEEDED:
        request.getfixturevalue(NEEDED[name])
    steps = run_page(HOW_TO / f"{name}.md", place, name not in ONLY_PYTHON, capsys)
    assert steps >= 2 or name in ONLY_PYTHON


@long_test
def test_the_tutorial_runs(place, capsys):
    assert run_page(ROOT / "docs" / "tutorial.md", place, True, capsys) >= 8
    folder = place / "figures" / "digits"
    plain, sam = (Spectrum.load(folder / name / "hessian.h5") for name in ("vit", "vit-sam"))
    assert plain.eigenvalues[0] > 5 * sam.eigenvalues[0]
    report = (folder / "report.md").read_text(encoding="utf-8")
    assert "can't decide from one run of each" in report


def test_the_python_about_misleading_sharpness_runs(place, capsys):
    page = ROOT / "docs" / "when-sharpness-misleads.md"
    assert run_page(page, place, False, capsys) == 1


def test_every_page_is_in_the_index():
    index = (HOW_TO / "index.md").read_text(encoding="utf-8")
    assert [name for name in PAGES if f"({name}.md)" not in index] == []

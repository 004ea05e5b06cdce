"""Pictures as PGF: written without LaTeX, and no label breaks a run of it."""

import re
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

from analyses.drawing.latex import latex_text
from analyses.drawing.lettering import add_legend, plain_text
from analyses.drawing.pictures import Picture, save_pictures
from analyses.drawing.style import figure, styled
from analyses.generated import was_generated

LABELS = [
    "vit_b", "50%", "a & b", "#1", "$5", "a$b_c$", "back\\slash", "{open", "close}", "~tilde^hat",
    "<a|b>", 'it\'s "x" `y`', "a--b", "λ_max ≤ ‖w‖₂ · 10⁻³", "naïve Ångström Łódź",
    "\\input{/etc/passwd}", "^^5c", "%\\end{pgfpicture}",
]  # fmt: skip
# Letters that matplotlib's fonts don't have, so that no picture shows them.
UNKNOWN = "中文 \U0001f600"
# Commands that a label may become; anything else would be the label's own.
COMMANDS = {
    "textbackslash", "textasciitilde", "textasciicircum", "ensuremath", "ifdefined", "else", "fi",
    "pdftexversion", "lambda", "leq", "Vert", "cdot", "AA", "L",
}  # fmt: skip


@pytest.fixture
def no_latex(monkeypatch):
    """Starting any program fails the test."""

    def started(*words, **_):
        pytest.fail(f"a program was started: {words}")

    monkeypatch.setattr("subprocess.Popen", started)


@pytest.fixture
def page():
    with styled():
        page = figure(3, 6)
        axes, lower = page.subplots(2, 1)
        axes.plot([0, 1], [1e-3, 1e3])
        axes.set(yscale="log", title="\n".join(map(plain_text, LABELS)))
        lower.imshow(np.arange(6.0).reshape(2, 3))
        add_legend(page, dict.fromkeys(LABELS, axes.lines[0]))
        return page


@pytest.mark.parametrize("label", [*LABELS, UNKNOWN])
def test_a_label_is_text_and_nothing_else(label):
    source = latex_text(label, has_formulas=False)
    bare = re.sub(r"\\([A-Za-z]+|.)", "", source)  # without commands and escaped signs
    assert bare.count("{") == bare.count("}")
    assert not set("%&#~$") & set(bare)
    assert not {"^", "_"} & set(re.sub(r"\\ensuremath{[^}]*}*", "", source.replace("\\_", "")
                                       .replace("\\^", "")))  # fmt: skip
    assert set(re.findall(r"\\([A-Za-z]+)", source)) <= COMMANDS


def test_formulas_are_kept_and_dollar_signs_are_signs():
    assert latex_text(r"$\mathdefault{10^{-3}}$", has_formulas=True) == r"\ensuremath{{10^{-3}}}"
    assert latex_text(r"\$5_a $x_1$", has_formulas=True) == r"\$5\_a \ensuremath{x_1}"
    assert latex_text("−1", has_formulas=False) == r"\ensuremath{-}1"
    assert latex_text("é", has_formulas=False) == r"\'{e}"


@pytest.mark.usefixtures("no_latex")
def test_it_is_written_without_latex(page, tmp_path):
    with styled():
        paths = save_pictures({"a_b": Picture(page)}, tmp_path, ["pgf"])
    assert [path.name for path in paths] == ["a_b-img0.png", "a_b.pgf"]
    assert all(was_generated(path, frozenset()) for path in paths)
    source = paths[1].read_text()
    assert "{a_b-img0.png}" in source
    assert str(tmp_path) not in source
    with Image.open(paths[0]) as image:
        assert image.size[0] > 0
    for label in LABELS:
        assert latex_text(label, has_formulas=False) in source, label
    depth = 0
    for sign in re.sub(r"\\.", "", source):
        depth += {"{": 1, "}": -1}.get(sign, 0)
        assert depth >= 0
    assert depth == 0


@pytest.mark.parametrize("engine", ["pdflatex", "xelatex", "lualatex"])
def test_latex_takes_it(engine, page, tmp_path):
    if shutil.which(engine) is None:
        pytest.skip(f"no {engine} here")
    with styled():
        save_pictures({"a_b": Picture(page)}, tmp_path, ["pgf"])
    (tmp_path / "main.tex").write_text(
        "\\documentclass{article}\n\\usepackage{pgf}\n\\begin{document}\n"
        f"\\input{{a_b.pgf}}\n\n{latex_text(UNKNOWN, has_formulas=False)}\n\\end{{document}}\n"
    )
    # All but the file, for which every font has to be installed.
    no_file = "-no-pdf" if engine == "xelatex" else "-draftmode"
    words = [engine, "-interaction=nonstopmode", "-halt-on-error", no_file, "main.tex"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]

"""Figures as files."""

import pytest

from analyses.drawing.options import FORMATS
from analyses.drawing.pictures import Picture
from analyses.drawing.style import figure
from tests.analyses.pictures import save_figures

SIGNATURES = {"png": b"\x89PNG\r\n\x1a\n", "pdf": b"%PDF-", "svg": b"<?xml", "pgf": b"%% Creator: "}


def test_figures_are_saved_in_every_format(tmp_path):
    assert set(SIGNATURES) == set(FORMATS)
    pages = {"one": figure(1, 1), "two": figure(2, 1)}
    paths = save_figures(pages, tmp_path, FORMATS)
    assert paths == [tmp_path / f"{name}.{kind}" for name in pages for kind in FORMATS]
    assert sorted(tmp_path.iterdir()) == sorted(paths)
    for path in paths:
        assert path.read_bytes().startswith(SIGNATURES[path.suffix[1:]])


def test_a_picture_that_can_not_be_drawn_leaves_the_old_one(tmp_path):
    (tmp_path / "one.png").write_bytes(b"old")
    page = figure(1, 1)
    page.suptitle("$\\unknown$")
    with pytest.raises(ValueError, match="unknown"):
        save_figures({"one": page}, tmp_path, ["png"])
    assert [path.name for path in tmp_path.iterdir()] == ["one.png"]
    assert (tmp_path / "one.png").read_bytes() == b"old"


def test_each_format_is_rendered_once(monkeypatch):
    page, formats = figure(1, 1), []
    monkeypatch.setattr(page, "savefig", lambda file, format, metadata: formats.append(format))
    picture = Picture(page)
    for extension in ("png", "svg", "png", "svg"):
        picture.render(extension)
    assert formats == ["png", "svg"]


@pytest.mark.parametrize("title", ["short", "too long for its panel " * 9])
def test_a_page_is_laid_out_again_only_where_a_title_was_shrunk(title, monkeypatch):
    page, layouts = figure(3, 2), []
    page.subplots().set_title(title)
    execute = type(page.get_layout_engine()).execute
    monkeypatch.setattr(
        type(page.get_layout_engine()),
        "execute",
        lambda engine, shown: layouts.append(execute(engine, shown)),
    )
    Picture(page).render("png")
    assert len(layouts) == (1 if title == "short" else 2)

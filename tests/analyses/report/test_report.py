import base64
import io
import re
from dataclasses import replace

import pytest
from PIL import Image

from analyses.catalog import known_analyses
from analyses.drawing.pictures import Picture
from analyses.report.page import write_page
from tests.analyses.problems import LABELS, NAMES, result, results
from tests.analyses.report.parsed import Page


def report(tmp_path, names=NAMES, count=2, change=lambda drawn: drawn):
    shown = {name: [change(drawn) for drawn in results(name, count)] for name in names}
    pages = {name: known_analyses()[name].draw(shown[name]) for name in names}
    pictures = {
        name: {key: Picture(figure) for key, figure in drawn.items()}
        for name, drawn in pages.items()
    }
    path = write_page(shown, pictures, tmp_path / "report.html")
    assert path == tmp_path / "report.html"
    page = Page(path.read_text(encoding="utf-8"))
    page.drawn = {name: set(drawn) for name, drawn in pages.items()}
    return page


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return report(tmp_path_factory.mktemp("report"), count=2)


def test_the_page_is_well_formed(page):
    assert page.open == []
    assert [tag for tag, _ in page.tags[:2]] == ["html", "head"]
    identifiers = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(set(identifiers)) == len(identifiers)


def test_the_page_needs_no_other_file_and_no_network(page):
    assert not page.all("script")
    assert not page.all("link")
    assert not page.all("iframe")
    for tag, attributes in page.tags:
        for name in ("src", "href", "srcset", "data", "poster", "action"):
            if name in attributes:
                assert attributes[name].startswith(("data:image/png;base64,", "#")), (tag, name)
    identifiers = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    links = {attributes["href"] for attributes in page.all("a")}
    assert links == {f"#{name}" for name in NAMES}
    assert set(NAMES) <= identifiers


def test_the_style_loads_nothing(tmp_path):
    report(tmp_path, ["sparsity"])
    style = re.search(r"<style>(.*?)</style>", (tmp_path / "report.html").read_text(), re.DOTALL)
    assert "url(" not in style[1]
    assert "@import" not in style[1]


def test_every_picture_is_inside_and_not_blank(page):
    pictures = page.all("img")
    assert len(pictures) == 20
    for attributes in pictures:
        assert attributes["alt"]
        data = base64.b64decode(attributes["src"].partition(",")[2], validate=True)
        picture = Image.open(io.BytesIO(data)).convert("RGB")
        assert len(picture.getcolors(maxcolors=2**24)) > 50


def test_every_label_and_every_analysis_is_there(page):
    for label in LABELS[:2]:
        assert page.text.count(label) >= 1 + len(NAMES)  # in the first table and in each analysis
    for name in NAMES:
        assert known_analyses()[name].title in page.text
        for key, reading in known_analyses()[name].reading.items():
            assert (reading in page.text) == (not key or key in page.drawn[name])
        for caption, rows in known_analyses()[name].tabulate(results(name, 2)).items():
            assert caption in page.text
            for row in rows:
                for column, value in row.items():
                    assert column in page.text
                    assert value in page.text


def test_what_was_measured(page):
    assert "2 checkpoints, measured" in page.text
    assert result("surface").provenance.weights_sha256[:12] in page.text
    assert "25 of 25" in page.text
    assert "float32" in page.text
    assert "torch 2" in page.text


def test_a_single_checkpoint(tmp_path):
    assert "1 checkpoint, measured" in report(tmp_path, ["line"], 1).text


def test_labels_can_not_break_the_page(tmp_path):
    label = "<script>alert('\"&amp;')</script>"
    page = report(tmp_path, ["line"], 1, lambda drawn: replace(drawn, label=label))
    assert not page.all("script")
    assert label in page.text


def test_an_old_report_stays_if_the_new_one_fails(tmp_path):
    (tmp_path / "report.html").write_text("old")
    shown = {"line": [result("line")]}
    with pytest.raises(KeyError):
        write_page(shown, {}, tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]

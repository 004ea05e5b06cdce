"""The report in a real browser: nothing runs over the edge, light and dark, on paper too."""

import re

import pytest
from PIL import Image

from analyses.catalog import known_analyses
from analyses.drawing.pictures import Picture
from analyses.drawing.style import styled
from analyses.report.page import write_page
from analyses.report.paper.summary import summarise
from tests.analyses.problems import NAMES, results
from tests.browser import DARK, browse, needs_chromium
from tests.profile import some

pytestmark = needs_chromium

# What a script in the page finds out, as the title that --dump-dom then prints.
PROBE = """<script>
window.addEventListener("load", () => setTimeout(() => {
  const wide = [...document.querySelectorAll("body *")].filter(element =>
    element.getBoundingClientRect().right > document.documentElement.clientWidth + 1
    && !element.closest(".scroll") && !element.closest("svg"));
  const style = getComputedStyle(document.body);
  document.title = JSON.stringify({
    width: document.documentElement.clientWidth,
    scroll: document.documentElement.scrollWidth,
    wide: wide.length,
    page: style.backgroundColor,
    text: style.color,
    pictures: [...document.images].filter(image => !image.naturalWidth).length,
    plots: document.querySelectorAll(".scenes.live canvas.plot").length,
    closed: [...document.querySelectorAll("details p")].filter(p => !p.checkVisibility()).length,
    bottom: document.querySelector(".answer").getBoundingClientRect().bottom,
  });
}, 3000));
</script></body>"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A report of two networks with every analysis that these have, and what the paper says."""
    shown_results = {name: results(name, 2) for name in NAMES if name != "interpolate"}
    with styled():
        figures = {
            name: {key: Picture(page) for key, page in known_analyses()[name].draw(shown).items()}
            for name, shown in shown_results.items()
        }
    summary = summarise(
        shown_results, {}, lambda name, networks: f"landscape-plot {name} a/path/of/a/run"
    )
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_page(shown_results, figures, path, summary)
    path.write_text(path.read_text(encoding="utf-8").replace("</body>", PROBE), encoding="utf-8")
    return path


def probe(page, *flags):
    import json

    title = re.search(r"<title>(\{.*?\})</title>", browse(page, *flags, "--dump-dom"))
    assert title, "the page's scripts did not run to their end"
    return json.loads(title[1].replace("&quot;", '"'))


@pytest.mark.parametrize(("width", "flags"), some([(500, ()), (1280, ()), (1280, (DARK,))], 2))
def test_nothing_runs_over_the_edge(page, width, flags):
    shown_results = probe(page, f"--window-size={width},900", *flags)
    assert shown_results["scroll"] <= shown_results["width"]
    assert shown_results["wide"] == 0
    assert shown_results["pictures"] == 0  # that could not be shown
    assert shown_results["plots"] >= 2  # a surface to turn for each network
    assert shown_results["closed"] > 0  # texts behind the verdicts
    assert width < 1280 or shown_results["bottom"] <= 900  # all of the answer at once
    is_dark = bool(flags)
    assert (sum(map(int, re.findall(r"\d+", shown_results["page"])[:3])) < 200) == is_dark
    assert (sum(map(int, re.findall(r"\d+", shown_results["text"])[:3])) > 500) == is_dark


def test_the_page_is_drawn(page, tmp_path):
    picture = tmp_path / "page.png"
    browse(page, "--window-size=1280,6000", "--hide-scrollbars", f"--screenshot={picture}")
    with Image.open(picture) as image:
        assert len(image.convert("RGB").getcolors(maxcolors=2**24)) > 1000


def test_on_paper_everything_is_open(page):
    text = page.read_text(encoding="utf-8")
    assert "@media print" in text
    printed = page.with_name("printed.html")
    printed.write_text(text.replace("@media print", "@media screen"), encoding="utf-8")
    assert probe(printed, "--window-size=800,900")["closed"] == 0


def test_it_can_be_printed(page, tmp_path):
    paper = tmp_path / "page.pdf"
    browse(page, "--no-pdf-header-footer", f"--print-to-pdf={paper}")
    content = paper.read_bytes()
    assert content.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", content)) >= 3

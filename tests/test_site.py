"""The documentation site builds without a warning, loads nothing, and has every public name."""

import importlib
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

import analyses
import landscape
from analyses.catalog import known_analyses
from docs._site import commands, links, sources
from tests.browser import browse, needs_chromium
from tests.commands import TIMEOUT

ROOT = Path(__file__).parents[1]
# Elements that a browser loads by themselves, and the attribute that says from where.
LOADED = {
    "audio": "src",
    "embed": "src",
    "iframe": "src",
    "img": "src",
    "input": "src",
    "object": "data",
    "script": "src",
    "source": "src",
    "video": "src",
}
LOADED_LINKS = {"stylesheet", "preload", "prefetch", "preconnect", "dns-prefetch", "icon"}


class Page(HTMLParser):
    """What a page loads, and the identifiers that can be linked to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.identifiers: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        values = {name: value or "" for name, value in attrs}
        self.identifiers.add(values.get("id", ""))
        is_link = tag == "link" and LOADED_LINKS & set(values.get("rel", "").split())
        if tag in LOADED or is_link:
            self.loaded.append(values.get("href" if is_link else LOADED[tag], ""))
        self.loaded += [part.split()[0] for part in values.get("srcset", "").split(",") if part]


def test_what_a_page_loads_is_seen():
    page = Page('<link rel="icon" href="a"><script src="//b"></script><a href="http://c" id="d">')
    assert page.loaded == ["a", "//b"]
    assert page.identifiers == {"", "d"}


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The site, built in strict mode."""
    pytest.importorskip("mkdocs", reason="mkdocs is not installed: make docs")
    pytest.importorskip("material", reason="mkdocs-material is not installed: make docs")
    pytest.importorskip("mkdocstrings", reason="mkdocstrings is not installed: make docs")
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    assert built.returncode == 0, built.stderr
    return folder


def test_no_page_loads_anything_from_a_network(site):
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 50
    for path in pages:
        for address in Page(path.read_text(encoding="utf-8")).loaded:
            assert not address.startswith(("http:", "https:", "//")), (path, address)
    for path in site.rglob("*.css"):
        text = path.read_text(encoding="utf-8")
        assert "url(http" not in text, path
        assert "url(//" not in text, path
        assert "@import" not in text, path


def test_every_public_name_is_in_the_reference(site):
    found = set()
    for path in (site / "reference").glob("*.html"):
        found |= Page(path.read_text(encoding="utf-8")).identifiers
    for package in (landscape, analyses):
        for name in package.__all__:
            assert f"{package.__name__}.{name}" in found
    for name, analysis in known_analyses().items():
        package = importlib.import_module(analysis.package)
        # The others are methods of the Analysis.
        own = set(package.__all__) - {"ANALYSIS", "compute", "draw", "of", "tabulate"}
        assert own == {"Settings", analysis.result}
        assert f"{analysis.package}.settings.Settings" in found
        assert f"{analysis.package}.result.{analysis.result}" in found
        assert name in found
    for method in ("compute", "draw", "of", "tabulate"):
        assert f"analyses.Analysis.{method}" in found


def test_every_flag_is_in_the_reference(site):
    page = (site / "reference" / "landscape-plot.html").read_text(encoding="utf-8")
    parsers = commands.subcommands(commands.plot_arguments.build_parser())
    assert set(parsers) == {*known_analyses(), "report", "show", "diff"}
    for name, parser in parsers.items():
        assert f'id="{name}"' in page
        for action in parser._actions:
            for flag in set(action.option_strings) - {"-h", "--help"}:
                assert f"{flag}" in page


def test_links_of_the_repository_become_those_of_the_site():
    on_site = {
        "docs/how-to/a.md": "how-to/a.md",
        "docs/b.md": "b.md",
        "SECURITY.md": "project/SECURITY.md",
    }
    text = "[s](../../SECURITY.md#x) ![b](../b.md) [w](https://e.org/) [n](none.md)\n- a\n  - b"
    assert links.for_site(text, "docs/how-to/a.md", on_site) == (
        "[s](../project/SECURITY.md#x) ![b](../b.md) [w](https://e.org/) [n](none.md)\n- a\n    - b"
    )
    assert links.for_site("[b](docs/b.md)", "SECURITY.md", on_site) == "[b](../b.md)"


def test_sources_are_shown_as_pages():
    pages = sources.source_pages(ROOT)
    examples = {path.name for path in (ROOT / "examples").iterdir() if path.suffix == ".py"}
    assert {"LICENSE", "CITATION.cff", "examples/calibration_plugin"} < set(pages)
    assert {f"examples/{name}" for name in examples} < set(pages)
    for place, page in pages.items():
        for path in [ROOT / place] if (ROOT / place).is_file() else (ROOT / place).rglob("*.py"):
            assert path.read_text(encoding="utf-8").rstrip() in page


@needs_chromium
def test_the_search_works_from_disk(site):
    page = browse(site / "index.html", "--dump-dom", part="?q=eigenvalue")
    assert re.search(r"\d+ matching documents", page)
    assert page.count('class="md-search-result__item"') > 3

"""Pages in Markdown, as a reader of Markdown sees them."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from analyses.report.page import write_markdown, write_page, write_rows
from analyses.report.paper.summary import summarise
from landscape.runtime.visible_text import visible
from tests.analyses.problems import results
from tests.profile import repeats

PARSER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
NAMES = ("line", "norms")


def write(folder, label):
    """The page of two networks; the second has this label and one analysis too few, by name."""
    shown = {
        name: [first, replace(second, label=label)]
        for name, (first, second) in {name: results(name, 2) for name in NAMES}.items()
    }
    pictures = dict.fromkeys(NAMES, {})
    reasons = {(label, "sparsity"): f"no activations in {label}"}
    summary = summarise(shown, reasons, lambda analysis, _runs: f"plot {analysis} '{label}'")
    return write_markdown(shown, pictures, folder / "report.md", summary).read_text("utf-8")


def kinds_of(page):
    """How often each kind of block is there, and of what is within lines."""
    tokens = PARSER.parse(page)
    inline = [child.type for token in tokens for child in token.children or ()]
    return Counter(token.type for token in tokens), Counter(inline) - Counter(text=len(page))


def shown_in(page):
    lines = (token for token in PARSER.parse(page) if token.children)
    return ["".join(child.content for child in line.children) for line in lines]


@pytest.fixture(scope="module")
def kinds(tmp_path_factory):
    """Those of a page of ordinary names."""
    return kinds_of(write(tmp_path_factory.mktemp("page"), "other"))


@settings(max_examples=repeats(quick=3, full=20))
@given(st.text("|`*_[]<>&\\~$#-a\n\x1b\u202e\ud800", min_size=1).filter(str.strip))
@example("a | b\n| --- |\n\\")
@example("<img src=x onerror=alert(1)> [x](y) ![z](z) `` ` ``")
@example("**bold** _a_ __init__ \x1b[31m\ud800")
def test_no_label_changes_the_page(kinds, tmp_path_factory, label):
    folder = tmp_path_factory.mktemp("page")
    page = write(folder, label)
    assert kinds_of(page) == kinds
    name = " ".join(visible(label).split())
    assert name in shown_in(page)
    assert any(f"no activations in {name}" in line for line in shown_in(page))


def test_ordinary_names_stay_readable(tmp_path):
    page = write(tmp_path, "vit-tiny_sam.seed-0")
    assert "| vit-tiny_sam.seed-0 |" in page
    assert "`plot " in page


def test_a_label_that_can_not_be_encoded_is_written(tmp_path):
    shown = {"line": [replace(results("line", 1)[0], label="a\udc80b")]}
    page = write_page(shown, {"line": {}}, tmp_path / "line.html")
    rows = write_rows(shown, tmp_path / "line.csv")
    for path in (page, rows):
        assert r"a\udc80b" in path.read_text(encoding="utf-8")

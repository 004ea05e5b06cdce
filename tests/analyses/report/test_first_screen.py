"""What a report with the paper's claims begins with, and the order of what follows."""

import re

import pytest

from analyses.catalog import known_analyses
from analyses.drawing.pictures import Picture
from analyses.report.page import write_markdown, write_page
from analyses.report.paper.catalog import CLAIMS
from analyses.report.paper.summary import summarise
from tests.analyses.problems import results
from tests.analyses.report.paper.planted import spectrum
from tests.analyses.report.parsed import Page

CURVATURES = {"v": (0.0, (4.0, 5.0, 4.5)), "v-sam": (0.1, (1.0, 1.1, 1.0))}


def write(folder, shown):
    """Both pages of results; returns the parsed HTML, the Markdown and the summary."""
    pictures = {
        name: {key: Picture(figure) for key, figure in known_analyses()[name].draw(members).items()}
        for name, members in shown.items()
    }
    summary = summarise(shown, {}, lambda *_: "a command")
    page = write_page(shown, pictures, folder / "report.html", summary)
    markdown = write_markdown(shown, pictures, folder / "report.md", summary)
    return Page(page.read_text(encoding="utf-8")), markdown.read_text(encoding="utf-8"), summary


@pytest.fixture(scope="module")
def replicated(tmp_path_factory):
    """Three runs without SAM and three with it, of which the curvatures are known."""
    shown = {
        "hessian": [
            spectrum(f"{label}/seed-{k}", "vit", rho, value, 0.0)
            for label, (rho, values) in CURVATURES.items()
            for k, value in enumerate(values)
        ]
    }
    return write(tmp_path_factory.mktemp("replicated"), shown)


@pytest.fixture(scope="module")
def unrelated(tmp_path_factory):
    """Two networks of which nothing is known, with surfaces."""
    shown = {name: results(name, 2) for name in ("surface", "sparsity", "linearity")}
    return write(tmp_path_factory.mktemp("unrelated"), shown)


def sections(page):
    """The identifiers of sections in their order."""
    return [attributes["id"] for attributes in page.all("section") if "id" in attributes]


def test_every_claim_has_a_line_that_opens(replicated):
    page, _, summary = replicated
    assert page.open == []
    claims = [each for each in page.all("details") if each.get("class") == "claim"]
    assert len(claims) == len(CLAIMS)
    assert not any("open" in attributes for attributes in claims)
    assert len(page.all("summary")) == len(page.all("details"))
    for judgement in summary.judgements:
        line = f"{judgement.claim.title} {judgement.outcome} {judgement.claim.statement}"
        assert page.text.count(line) == 1
        for comparison in judgement.comparisons:
            assert page.text.count(f"{comparison.verdict}: {comparison.text}") == 1


def test_the_verdicts_are_counted(replicated):
    page, markdown, summary = replicated
    # What was planted alike in all runs decides nothing.
    others = len(CLAIMS) - 4
    assert summary.outcomes == {"supported": 1, "undecided": 3, "not measured": others}
    assert f"1 supported , 3 undecided , {others} not measured ." in page.text
    assert f"**1 supported, 3 undecided, {others} not measured.**" in markdown
    assert not summary.lacks_runs


def test_the_numbers_are_those_of_the_tables(replicated):
    page, markdown, summary = replicated
    table = {row.title: row for rows in summary.tables.values() for row in rows}
    (sharpness, loss) = summary.headline
    for row, title in ((sharpness, "λ_max of the Hessian"), (loss, "training loss at w, L_train")):
        assert [cell.text for cell in row.cells] == [cell.text for cell in table[title].cells]
    first = f"v {sharpness.cells[0].text} {loss.cells[0].text}"
    assert f"{first} v-sam {sharpness.cells[1].text}" in page.text
    assert first.startswith("v 4.50 ± 0.50 (n = 3)")
    assert f"| v | {sharpness.cells[0].text} | {loss.cells[0].text} |" in markdown


def test_what_comes_after_what(unrelated):
    page, markdown, _ = unrelated
    assert sections(page) == [
        *("numbers", "claims", "measured", "paper-tables", "figure-1", "figure-2", "missing"),
        *("surface", "sparsity", "linearity"),
    ]
    headings = re.findall("^## (.*)", markdown, re.MULTILINE)
    assert headings[:2] == ["In numbers", "The paper's claims, of these networks"]
    assert headings.index("What was measured") < headings.index(
        "The paper's tables, with these networks"
    )
    assert markdown.index("surface_3d.png") < markdown.index("## In numbers")
    assert markdown.count("surface_3d.png") == 1


def test_the_first_pictures_are_the_surfaces(unrelated):
    page, _, _ = unrelated
    pictures = [attributes["alt"] for attributes in page.all("img")]
    assert pictures[:2] == ["Loss surface of plain", "Loss surface of sam & co"]
    assert pictures[2].startswith("The scale of losses")


def test_claims_about_other_networks_are_folded_together(unrelated):
    page, _, summary = unrelated
    assert summary.outcomes == {"not measured": len(CLAIMS)}
    assert f"{len(CLAIMS)} claims on what was not measured here" in page.text
    assert len(page.all("details")) == len(CLAIMS) + 2  # these together, and how claims are decided


def test_one_run_of_each_is_said_to_decide_nothing(tmp_path):
    shown = {
        "hessian": [
            spectrum(label, "vit", rho, values[0], 0.1)
            for label, (rho, values) in CURVATURES.items()
        ]
    }
    page, markdown, summary = write(tmp_path, shown)
    assert summary.lacks_runs
    for text in (page.text, markdown):
        assert "One run of a method decides nothing." in text

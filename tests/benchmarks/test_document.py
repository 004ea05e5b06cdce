"""The page of the miniature: its numbers are those of the files that it is made from."""

import re
from pathlib import Path

import pytest

from benchmarks.paper.document import Material, claims_summary, headline_table, write_document
from benchmarks.paper.plan import FULL, NETWORKS, RELEASED
from benchmarks.paper.publish import NAME, PICTURES, readme_block
from benchmarks.paper.steps import Journal

ROOT = Path(__file__).parents[2]


def cell(text, *values):
    return {"text": text, "runs": [{"value": value} for value in values]}


def claim(statement, outcome):
    comparisons = [{"verdict": outcome, "text": f"why {statement}"}]
    return {"claim": statement, "where": "Table 1", "outcome": outcome, "comparisons": comparisons}


@pytest.fixture
def material(tmp_path):
    labels = [network.label for network in NETWORKS]
    headline = {
        "accuracy, % (2,000 test samples)": {label: f"4{k} ± 1" for k, label in enumerate(labels)},
        "λ_max": {label: "–" for label in labels} | {"vit": "> 12.0 ± 2.0 (n = 5)"},
    }
    tables = {
        "Table 1": {"parameters": {"vit": cell("148,170", 148170), "resnet": cell("78,042", 78042)}}
    }
    claims = [claim("A", "supported"), claim("B", "undecided"), claim("C", "mixed")]
    journal = Journal(tmp_path / "journal")
    journal.seconds = {("a", "a"): 60.0, ("b", "b"): 120.0}
    paper = {"headline": headline, "tables": tables, "claims": claims}
    return Material(FULL, paper, journal, "CIFAR-10 as published", "2026-11-28", 512)


def test_five_numbers(material):
    rows = headline_table(material).splitlines()
    assert rows[0] == "| | accuracy, % (2,000 test samples) | λ_max |"
    assert rows[2] == "| vit | 40 ± 1 | > 12.0 ± 2.0 (n = 5) |"
    assert rows[4] == "| mixer | 42 ± 1 | – |"


def test_verdicts_are_counted(material):
    assert claims_summary(material) == (
        "Of the paper's 3 claims: 1 supported, 1 mixed, 1 undecided."
    )


def test_what_the_readme_says(material):
    headline = material.paper["headline"]
    headline["λ_max"] |= {label: f"{k} ± 0.5" for k, label in enumerate(RELEASED)}
    block = " ".join(readme_block(material).split())
    assert "vit 0 ± 0.5, with SAM 1 ± 0.5; mixer 2 ± 0.5, with SAM 3 ± 0.5; resnet 4" in block
    assert claims_summary(material) in block
    picture = re.search(r"^!\[.*?\]\((.*?)\)", block)
    assert picture is not None
    assert (ROOT / picture[1]).is_file()
    assert (ROOT / "docs" / f"{NAME}.md").is_file()


def test_a_single_run_is_under_its_own_label(material):
    assert material.cells({"vit/seed-0": "alone", "mixer": "mean"})[:4] == [
        *("alone", None),
        *("mean", None),
    ]


def test_the_page(material, tmp_path):
    write_document(material, tmp_path / "page.md", "pictures")
    page = (tmp_path / "page.md").read_text()
    assert headline_table(material) in page
    assert "**Supported**: A (Table 1)\n  - supported: why A" in page
    assert "3 minutes of one core" in " ".join(page.split())
    assert "have 78,042 to\n  148,170." in page
    assert "| parameters | 148,170 | – | – | – | 78,042 |" in page
    pictures = re.findall(r"\]\(pictures/(.*?)\)", page)
    assert len(pictures) == len(set(pictures)) == len(PICTURES)
    for network in NETWORKS:
        assert (
            f"| {network.label} | {network.rho:g} | {network.epochs} | `{network.flags}` |" in page
        )

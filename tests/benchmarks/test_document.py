"""The page of the miniature: its numbers are those of the files that it is made from."""

import re

import pytest

from benchmarks.paper.document import Material, claims_summary, headline_table, write_document
from benchmarks.paper.plan import FULL, NETWORKS
from benchmarks.paper.steps import Journal


def of_runs(*values, **others):
    mean = sum(values) / len(values)
    spread = (
        (sum((v - mean) ** 2 for v in values) / (len(values) - 1)) ** 0.5 if values[1:] else None
    )
    known = {"error": 0.5, "caveat": "", "setting": "", **others}
    runs = [{"value": value, **known} for value in values]
    return {"mean": mean, "standard_deviation": spread, "runs": runs}


def claim(statement, outcome):
    comparisons = [{"verdict": outcome, "text": f"why {statement}"}]
    return {"claim": statement, "where": "Table 1", "outcome": outcome, "comparisons": comparisons}


@pytest.fixture
def material(tmp_path):
    accuracy = {network.label: of_runs(39.0, 40.0, 41.0) for network in NETWORKS}
    accuracy["mixer"] = of_runs(30.0)
    tables = {
        "Table 1": {
            "accuracy, %": accuracy,
            "L^N at the largest σ": {"vit": of_runs(1.0, 3.0, setting="σ = 0.04")},
            "λ_max of the Hessian": {
                "vit": of_runs(10.0, 12.0, 14.0),
                "mixer": of_runs(7.0, 8.0, caveat="a lower bound decides nothing"),
                "resnet": {"mean": None, "standard_deviation": None, "runs": []},
            },
        }
    }
    claims = [claim("A", "supported"), claim("B", "undecided"), claim("C", "mixed")]
    journal = Journal(tmp_path / "journal")
    journal.seconds = {("a", "a"): 60.0, ("b", "b"): 120.0}
    paper = {"tables": tables, "claims": claims}
    return Material(FULL, paper, journal, "CIFAR-10 as published", "2026-11-28", 512)


def test_five_numbers(material):
    rows = headline_table(material).splitlines()
    assert rows[0] == "| | accuracy, % | λ_max | L^N (σ = 0.04) |"
    assert rows[2] == "| vit | 40.0 ± 1.0 | 12.0 ± 2.0 | 2.0 ± 1.4 |"
    assert rows[4] == "| mixer | 30.00 ± 0.50 | > 7.50 ± 0.71 | – |"
    assert rows[6] == "| resnet | 40.0 ± 1.0 | – | – |"


def test_verdicts_are_counted(material):
    assert claims_summary(material) == (
        "Of the paper's 3 claims: 1 supported, 1 mixed, 1 undecided."
    )


def test_a_single_run_is_under_its_own_label(material):
    row = {"vit/seed-0": of_runs(1.0)}
    assert material.measured(row, NETWORKS[0]) == of_runs(1.0)
    assert material.measured(row, NETWORKS[1]) is None


def test_the_page(material, tmp_path):
    write_document(material, tmp_path / "page.md", "pictures")
    page = (tmp_path / "page.md").read_text()
    assert headline_table(material) in page
    assert "**Supported**: A (Table 1)\n  - supported: why A" in page
    assert "3 minutes of one core" in " ".join(page.split())
    pictures = re.findall(r"\]\(pictures/(.*?)\)", page)
    assert len(pictures) == len(set(pictures)) == 5
    for network in NETWORKS:
        assert (
            f"| {network.label} | {network.rho:g} | {network.epochs} | `{network.flags}` |" in page
        )

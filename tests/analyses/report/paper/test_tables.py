"""The paper's tables with planted networks, and what is missing."""

import shlex

import numpy as np
import pytest
from scipy import stats

from analyses.command.arguments import build_parser
from analyses.command.repetition import plot_command
from analyses.report.paper.missing import find_missing
from analyses.report.paper.reported import as_reported, trained_with_sam
from analyses.report.paper.subjects import Network, Run, networks
from analyses.report.paper.summary import summarise
from analyses.report.paper.tables import HEADLINE, headline, paper_tables
from landscape.models.catalog import resolve_model
from tests.analyses.problems import result
from tests.analyses.report.paper.planted import (
    as_components,
    network_of,
    plant_rows,
    planted_network,
    replicates_of,
    spectrum,
)


def origin(name, rho=None, **others):
    spec = resolve_model(name, others)
    training = None if rho is None else {"rho": rho}
    return {"model": spec.name, "model_args": dict(spec.arguments), "training": training}


def test_the_papers_own_networks_are_known_by_their_sizes():
    assert as_reported(origin("vit-b16", 0.0), "sharpness") == "738.8"
    assert as_reported(origin("vit-b16", 0.2), "sharpness") == "20.9"
    assert as_reported(origin("vit-b16"), "sharpness") == "738.8 plain, 20.9 sam"
    assert as_reported(origin("mixer-b16", 0.0), "kappa") == "14468.0"
    assert as_reported(origin("resnet152", 0.0), "parameters") == "60M"
    assert as_reported(origin("resnet152", 0.0), "embedding") == ""
    assert as_reported({"model": "timm:vit_base_patch16_224.sam_in1k"}, "accuracy") == "79.9"


@pytest.mark.parametrize(
    "other",
    [
        origin("vit-b16", 0.0, num_classes=10),
        origin("vit-b32", 0.0),
        origin("vit-b16", 0.0, image_size=384),
        {"model": "timm:vit_base_patch32_224"},
        {"model": "timm:resnet152d"},
        {"model": "timm:vit_base_patch16_224", "model_args": {"num_classes": 7}},
        {"model": "mine.py:make"},
        {},
    ],
)
def test_other_networks_have_no_reported_numbers(other):
    assert as_reported(other, "sharpness") == ""


def test_whether_sam_trained_a_network():
    assert trained_with_sam({"training": {"rho": 0.1}}) is True
    assert trained_with_sam({"training": {"rho": 0}}) is False
    assert trained_with_sam({"model": "timm:vit_base_patch16_sam_224"}) is True
    assert trained_with_sam({"model": "timm:samvit_base_patch16"}) is None
    assert trained_with_sam({}) is None


def test_rows_and_cells():
    members = [
        network_of("vit", "vit", 0.0, 4.0, 0.5),
        Network(
            "bare",
            (Run("bare", {"components": as_components(spectrum("bare", "vit", 0.0, 2.0, 0.25))}),),
        ),
    ]
    tables = paper_tables(members)
    assert [caption[:7] for caption in tables] == ["Table 1", "Table 3", "Table 5"]
    rows = {row.title: row for row in tables["Table 1: geometry and generalisation"]}
    assert [cell.text for cell in rows["parameters"].cells] == ["83", "83"]
    assert [cell.text for cell in rows["λ_max of the Hessian"].cells] == [
        "4.00 ± 0.50",
        "2.00 ± 0.25",
    ]
    assert rows["training loss at w, L_train"].cells[1].text == "–"
    assert "softmax cross-entropy at w" in rows["training loss at w, L_train"].method
    assert "25 train samples" in rows["λ_max of the Hessian"].method
    assert "accuracy, %" not in rows
    blocks = {row.title: row for row in tables["Table 3: components"]}
    values = [
        blocks[f"λ_max, {place} block"].cells[0].measurement.mean
        for place in ("first", "middle", "last")
    ]
    assert values == [1.5, 1.0, 0.5]
    assert blocks["λ_max, embedding"].cells[0].measurement.first.error == pytest.approx(
        np.hypot(3e-3, 0.1)
    )


def test_a_report_begins_with_five_numbers_that_were_measured(monkeypatch):
    plant_rows(monkeypatch)

    def titles(*missing):
        names = [name for name in HEADLINE if name not in missing]
        member = planted_network("vit", "vit", 0.0, {0: dict.fromkeys(names, (1.0, 0.1))})
        return [row.title for row in headline([member])]

    shown = list(HEADLINE.values())
    assert titles() == shown[:5]
    assert titles("accuracy", "corruption_accuracy") == shown[2:]
    assert titles(*HEADLINE) == []


def test_the_first_numbers_say_on_what_they_were_measured():
    (sharpness, loss) = headline([network_of("vit", "vit", 0.0, 4.0, 0.5)])
    assert sharpness.title == "λ_max"
    assert sharpness.cells[0].text == "4.00 ± 0.50"
    assert sharpness.conditions == loss.conditions == "25 train samples"
    results = {"flatness": [result("flatness")]}
    (noisy,) = headline(networks(results))
    assert noisy.conditions == "σ = 0.05, 25 train samples"


def test_what_is_missing_is_named_with_its_command(tmp_path):
    words = ["report", "a/vit", "--data", "digits", "--samples", "64", "--split", "train"]
    words += ["--mean", "0.1", "0.2", "--skip-corrupt", "--output-dir", str(tmp_path)]
    arguments = build_parser().parse_args(words)
    vit = network_of("vit", "vit", 0.0, checkpoint="a/vit/last.pt")
    reasons = {("vit", "attention"): "it has no attention"}
    found = find_missing(
        [vit], reasons, lambda name, members: plot_command(arguments, name, members)
    )
    by_name = {one.analysis: one for one in found}
    assert by_name["attention"].reason == "it has no attention"
    assert by_name["attention"].command == ""
    assert by_name["linearity"].labels == ("vit",)
    assert "hessian" not in by_name
    command = shlex.split(by_name["linearity"].command)
    again = build_parser().parse_args(command[1:])
    assert again.analysis == "linearity"
    assert again.checkpoints == ["vit=a/vit/last.pt"]
    assert (again.data, again.samples, again.mean) == ("digits", 64, [0.1, 0.2])
    assert again.skip_corrupt
    assert again.output_dir == tmp_path


def test_a_cell_of_several_runs_has_their_mean_deviation_and_number():
    (tables,) = [paper_tables([replicates_of("vit", "vit", 0.0, [3.0, 4.0, 8.0], 0.5)])]
    rows = {row.title: row for row in tables["Table 1: geometry and generalisation"]}
    assert rows["λ_max of the Hessian"].cells[0].text == "5.0 ± 2.6 (n = 3)"
    assert rows["parameters"].cells[0].text == "83"


def test_the_summary_as_json_has_every_runs_number_with_its_error():
    results = {"hessian": [spectrum(f"vit/seed-{k}", "vit", 0.0, 4.0 + k, 0.5) for k in range(2)]}
    content = summarise(results, {}, lambda *_: "a command").plain()
    cell = content["tables"]["Table 1: geometry and generalisation"]["λ_max of the Hessian"]["vit"]
    assert cell["mean"] == 4.5
    assert cell["standard_deviation"] == pytest.approx(0.5**0.5)
    assert [(run["run"], run["seed"], run["value"], run["error"]) for run in cell["runs"]] == [
        ("vit/seed-0", 0, 4.0, 0.5),
        ("vit/seed-1", 1, 5.0, 0.5),
    ]
    assert cell["as_reported"] is None
    assert {entry["command"] for entry in content["missing"]} == {"a command"}


def test_the_summary_as_json_has_the_test_of_a_comparison():
    results = {
        "hessian": [
            spectrum(f"{label}/seed-{k}", "vit", rho, value, 0.0)
            for label, rho, values in (("v", 0.0, (4.0, 5.0, 4.5)), ("v-sam", 0.1, (1.0, 1.1, 1.0)))
            for k, value in enumerate(values)
        ]
    }
    content = summarise(results, {}, lambda *_: "").plain()
    (comparison,) = [
        each
        for claim in content["claims"]
        if "flatter minima" in claim["claim"]
        for each in claim["comparisons"]
    ]
    expected = stats.ttest_rel(np.log([1.0, 1.1, 1.0]), np.log([4.0, 5.0, 4.5]))
    assert comparison["p"] == pytest.approx(expected.pvalue)
    assert comparison["degrees_of_freedom"] == pytest.approx(2)
    assert comparison["is_paired"] is True
    assert comparison["scale"] == "logarithm"
    assert comparison["p_after_holm"] >= comparison["p"]

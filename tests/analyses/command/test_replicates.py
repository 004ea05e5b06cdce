"""Replicates from the training to the page, as a user would ask for them."""

import csv
import json
import shutil

import pytest

from analyses.report.paper.comparisons import ONE_RUN
from landscape import cli as train_cli
from tests.analyses.command.words import SMALL
from tests.analyses.written import headline
from tests.commands import content, status_of
from tests.once import make_once

ONLY = ("hessian", "norms", "curves", "attention", "robustness")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folders vit and vit-sam with two seeds each."""
    words = ("--model", "vit-tiny", "--model-args", "depth=1", "dim=8", "--data", "digits")
    words = (*words, "--epochs", "1", "-b", "512", "--lr", "0.01", "--quiet", "--seeds", "0", "1")

    def make(folder):
        for name, rho in (("vit", "0"), ("vit-sam", "0.1")):
            run = ("--rho", rho, "--output-dir", folder / name)
            assert status_of(train_cli.main, *words, *run) == 0

    return make_once(tmp_path_factory, "seeds", make)


@pytest.fixture(scope="module")
def reported(trained, tmp_path_factory):
    """The folder of a report of both."""
    from analyses import cli

    def make(folder):
        words = ("report", trained / "vit", f"sam={trained / 'vit-sam' / 'seed-*'}")
        words = (*words, "--only", ",".join(ONLY), *SMALL["report"], "--components", "none")
        words = (*words, "--probes", "0", "--format", "png,md")
        assert status_of(cli.main, *words, "--output-dir", folder) == 0

    return make_once(tmp_path_factory, "replicates", make)


def test_each_replicate_has_its_own_results(reported):
    names = content(reported)
    for folder in ("vit/seed-0", "vit/seed-1", "sam/seed-0", "sam/seed-1"):
        for name in ONLY:
            assert f"{folder}/{name}.h5" in names
    assert headline(reported, "sam/seed-1", "norms")["label"] == "sam/seed-1"


def test_the_page_shows_them_together(reported):
    page = (reported / "report.md").read_text()
    assert page.count("| vit, mean ± SD of 2 runs |") == page.count("| sam, mean ± SD of 2 runs |")
    assert page.count("| vit, mean ± SD of 2 runs |") > len(ONLY)
    assert "(n = 2), sam" in page
    assert "paired t(1) = " in page
    assert ONE_RUN not in page
    assert "4 checkpoints" in page


def test_the_numbers_have_a_row_for_each_replicate(reported):
    with (reported / "report.csv").open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    norms = {
        row["run"]: row for row in rows if (row["analysis"], row["quantity"]) == ("norms", "‖w‖")
    }
    assert [(row["network"], row["seed"]) for row in norms.values()] == [
        ("vit", "0"),
        ("vit", "1"),
        ("sam", "0"),
        ("sam", "1"),
    ]
    of_spectrum = {
        row["quantity"]: row
        for row in rows
        if (row["analysis"], row["run"]) == ("hessian", "sam/seed-1")
    }
    headlines = headline(reported, "sam/seed-1", "hessian")
    for end in ("lambda_max", "lambda_min"):
        written = float(of_spectrum[f"{end}.eigenvalue"]["value"])
        assert written == headlines[end]["eigenvalue"]
    assert float(of_spectrum["eigenvalues[1]"]["value"]) == headlines["eigenvalues"][1]
    assert float(of_spectrum["loss"]["error"]) == headlines["loss_stderr"]
    assert "loss_stderr" not in of_spectrum
    stored = json.loads((reported / "report.json").read_text())
    assert set(stored["norms"]) == set(norms)
    cell = stored["paper"]["tables"]["Table 3: components"]["‖w‖"]["vit"]
    assert [run["value"] for run in cell["runs"]] == [
        float(norms[f"vit/seed-{seed}"]["value"]) for seed in (0, 1)
    ]


def test_results_are_drawn_again_in_their_groups(done, reported, tmp_path):
    files = sorted(reported.glob("*/*/norms.h5"))
    assert len(files) == 4
    done("norms", *files, "--format", "md", "--output-dir", tmp_path)
    page = (tmp_path / "norms.md").read_text()
    assert "| vit, mean ± SD of 2 runs |" in page
    assert "| sam, mean ± SD of 2 runs |" in page


def test_runs_in_folders_of_any_name_are_found_to_be_replicates(plot, trained, tmp_path):
    for seed in (0, 1):
        shutil.copytree(trained / "vit" / f"seed-{seed}", tmp_path / f"run{seed}")
    words = ("--samples", "48", "--format", "md", "--output-dir", tmp_path / "figures")
    status, _, err = plot("norms", tmp_path / "run0", tmp_path / "run1", *words)
    assert status == 0
    assert "run0, run1 are replicates, trained alike but for the seed: shown as run" in err
    assert (tmp_path / "figures" / "run1" / "norms.h5").is_file()
    assert "| run, mean ± SD of 2 runs |" in (tmp_path / "figures" / "norms.md").read_text()


def test_one_run_of_each_decides_nothing(done, trained, tmp_path):
    runs = [trained / name / "seed-0" for name in ("vit", "vit-sam")]
    words = ("--only", "norms", "--samples", "48", "--format", "md")
    done("report", *runs, *words, "--output-dir", tmp_path)
    claims = json.loads((tmp_path / "report.json").read_text())["paper"]["claims"]
    assert {claim["verdict"] for claim in claims} == {"not measured", ONE_RUN}


def test_networks_of_several_architectures_are_no_replicates(refused, trained, runs, tmp_path):
    words = ("norms", f"a={trained / 'vit' / 'seed-0'}", f"a={runs[0]}")
    said = refused(*words, "--samples", "48", "--output-dir", tmp_path / "figures")
    assert "plain is of another architecture than the other replicates of 'a'" in said
    assert not (tmp_path / "figures").exists()

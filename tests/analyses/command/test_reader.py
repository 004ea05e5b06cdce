"""Checkpoints of the command line: the paths that words stand for, and their labels."""

import pytest

from analyses.command.checkpoints import parse_checkpoints
from landscape.checkpoints.run import RunDirectory


@pytest.fixture
def run(tmp_path):
    """A run in a folder whose name could be that of an epoch."""
    run = RunDirectory(tmp_path / "0007")
    run.path.mkdir()
    run.write_config({})
    run.save_epoch(0, {})
    run.save_epoch(10, {})
    return run


@pytest.mark.parametrize(
    ("below", "label"),
    [
        (".", "0007"),
        ("last.pt", "0007"),
        ("best.pt", "0007"),
        ("epochs/0000.pt", "0007-0000"),
        ("epochs/0010.pt", "0007-0010"),
        ("epochs/other.pt", "other"),
    ],
)
def test_the_default_label_of_what_is_in_a_run(run, below, label):
    (subject,) = parse_checkpoints([str(run.path / below)])
    assert (subject.label, subject.path) == (label, run.path / below)


def test_a_kept_epoch_named_from_its_own_folder(run, monkeypatch):
    monkeypatch.chdir(run.path / "epochs")
    assert [subject.label for subject in parse_checkpoints(["0000.pt", "0010.pt"])] == [
        "0007-0000",
        "0007-0010",
    ]


def test_a_file_of_no_run_is_labelled_by_its_name(tmp_path):
    (tmp_path / "epochs").mkdir()
    assert parse_checkpoints([str(tmp_path / "epochs" / "0010.pt")])[0].label == "0010"


@pytest.fixture
def seeds(tmp_path, monkeypatch):
    """Runs of ten seeds in the folder vit, from where they are."""
    for seed in range(11):
        RunDirectory(tmp_path / "vit" / f"seed-{seed}").path.mkdir(parents=True)
        RunDirectory(tmp_path / "vit" / f"seed-{seed}").write_config({})
    monkeypatch.chdir(tmp_path)


def labels_of(*words, **functions):
    return [given.label for given in parse_checkpoints(words, **functions)]


def test_a_folder_of_seeds_stands_for_all_of_them(seeds):
    expected = [f"vit/seed-{seed}" for seed in range(11)]
    assert labels_of("vit") == expected
    assert labels_of("vit/seed-*") == expected
    assert labels_of("mine=vit") == [label.replace("vit", "mine") for label in expected]
    assert [str(given.path) for given in parse_checkpoints(["mine=vit/seed-[89]"])] == [
        "vit/seed-8",
        "vit/seed-9",
    ]


def test_a_single_replicate(seeds):
    assert labels_of("vit/seed-3") == ["vit/seed-3"]
    assert labels_of("mine=vit/seed-3") == ["mine"]
    assert labels_of("mine/a=vit/seed-3") == ["mine/a"]
    assert labels_of("vit/seed-3/last.pt") == ["vit/seed-3"]
    assert labels_of("vit/seed-3/epochs/0010.pt") == ["vit-0010/seed-3"]


def test_one_label_several_times_names_replicates(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in (
        "x.pt",
        "y.pt",
        "one/model.pt",
        "two/model.pt",
        "one/sub/model.pt",
        "sub/model.pt",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert labels_of("a=x.pt", "b=x.pt", "a=y.pt") == ["a/x", "b", "a/y"]
    assert labels_of("a=one/model.pt", "a=two/model.pt") == ["a/one", "a/two"]
    assert labels_of("a=one/sub/model.pt", "a=sub/model.pt") == ["a/1", "a/2"]


def test_results_of_several_analyses_under_one_label_are_of_one_network(tmp_path):
    kinds = {"h.h5": "hessian", "s.h5": "sparsity", "h2.h5": "hessian"}
    functions = {"kind_of": lambda path: kinds[path.name], "label_of": lambda path: path.stem}
    assert labels_of("a=h.h5", "a=s.h5", **functions) == ["a", "a"]
    assert labels_of("a=h.h5", "a=s.h5", "a=h2.h5", **functions) == ["a/h", "a/s", "a/h2"]
    stored = {"h.h5": "vit/seed-0", "s.h5": "vit/seed-0", "h2.h5": "vit/seed-1"}
    functions["label_of"] = lambda path: stored[path.name]
    given = labels_of("a=h.h5", "a=s.h5", "a=h2.h5", **functions)
    assert given == ["a/seed-0", "a/seed-0", "a/seed-1"]


def test_a_pattern_that_matches_nothing_stays_a_path(tmp_path):
    (given,) = parse_checkpoints([f"a={tmp_path}/none-*"])
    assert given.path == tmp_path / "none-*"

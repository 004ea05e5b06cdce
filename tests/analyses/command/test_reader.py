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

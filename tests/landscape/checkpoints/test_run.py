import errno
import json
import math
import os
import resource

import pytest
import torch

from landscape.checkpoints.run import (
    BEST,
    CONFIG,
    EPOCHS,
    EVALUATION,
    LAST,
    METRIC_COLUMNS,
    METRICS,
    RELEASED_WEIGHTS,
    RunDirectory,
    run_of,
)
from landscape.errors import InputError, SaveError

PLAIN = {"model": {"name": "vit", "arguments": {"layers": [1, 2]}}, "data": {"data": "digits"}}
# How the temporary file of a process ends that is no more: there are no numbers so high.
LEFT = ".99999999-0a1b2c3d.part"


@pytest.fixture
def run(tmp_path):
    return RunDirectory(tmp_path)


def row(epoch):
    return {name: epoch + k / 8 for k, name in enumerate(METRIC_COLUMNS)} | {"epoch": epoch}


def names(run):
    return sorted(path.name for path in run.path.iterdir())


def test_config_round_trip(run):
    assert not run.exists()
    run.write_config(PLAIN)
    assert run.exists()
    assert run.read_config() == PLAIN
    assert names(run) == [CONFIG]


def test_a_folder_without_a_config_is_no_run(run):
    with pytest.raises(InputError, match="is not a run directory: it has no config.json"):
        run.read_config()


def test_a_pipe_in_place_of_a_config_is_not_waited_for(run):
    os.mkfifo(run.path / CONFIG)
    with pytest.raises(InputError, match="config.json is no regular file"):
        run.read_config()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "config.json is damaged"),
        (b'{"model": {', "config.json is damaged"),
        (b"\xff\xfe{}", "config.json is damaged"),
        (b"[]", "config.json is damaged: expected an object, got list"),
        (b"{}", "has no model and data entries"),
        (b'{"model": {}}', "has no model and data entries"),
    ],
)
def test_a_damaged_config_is_refused(run, content, message):
    (run.path / CONFIG).write_bytes(content)
    with pytest.raises(InputError, match=message):
        run.read_config()


def test_metrics_round_trip(run):
    assert run.read_metrics() == []
    rows = [row(1.0), row(2.0) | {"val_loss": math.nan, "grad_norm": math.inf}]
    run.write_metrics(rows)
    read = run.read_metrics()
    assert read[0] == rows[0]
    assert math.isnan(read[1].pop("val_loss"))
    rows[1].pop("val_loss")
    assert read[1] == rows[1]
    assert (run.path / METRICS).read_text().splitlines()[0] == ",".join(METRIC_COLUMNS)
    assert (run.path / METRICS).read_text().splitlines()[1].startswith("1,1.125,")


def test_metrics_lose_no_digits(run):
    rows = [row(1) | {"train_loss": 0.1 + 0.2, "lr": 1e-17 / 3}]
    run.write_metrics(rows)
    assert run.read_metrics() == rows


@pytest.mark.parametrize("name", [LAST, BEST])
def test_state_round_trip(run, name):
    state = {"model": {"w": torch.randn(3, 2)}, "epoch": 4, "optimizer": {"state": {}}}
    run.save(name, state)
    read = run.load(name)
    assert torch.equal(read["model"]["w"], state["model"]["w"])
    assert read["epoch"] == 4
    assert names(run) == [name]


def test_a_missing_state_is_refused(run):
    with pytest.raises(InputError, match="no such checkpoint: .*last.pt"):
        run.load(LAST)


def test_a_truncated_state_is_refused(run):
    run.save(LAST, {"model": {"w": torch.randn(100)}})
    content = (run.path / LAST).read_bytes()
    (run.path / LAST).write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match="last.pt is truncated"):
        run.load(LAST)


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), OSError(errno.ENOSPC, "disk full")], ids=["^C", "disk"]
)
@pytest.mark.parametrize("older", [True, False], ids=["over an old file", "for the first time"])
def test_an_interrupted_save_leaves_what_was_there(run, monkeypatch, error, older):
    if older:
        run.save(LAST, {"model": {"w": torch.ones(3)}, "epoch": 1})
    before = {path.name: path.read_bytes() for path in run.path.iterdir()}
    assert list(before) == ([LAST] if older else [])
    written = []

    def interrupted(_state, file):
        written.append(file.write(b"PK\x03\x04 half of it"))
        raise error

    monkeypatch.setattr(torch, "save", interrupted)
    expected = SaveError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected) as raised:
        run.save(LAST, {"model": {"w": torch.zeros(3)}, "epoch": 2})
    assert written == [15]
    if expected is SaveError:
        assert f"{run.path / LAST} can't be written: disk full" in str(raised.value)
        assert ("the one that was there is intact" in str(raised.value)) == older
    assert {path.name: path.read_bytes() for path in run.path.iterdir()} == before
    if older:
        assert run.load(LAST)["epoch"] == 1


def test_an_unserialisable_config_leaves_what_was_there(run):
    run.write_config(PLAIN)
    with pytest.raises(TypeError):
        run.write_config({**PLAIN, "when": object()})
    assert run.read_config() == PLAIN
    assert names(run) == [CONFIG]


def test_files_get_the_usual_permissions(run):
    umask = os.umask(0o022)
    try:
        run.write_config(PLAIN)
        run.save(LAST, {"epoch": 1})
    finally:
        os.umask(umask)
    for name in (CONFIG, LAST):
        assert (run.path / name).stat().st_mode & 0o777 == 0o644


def test_config_is_readable_by_a_person(run):
    run.write_config(PLAIN)
    text = (run.path / CONFIG).read_text()
    assert text.endswith("}\n")
    assert len(text.splitlines()) > 5
    assert json.loads(text) == PLAIN


def test_kept_epochs_are_in_order(run):
    assert run.epochs() == []
    for epoch in (10, 0, 12345, 9):
        run.save_epoch(epoch, {"w": torch.full((2,), float(epoch))})
    for name in ("note.txt", "best.pt", "10.pt", ".0011.pt.1-ab.pt"):
        (run.path / EPOCHS / name).touch()
    files = ["0000.pt", "0009.pt", "0010.pt", "12345.pt"]
    epochs = [0, 9, 10, 12345]
    expected = [run.path / EPOCHS / name for name in files]
    assert run.epochs() == list(zip(epochs, expected, strict=True))
    for epoch, file in run.epochs():
        state = torch.load(file, weights_only=True)
        assert set(state) == {"epoch", "model"}
        assert state["epoch"] == epoch
        assert torch.equal(state["model"]["w"], torch.full((2,), float(epoch)))


def test_the_same_weights_are_the_same_file(run):
    contents = set()
    for _ in range(2):
        run.save_epoch(3, {"w": torch.arange(5.0)})
        contents.add((run.path / EPOCHS / "0003.pt").read_bytes())
    assert len(contents) == 1


def test_an_interrupted_epoch_leaves_what_was_there(run, monkeypatch):
    run.save_epoch(0, {"w": torch.ones(3)})
    before = run.epochs()[0][1].read_bytes()

    def interrupted(_state, stream):
        stream.write(b"PK\x03\x04 half of it")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", interrupted)
    for epoch in (0, 1):
        with pytest.raises(KeyboardInterrupt):
            run.save_epoch(epoch, {"w": torch.zeros(3)})
    assert [path.name for path in (run.path / EPOCHS).iterdir()] == ["0000.pt"]
    assert run.epochs()[0][1].read_bytes() == before


def test_sweeping_removes_leftovers_and_nothing_else(run):
    run.save_epoch(10, {})
    mine = [run.path / EPOCHS / name for name in (".notes", "notes.txt", ".0010.pt.swp")]
    mine += [run.path / name for name in (".metrics.csv.swp", ".config.json.old", ".last.pt.mine")]
    names = (LAST, METRICS, EVALUATION, RELEASED_WEIGHTS, f"{EPOCHS}/0010.pt")
    finished = [run.path / name for name in names]
    leftovers = [path.with_name(f".{path.name}{LEFT}") for path in finished]
    for path in (*mine, *leftovers):
        path.touch()
    run.sweep()
    assert not any(path.exists() for path in leftovers)
    assert all(path.exists() for path in mine)
    assert [epoch for epoch, _ in run.epochs()] == [10]


@pytest.mark.parametrize("foreign", [True, False])
def test_clearing_leaves_the_configuration_and_what_is_not_the_runs_own(run, foreign):
    run.write_config(PLAIN)
    run.write_metrics([row(1)])
    for name in (LAST, BEST):
        run.save(name, {})
    run.save_epoch(10, {})
    (run.path / EPOCHS / f".0020.pt{LEFT}").touch()
    if foreign:
        (run.path / EPOCHS / "notes.txt").touch()
    run.clear()
    assert names(run) == ([CONFIG, EPOCHS] if foreign else [CONFIG])
    if foreign:
        assert [path.name for path in (run.path / EPOCHS).iterdir()] == ["notes.txt"]


def test_the_run_that_a_file_belongs_to(run, tmp_path, monkeypatch):
    file = run.path / EPOCHS / "0010.pt"
    assert run_of(file) is None
    run.write_config(PLAIN)
    run.save_epoch(10, {})
    for path in (run.path, run.path / LAST, run.path / BEST, file):
        assert run_of(path) == run
    for unrelated in (run.path / "0010.pt", file.with_name("10.pt"), file.with_name(LAST)):
        assert run_of(unrelated) is None
    monkeypatch.chdir(run.path / EPOCHS)
    assert run_of(type(file)("0010.pt")) == run


def test_a_full_disk_is_named_as_the_cause(run):
    """torch itself reports a broken file, not why."""
    state = {"model": {"w": torch.randn(200_000)}}
    run.save(LAST, state)
    before = (run.path / LAST).read_bytes()
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limit[1]))
    try:
        with pytest.raises(SaveError, match=r"File too large; the one that was there is intact"):
            run.save(LAST, {"model": {"w": torch.randn(300_000)}})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert (run.path / LAST).read_bytes() == before
    assert names(run) == [LAST]

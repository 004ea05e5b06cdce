"""A training that is killed or stopped ends as one that never was, to the bit."""

from dataclasses import replace
from itertools import product

import pytest
import torch

from landscape.checkpoints.run import LAST, RunDirectory
from landscape.errors import InputError
from landscape.training import loop
from landscape.training.interruption import StopRequest, StopRequested
from landscape.training.loop import train
from landscape.training.optimizer import make_optimizer
from landscape.training.step import Stepper
from tests.landscape.training.runs import (
    PLAIN,
    Killed,
    assert_same,
    assert_same_run,
    make,
    restarted,
    without_time,
)
from tests.profile import IS_FULL, repeats

# What makes a training hard to continue: dropout, SAM's two passes, augmentation, BatchNorm, and
# all that has a state of its own.
EVERYTHING = {
    "vit": ("vit-tiny", {"dropout": 0.1, "depth": 2}, replace(PLAIN, rho=0.1, augment="crop-flip")),
    "resnet": ("resnet-tiny", {}, replace(PLAIN, opt="sgd", rho=0.05, augment="crop-flip")),
    "looksam": (
        "vit-tiny",
        {"dropout": 0.1, "depth": 1},
        replace(
            PLAIN,
            rho=0.1,
            sam="looksam",
            sam_every=2,
            ema=0.9,
            accumulate=2,
            mixup=0.5,
            randaugment=(1.0, 10.0),
            augment="inception",
        ),
    ),
    "contrastive": (
        "mixer-tiny",
        {"depth": 1},
        replace(PLAIN, task="contrastive", augment="crop-flip", rho=0.1, sam="gsam"),
    ),
}


@pytest.fixture(scope="module", params=sorted(EVERYTHING))
def unbroken(request, data, tmp_path_factory):
    """Settings, and the state and rows of a training that was never stopped."""
    name, arguments, settings = EVERYTHING[request.param]
    run = RunDirectory(tmp_path_factory.mktemp(request.param))
    rows = train(make(name, **arguments), *data, settings, run)
    return (name, arguments, settings), run, rows


@pytest.mark.parametrize("operation", range(1, 8, repeats(quick=6, full=1)))
def test_a_run_killed_between_any_two_writes_is_resumed_to_the_same_bits(
    operation, unbroken, data, run, monkeypatch
):
    (name, arguments, settings), unbroken_run, unbroken_rows = unbroken
    left = [operation]

    def until_killed(method):
        def write(*words):
            left[0] -= 1
            if left[0] == 0:
                raise Killed
            method(*words)

        return write

    with monkeypatch.context() as patch:
        patch.setattr(RunDirectory, "save", until_killed(RunDirectory.save))
        patch.setattr(RunDirectory, "write_metrics", until_killed(RunDirectory.write_metrics))
        with pytest.raises(Killed):
            train(make(name, **arguments), *data, settings, run)
    model = restarted(run, name, arguments)
    rows = train(model, *data, settings, run, resume=True)
    assert without_time(rows) == without_time(unbroken_rows)
    assert_same_run(run, unbroken_run)


@pytest.mark.parametrize("step", [1, 4, 5, 8] if IS_FULL else [5])
def test_a_run_killed_in_the_middle_of_an_epoch_is_resumed_to_the_same_bits(
    step, unbroken, data, run, monkeypatch
):
    (name, arguments, settings), unbroken_run, _ = unbroken
    left, take_step = [step], Stepper.step

    def until_killed(*words):
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        return take_step(*words)

    with monkeypatch.context() as patch:
        patch.setattr(Stepper, "step", until_killed)
        with pytest.raises(Killed):
            train(make(name, **arguments), *data, settings, run)
    assert len(run.read_metrics()) == step // 3
    train(restarted(run, name, arguments), *data, settings, run, resume=True)
    assert_same_run(run, unbroken_run)


@pytest.mark.parametrize("step", [1, 2, 3, 5, 8] if IS_FULL else [5])
def test_a_run_that_is_asked_to_stop_saves_and_goes_on_at_the_step(
    step, unbroken, data, run, monkeypatch
):
    (name, arguments, settings), unbroken_run, _ = unbroken
    request, left, take_step = StopRequest(), [step], Stepper.step

    def until_asked(*words):
        left[0] -= 1
        if left[0] == 0:
            request.handle(15, None)
        return take_step(*words)

    with monkeypatch.context() as patch:
        patch.setattr(Stepper, "step", until_asked)
        with pytest.raises(StopRequested, match="SIGTERM"):
            train(make(name, **arguments), *data, settings, run, request=request)
    state = run.load(LAST)
    assert (state["epoch"], len(state["records"])) == ((step - 1) // 3, (step - 1) % 3 + 1)
    train(restarted(run, name, arguments), *data, settings, run, resume=True)
    assert_same_run(run, unbroken_run)


def test_a_run_is_saved_within_an_epoch_when_that_is_due(unbroken, data, run, monkeypatch):
    (name, arguments, settings), unbroken_run, _ = unbroken
    saves, save = [], RunDirectory.save

    def note(self, file, state):
        saves.append((file, state["epoch"], len(state.get("records", ()))))
        save(self, file, state)

    monkeypatch.setattr(RunDirectory, "save", note)
    train(make(name, **arguments), *data, replace(settings, save_minutes=1e-9), run)
    assert [save[1:] for save in saves if save[0] == LAST] == [
        *((0, 1), (0, 2), (1, 0)),
        *((1, 1), (1, 2), (2, 0)),
        *((2, 1), (2, 2), (3, 0)),
    ]
    assert_same_run(run, unbroken_run)


def test_resuming_a_finished_run_changes_nothing(unbroken, data):
    (name, arguments, settings), run, rows = unbroken
    before = (run.path / LAST).read_bytes()
    assert train(restarted(run, name, arguments), *data, settings, run, resume=True) == rows
    assert (run.path / LAST).read_bytes() == before


def kept(run):
    return {epoch: file.read_bytes() for epoch, file in run.epochs()}


@pytest.fixture(scope="module")
def unbroken_keeping(unbroken, data, tmp_path_factory):
    """The same training, in which every second of the three epochs is kept."""
    (name, arguments, settings), _, _ = unbroken
    run = RunDirectory(tmp_path_factory.mktemp("keeping"))
    settings = replace(settings, save_every=2)
    train(make(name, **arguments), *data, settings, run)
    return (name, arguments, settings), run


def test_the_initial_network_every_nth_epoch_and_the_last_are_kept(
    unbroken, unbroken_keeping, data, tmp_path
):
    (name, arguments, settings), run = unbroken_keeping
    assert [(epoch, file.name) for epoch, file in run.epochs()] == [
        (0, "0000.pt"),
        (2, "0002.pt"),
        (3, "0003.pt"),
    ]
    states = {epoch: torch.load(file, weights_only=True) for epoch, file in run.epochs()}
    for epoch, state in states.items():
        assert set(state) == {"epoch", "model"}
        assert state["epoch"] == epoch
    assert_same(states[0]["model"], make(name, **arguments).state_dict())
    assert_same(states[3]["model"], run.load(LAST)["model"])
    # Keeping changes nothing; the second epoch is that of any training that gets so far.
    assert_same_run(run, unbroken[1])
    keeping_all = RunDirectory(tmp_path)
    train(make(name, **arguments), *data, replace(settings, save_every=1), keeping_all)
    assert [epoch for epoch, _ in keeping_all.epochs()] == [0, 1, 2, 3]
    assert {epoch: kept(keeping_all)[epoch] for epoch in (0, 2, 3)} == kept(run)


def test_no_epoch_is_kept_unasked(unbroken):
    assert unbroken[1].epochs() == []
    assert not (unbroken[1].path / "epochs").exists()


# Of three epochs: 3 kept, 3 last.pt, 3 metrics.csv and at least one best.pt.
@pytest.mark.parametrize(
    ("operation", "is_written"),
    list(product(range(1, 11), [False, True])) if IS_FULL else [(4, True), (7, False)],
)
def test_a_killed_run_ends_with_the_same_kept_epochs(
    operation, is_written, unbroken_keeping, data, run, monkeypatch
):
    (name, arguments, settings), unbroken_run = unbroken_keeping
    left = [operation]

    def until_killed(method):
        def write(*words):
            left[0] -= 1
            if left[0] == 0 and not is_written:
                raise Killed
            method(*words)
            if left[0] == 0:
                raise Killed

        return write

    with monkeypatch.context() as patch:
        for write in ("save", "save_epoch", "write_metrics"):
            patch.setattr(RunDirectory, write, until_killed(getattr(RunDirectory, write)))
        with pytest.raises(Killed):
            train(make(name, **arguments), *data, settings, run)
    if run.epochs():
        (run.path / "epochs" / ".0002.pt.99999999-0123abcd.part").touch()
    before = kept(run)
    train(restarted(run, name, arguments), *data, settings, run, resume=True)
    assert_same_run(run, unbroken_run)
    assert kept(run) == kept(unbroken_run)
    assert {epoch: kept(run)[epoch] for epoch in before} == before
    assert len(list((run.path / "epochs").iterdir())) == 3


def test_resuming_a_finished_run_leaves_its_kept_epochs(unbroken_keeping, data):
    (name, arguments, settings), run = unbroken_keeping
    before = {file: file.stat().st_mtime_ns for _, file in run.epochs()}
    train(restarted(run, name, arguments), *data, settings, run, resume=True)
    assert {file: file.stat().st_mtime_ns for _, file in run.epochs()} == before


def test_the_batch_statistics_are_part_of_the_run(unbroken):
    (name, _, _), run, _ = unbroken
    buffers = [key for key in run.load(LAST)["model"] if key.endswith("num_batches_tracked")]
    assert bool(buffers) == (name == "resnet-tiny")
    for key in buffers:
        assert run.load(LAST)["model"][key].item() == 9  # three epochs of three steps, once each


def test_a_damaged_last_pt_is_refused_and_kept(data, run):
    train(make(depth=1), *data, replace(PLAIN, epochs=1), run)
    whole = (run.path / LAST).read_bytes()
    (run.path / LAST).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"last\.pt is truncated"):
        train(make(depth=1), *data, PLAIN, run, resume=True)
    assert (run.path / LAST).read_bytes() == whole[: len(whole) // 2]


def test_a_run_that_began_without_fused_steps_goes_on_without_them(
    data, run, tmp_path, monkeypatch
):
    """Earlier versions updated tensor by tensor: their runs keep their bits."""

    def tensor_by_tensor(model, settings):
        optimizer = make_optimizer(model, settings)
        for group in optimizer.param_groups:
            group["fused"] = None
        return optimizer

    unbroken_run, fused_run = (RunDirectory(tmp_path / name) for name in ("unbroken", "fused"))
    for directory in (unbroken_run, fused_run):
        directory.path.mkdir()
    train(make(), *data, PLAIN, fused_run)
    with monkeypatch.context() as patch:
        patch.setattr(loop, "make_optimizer", tensor_by_tensor)
        train(make(), *data, PLAIN, unbroken_run)
        request = StopRequest()
        request.name = "SIGTERM"
        with pytest.raises(StopRequested):
            train(make(), *data, PLAIN, run, request=request)
    train(restarted(run, "vit-tiny", {}), *data, PLAIN, run, resume=True)
    assert_same_run(run, unbroken_run)
    weights, fused = run.load(LAST)["model"], fused_run.load(LAST)["model"]
    assert any(not torch.equal(weights[name], fused[name]) for name in weights)

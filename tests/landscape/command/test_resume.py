"""Interrupted runs are resumed, and by the same settings only."""

import pytest

from landscape.checkpoints.run import RunDirectory
from landscape.training import loop
from landscape.training.command.arguments import build_parser
from landscape.training.command.plan import remembered_plan, requested_plan
from tests.commands import content
from tests.landscape.command.words import (
    FAST,
    FILES,
    KEEPING,
    KEPT,
    SMALL,
    assert_same_weights,
    weights,
)
from tests.profile import some


def interrupt_in_epoch(number, patch):
    """Ctrl-C while the epoch is validated."""
    left, evaluate = [number], loop.evaluate

    def interrupted(*words):
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt
        return evaluate(*words)

    patch.setattr(loop, "evaluate", interrupted)


@pytest.mark.parametrize(
    ("epoch", "again"),
    some([(1, ()), (2, ()), (2, FAST), (2, ("--rho", "0.1", "--quiet"))], 2),
)
def test_an_interrupted_run_is_resumed_to_the_same_bits(
    train, finished, tmp_path, monkeypatch, epoch, again
):
    folder = tmp_path / "run"
    with monkeypatch.context() as patch:
        interrupt_in_epoch(epoch, patch)
        status, out, err = train(*FAST, "--output-dir", folder)
    assert (status, out) == (130, "")
    assert "landscape-train: interrupted; the same command with --resume continues" in err
    assert "Traceback" not in err
    assert len(RunDirectory(folder).read_metrics()) == epoch - 1
    status, out, _ = train(*again, "--resume", "--output-dir", folder)
    assert status == 0
    assert out.partition(": ")[2] == finished[1].stdout.partition(": ")[2]
    assert_same_weights(weights(folder), weights(finished[0]))
    assert_same_weights(weights(folder, "best.pt"), weights(finished[0], "best.pt"))


def test_epochs_are_kept_also_over_an_interruption(train, tmp_path, monkeypatch):
    unbroken, broken = tmp_path / "unbroken", tmp_path / "broken"
    assert train(*KEEPING, "--output-dir", unbroken)[0] == 0
    assert set(content(unbroken)) == FILES | KEPT
    assert RunDirectory(unbroken).read_config()["training"]["save_every"] == 2
    with monkeypatch.context() as patch:
        interrupt_in_epoch(3, patch)
        assert train(*KEEPING, "--output-dir", broken)[0] == 130
    assert set(content(broken)) == FILES | KEPT - {"epochs/0003.pt"}
    assert train("--resume", "--output-dir", broken)[0] == 0
    assert content(broken / "epochs") == content(unbroken / "epochs")


def test_kept_epochs_belong_to_the_run(train, refused, tmp_path):
    """They are neither overwritten unasked nor mixed with those of the run that replaces it."""
    folder = tmp_path / "run"
    assert train(*KEEPING, "--output-dir", folder)[0] == 0
    for name in FILES:
        (folder / name).unlink()
    before = content(folder)
    assert "already holds a run (epochs)" in refused(*KEEPING, "--output-dir", folder)
    assert content(folder) == before
    words = (*SMALL, "--epochs", "1", "-b", "512", "--output-dir", folder, "--force")
    assert train(*words, "--save-every", "5")[0] == 0
    assert set(content(folder)) == FILES | {"epochs/0000.pt", "epochs/0001.pt"}
    assert train(*words)[0] == 0
    assert {path.name for path in folder.iterdir()} == FILES


def test_a_run_from_before_epochs_could_be_kept_is_resumed(train, refused, copied):
    config = RunDirectory(copied).read_config()
    assert config["training"].pop("save_every") == 0
    RunDirectory(copied).write_config(config)
    assert train("--resume", "--output-dir", copied)[0] == 0
    assert "--save-every was 0, is 1" in refused(
        "--save-every", "1", "--resume", "--output-dir", copied
    )


def test_a_run_from_before_there_were_such_settings_is_resumed_as_it_was(train, copied):
    config = RunDirectory(copied).read_config()
    assert config["training"].pop("nesterov") is False
    assert config["training"].pop("mixup_lambda") == "sample"
    del config["samples_per_perturbation"]
    RunDirectory(copied).write_config(config)
    status, _, err = train("--resume", "--output-dir", copied)
    assert status == 0
    assert "perturbation" not in err


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ({"sam": "gsam", "sam_alpha": None}, {"sam_alpha": 0.4, "sam_scaled": "all"}),
        ({"sam": "gsam", "sam_alpha": 0.3}, {"sam_alpha": 0.3, "sam_scaled": "all"}),
        ({"sam": "asam", "sam_alpha": None}, {"sam_alpha": None, "sam_scaled": "all"}),
    ],
)
def test_a_run_goes_on_with_the_defaults_that_it_was_begun_with(copied, before, now):
    run = RunDirectory(copied)
    config = run.read_config()
    del config["training"]["sam_scaled"]
    config["training"] |= before
    run.write_config(config)
    words = ["--resume", "--output-dir", str(copied)]
    plan = remembered_plan(run, build_parser().parse_args(words))
    assert {name: getattr(plan.training, name) for name in now} == now


def test_the_default_of_a_method_is_written_into_its_run():
    words = [*SMALL, "--sam", "gsam", "--rho", "0.1", "--output-dir", "x"]
    assert requested_plan(build_parser().parse_args(words)).training.sam_alpha == 0.6


def test_another_number_of_samples_that_share_a_perturbation_is_said(train, copied):
    config = RunDirectory(copied).read_config()
    config |= {"samples_per_perturbation": 64, "processes": 4}
    RunDirectory(copied).write_config(config)
    status, _, err = train("--resume", "--output-dir", copied)
    assert status == 0
    assert (
        "256 samples share a perturbation of SAM from here on, 64 did before, because the run goes "
        "on with 1 processes instead of 4"
    ) in err


def test_resuming_a_finished_run_says_its_result_again(train, copied, finished):
    before = (copied / "last.pt").read_bytes()
    status, out, _ = train("--resume", "--output-dir", copied)
    assert status == 0
    assert out.partition(": ")[2] == finished[1].stdout.partition(": ")[2]
    assert (copied / "last.pt").read_bytes() == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--epochs", "3"), "--epochs was 2, is 3"),
        (("--rho", "0"), "--rho was 0.1, is 0.0"),
        (("-b", "64"), "--batch-size was 256, is 64"),
        (("--seed", "1"), "--seed was 0, is 1"),
        (("--opt", "sgd"), "--opt was adamw, is sgd"),
        (("--lr", "0.5"), "--lr was"),
        (("--augment", "crop-flip"), "--augment was none, is crop-flip"),
        (("--model", "mixer-tiny"), "--model was vit-tiny, is mixer-tiny"),
        (("--model-args", "depth=1", "dropout=0.2"), "--model-args dropout was 0.1, is 0.2"),
        (("--model-args", "drop_path=0.2"), "--model-args drop_path was None, is 0.2"),
        (("--data", "imagefolder"), "--data was digits, is imagefolder"),
        (("--mean", "0.5", "--std", "0.5"), "--mean was [], is [0.5]; --std was [], is [0.5]"),
        (("--rho", "0.2", "--epochs", "2", "--clip", "1"), "--rho was 0.1, is 0.2; --clip was 0"),
    ],
)
def test_a_run_is_not_resumed_with_other_settings(refused, finished, words, message):
    folder, _ = finished
    before = content(folder)
    assert message in refused(*words, "--resume", "--output-dir", folder)
    assert content(folder) == before


def test_the_default_of_a_setting_may_be_spelled_out(train, copied):
    """--lr 0.001 is what the run was trained with; augmentation auto is none for digits."""
    status, _, err = train(
        *("--lr", "0.001", "--weight-decay", "0.1", "--augment", "auto"),
        *("--resume", "--output-dir", copied),
    )
    assert status == 0, err


def test_there_has_to_be_a_run_to_resume(refused, tmp_path):
    assert "nothing to resume" in refused("--resume", "--output-dir", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_resume_and_force_exclude_each_other(refused, finished):
    before = content(finished[0])
    assert "exclude each other" in refused("--resume", "--force", "--output-dir", finished[0])
    assert content(finished[0]) == before


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_truncated_checkpoint_is_not_resumed(refused, copied, share):
    whole = (copied / "last.pt").read_bytes()
    (copied / "last.pt").write_bytes(whole[: int(share * len(whole))])
    before = content(copied)
    assert f"{copied / 'last.pt'} is truncated" in refused("--resume", "--output-dir", copied)
    assert content(copied) == before


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text[: len(text) // 2], "is damaged"),
        (lambda _: "[]", "is damaged: expected an object, got list"),
        (lambda text: text.replace('"training"', '"other"'), "training"),
        (lambda text: text.replace('"model_name"', '"other"'), "model_name"),
    ],
    ids=["half", "list", "no training", "no name"],
)
def test_a_damaged_configuration_is_not_resumed(refused, copied, damage, message):
    config = copied / "config.json"
    config.write_text(damage(config.read_text()))
    before = content(copied)
    line = refused("--resume", "--output-dir", copied)
    assert "config.json" in line
    assert message in line
    assert content(copied) == before

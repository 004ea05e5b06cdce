"""What landscape-train says in a terminal, and with which status it ends."""

import signal

from landscape.checkpoints.run import RunDirectory
from landscape.training.command import train as train_module
from tests.commands import assert_one_line, content
from tests.landscape.command.words import FAST, FILES, SMALL


def test_a_training_that_diverges_has_failed(train, tmp_path):
    status, out, err = train(
        *(*SMALL, "--epochs", "1", "-b", "128", "--lr", "1e18", "--warmup-epochs", "0", "--quiet"),
        *("--output-dir", tmp_path / "run"),
    )
    assert (status, out) == (1, "")
    assert_one_line(err, "landscape-train")
    assert "became nan at step 1 (learning rate " in err
    assert "lower --lr or --rho" in err


def test_a_result_that_is_no_number_is_a_failure(train, tmp_path):
    """One step, taken from a sound loss, that leaves no sound network."""
    status, out, err = train(
        *(*SMALL, "--epochs", "1", "-b", "1442", "--lr", "1e18", "--warmup-epochs", "0"),
        *("--quiet", "--output-dir", tmp_path / "run"),
    )
    assert (status, out) == (1, "")
    assert_one_line(err, "landscape-train")


def test_an_error_of_our_own_is_one_line_that_says_how_to_see_more(train, tmp_path, monkeypatch):
    def fail(*_words, **_options):
        raise RuntimeError("first\n  second")

    monkeypatch.setattr(train_module, "train", fail)
    words = (*FAST, "--output-dir", tmp_path / "run")
    status, out, err = train(*words)
    assert (status, out) == (1, "")
    assert err == "landscape-train: error: RuntimeError: first second (--debug shows where)\n"
    status, _, err = train(*words, "--debug", "--force")
    assert status == 1
    assert err.startswith("Traceback (most recent call last):\n")
    assert "in fail" in err


def test_debug_shows_the_traceback_of_wrong_input_too(train, tmp_path):
    words = ("--model", "vit-tinny", "--data", "digits", "--output-dir", tmp_path / "run")
    status, out, err = train(*words, "--debug")
    assert (status, out) == (2, "")
    assert "Traceback (most recent call last):" in err
    assert "InputError: unknown model 'vit-tinny'" in err


def test_quiet_leaves_results_only(train, tmp_path):
    words = (*SMALL, "--epochs", "1", "-b", "512", "--output-dir", tmp_path / "run", "--quiet")
    status, out, err = train(*words)
    assert (status, err) == (0, "")
    assert len(out.splitlines()) == 1


def test_help_names_every_flag_of_the_contract(train):
    status, out, err = train("--help")
    assert (status, err) == (0, "")
    for flag in (
        *("--model", "--model-args", "--data", "--data-dir", "--image-size", "--mean", "--std"),
        *("--opt", "--rho", "--epochs", "--batch-size", "--lr", "--weight-decay", "--seed"),
        "--save-every",
        *("--device", "--output-dir", "--resume", "--force", "--debug", "--quiet"),
    ):
        assert flag in out


def test_ctrl_c_exits_with_130_and_the_way_to_go_on(warm, tmp_path):
    folder = tmp_path / "run"
    running = warm.start(*SMALL, "--epochs", "1000", "-b", "512", "--output-dir", folder)
    assert running.wait_for((folder / "last.pt").exists), running.err
    assert running.end(signal.SIGINT) == 130
    assert running.out == ""
    assert running.err.endswith(
        "landscape-train: interrupted; "
        "the same command with --resume continues after the last finished epoch\n"
    )
    assert "Traceback" not in running.err
    assert RunDirectory(folder).load("last.pt")["epoch"] >= 1
    # A write that was under way is a hidden file, which resuming removes.
    assert {name for name in content(folder) if not name.startswith(".")} <= FILES

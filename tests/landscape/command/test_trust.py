"""A run's config.json names code and weights in vain, unless the command line names them, too."""

import json
import shutil

import pytest

from landscape.checkpoints.run import RunDirectory
from landscape.training import loop
from tests.landscape.command.test_resume import interrupt_in_epoch
from tests.landscape.command.words import FAST, USER_FILE

MARKED = "from pathlib import Path\nPath(__file__).with_name('ran').touch()\n"
NAMES = ("--model", "mine.py:net", "--data", "mine.py:data")
WORDS = (*NAMES, "--epochs", "2", "-b", "20")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The working directory, with a file of code in it that leaves a mark when it is imported."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(MARKED + USER_FILE)
    return tmp_path


@pytest.fixture
def trained(train, here):
    """A run of the user's own model and data, of which only the first epoch is finished."""
    with pytest.MonkeyPatch.context() as patch:
        interrupt_in_epoch(2, patch)
        assert train(*WORDS, "--model-args", "width=5", "--output-dir", "run")[0] == 130
    (here / "ran").unlink()
    return here / "run"


def change(folder, **changes):
    """Change entries of a run's config.json."""
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changes}))


@pytest.mark.parametrize("path", ["mine.py", "absolute"])
def test_resuming_runs_no_code_that_a_file_names(refused, here, copied, path):
    name = str(here / "mine.py") if path == "absolute" else path
    before = (copied / "last.pt").read_bytes()
    model = {"name": f"{name}:net", "arguments": {}}
    config = RunDirectory(copied).read_config()
    change(copied, model=model, model_name=f"{name}:net")
    line = refused("--resume", "--output-dir", copied)
    assert f"names the model {name}:net, which would run the code in {name}" in line
    change(copied, model=config["model"], data={**config["data"], "data": f"{name}:data"})
    line = refused("--resume", "--output-dir", copied)
    assert f"names the data {name}:data, which would run the code in {name}" in line
    assert not (here / "ran").exists()
    assert (copied / "last.pt").read_bytes() == before


def test_a_loss_and_a_step_that_a_file_names_are_never_taken(train, here, copied):
    config = RunDirectory(copied).read_config()
    named = {"step": f"{here}/mine.py:net", "metrics": "mine.py:net"}
    change(copied, **named, training={**config["training"], **named})
    assert train("--resume", "--output-dir", copied)[0] == 0
    assert not (here / "ran").exists()


@pytest.mark.parametrize(
    "allowed", [WORDS, NAMES, ("--trust",)], ids=["the same command", "the names", "trust"]
)
def test_a_run_of_ones_own_model_is_resumed(train, trained, here, allowed):
    status, out, err = train(*allowed, "--resume", "--output-dir", "run")
    assert (status, out.startswith("run: epoch 2")) == (0, True), err
    assert (here / "ran").exists()


def test_the_name_of_another_function_resumes_nothing(refused, trained, here):
    (here / "other.py").write_text(USER_FILE)
    assert "--model was" in refused("--model", "other.py:net", "--resume", "--output-dir", "run")
    # A file may say two names: the one that would be made counts.
    change(trained, model_name=f"{here}/other.py:net")
    words = ("--model", "other.py:net", "--data", "mine.py:data")
    assert f"{here}/mine.py:net, which would run" in refused(
        *words, "--resume", "--output-dir", "run"
    )
    assert not (here / "ran").exists()


def test_starting_from_a_run_runs_no_code_that_it_names(refused, train, trained, here):
    words = ("--init", "run", "--data", "mine.py:data", "--epochs", "1", "--output-dir", "next")
    line = refused(*words)
    assert f"{here}/run/config.json names the model {here}/mine.py:net, which would run" in line
    assert not (here / "ran").exists()
    assert not (here / "next").exists()
    for allowed in (("--model", "mine.py:net"), ("--trust",)):
        status, _, err = train(*words, *allowed)
        assert status == 0, err
        assert RunDirectory(here / "next").read_config()["model"]["arguments"]["width"] == 5
        shutil.rmtree(here / "next")


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ({"name": "timm:hf_hub:some/net", "arguments": {}}, "let timm open or download"),
        ({"name": "timm:resnet10t", "arguments": {"pretrained": True}}, "pretrained=True"),
        ({"name": "hf:/tmp/net", "arguments": {}}, "open the folder /tmp/net"),
    ],
)
@pytest.mark.parametrize("flag", ["--init", "--resume"])
def test_networks_and_files_are_not_opened(
    refused, copied, tmp_path, monkeypatch, model, said, flag
):
    def attempted(*words):
        pytest.fail(f"a connection was tried: {words}")

    monkeypatch.setattr("socket.socket.connect", attempted)
    monkeypatch.setattr("socket.getaddrinfo", attempted)
    change(copied, model=model, model_name=model["name"])
    words = {
        "--resume": ("--resume", "--output-dir", copied),
        "--init": ("--init", copied, "--data", "digits", "--output-dir", tmp_path / "next"),
    }[flag]
    assert said in refused(*words)
    assert not (tmp_path / "next").exists()


def test_weights_that_a_file_starts_from_are_not_opened(refused, train, copied, tmp_path):
    """Of a run that was killed before its first epoch, only its settings are there."""
    (tmp_path / "run" / "last.pt").rename(tmp_path / "first.pt")
    config = RunDirectory(copied).read_config()
    absent, present = str(tmp_path / "absent.pt"), str(tmp_path / "first.pt")
    change(copied, training={**config["training"], "init": absent})
    line = refused("--resume", "--output-dir", copied)
    assert f"names the weights {absent} to start from, which would be opened" in line
    change(copied, training={**config["training"], "init": present})
    assert "--trust" in refused("--resume", "--output-dir", copied)
    # Seeds that have not begun would start from them, too.
    (tmp_path / "seeds").mkdir()
    copied.rename(tmp_path / "seeds" / "seed-0")
    shutil.copy(present, tmp_path / "seeds" / "seed-0" / "last.pt")
    seeds = ("--resume", "--seeds", "0", "1", "--output-dir", tmp_path / "seeds")
    assert f"names the weights {present} to start from" in refused(*seeds)
    assert train(*seeds, "--init", present)[0] == 0
    assert train(*FAST, "--init", present, "--output-dir", tmp_path / "fresh")[0] == 0


def test_the_line_that_continues_names_what_it_needs(train, here, monkeypatch):
    """What a stopped training prints can be typed as it is."""
    import os
    import signal

    evaluate = loop.evaluate

    def stopped(*words):
        os.kill(os.getpid(), signal.SIGTERM)
        return evaluate(*words)

    monkeypatch.setattr(loop, "evaluate", stopped)
    status, out, _ = train(*WORDS, "--output-dir", "run")
    monkeypatch.setattr(loop, "evaluate", evaluate)
    assert status == 0
    command = out.partition("continue with: landscape-train ")[2].split()
    assert command == ["--resume", *NAMES, "--output-dir", "run"]
    status, out, err = train(*command)
    assert (status, out.startswith("run: epoch 2")) == (0, True), err

"""What a run's config.json names is neither imported nor opened unless the user says so."""

import json

import pytest
import torch

from analyses.command.arguments import reported_analyses
from landscape.checkpoints.run import RunDirectory
from landscape.models.catalog import ModelSpec
from tests.analyses.command.words import USER_FILE
from tests.analyses.command.words import WORDS as SMALL

MARKED = "from pathlib import Path\nPath(__file__).with_name('ran').touch()\n"
COMMANDS = ("surface", "line", "norms", "report", "hessian")
VIT = {"dim": 16, "depth": 1, "heads": 2, "mlp_dim": 16, "patch_size": 2, "image_size": 8}
PLAIN = {
    "model": {"name": "vit", "arguments": {**VIT, "channels": 1, "num_classes": 10}},
    "data": {"data": "digits"},
}
QUICK = ("--samples", "8", "--format", "none")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The working directory, with a file of code in it that leaves a mark when it is imported."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(MARKED + USER_FILE)
    return tmp_path


@pytest.fixture
def no_network(monkeypatch):
    """Any attempt to reach another machine fails the test."""

    def attempted(*words):
        pytest.fail(f"a connection was tried: {words}")

    monkeypatch.setattr("socket.socket.connect", attempted)
    monkeypatch.setattr("socket.getaddrinfo", attempted)


def write_run(folder, **changes):
    """A run whose config.json says what it is; its weights are those of the model named there."""
    config = {**PLAIN, "training": {}, **changes}
    run = RunDirectory(folder)
    folder.mkdir()
    is_plain = config["model"] == PLAIN["model"]
    torch.manual_seed(0)
    model = ModelSpec(**config["model"]).build() if is_plain else user_network()
    run.save("last.pt", {"model": model.state_dict()})
    run.write_config(config)
    run.write_metrics([dict.fromkeys(("epoch", "train_loss", "val_accuracy", "lr"), 1.0)])
    return folder


def user_network():
    """The network of USER_FILE with a width of 5, made without the file."""
    linear = torch.nn.Linear
    return torch.nn.Sequential(torch.nn.Flatten(), linear(4, 5), torch.nn.ReLU(), linear(5, 3))


def of_user(name):
    return {
        "model": {"name": f"{name}:net", "arguments": {"width": 5}},
        "data": {"data": f"{name}:data"},
    }


@pytest.mark.parametrize("path", ["mine.py", "absolute"])
@pytest.mark.parametrize("part", ["model", "data"])
@pytest.mark.parametrize("command", COMMANDS)
def test_code_that_a_run_names_is_not_run(refused, here, command, part, path):
    name = str(here / "mine.py") if path == "absolute" else path
    write_run(here / "run", **{part: of_user(name)[part]})
    line = refused(command, "run", *QUICK)
    function = {"model": "net", "data": "data"}[part]
    assert f"run/config.json names the {part} {name}:{function}" in line
    assert f"which would run the code in {name}" in line
    assert f"pass --{part} {name}:{function}, or --trust" in line
    assert not (here / "ran").exists()
    assert not (here / "figures").exists()


def test_a_loss_and_a_step_that_a_file_names_are_never_taken(done, here):
    """No command reads them from there, whatever a file says."""
    named = {"loss": f"{here}/mine.py:net", "step": "mine.py:net", "metrics": ["mine.py:net"]}
    write_run(here / "run", **named, training=named)
    done("norms", "run", *QUICK)
    assert not (here / "ran").exists()


@pytest.mark.parametrize(
    "allowed", [("--trust",), ("--model", "mine.py:net", "--data", "mine.py:data")]
)
@pytest.mark.parametrize("command", ["norms", "line"])
def test_it_runs_when_the_user_says_so(done, here, command, allowed):
    """The arguments of the model are those of the run, also where its name is given again."""
    write_run(here / "run", **of_user(here / "mine.py"))
    done(command, "run", *allowed, *QUICK, *SMALL[command])
    assert (here / "ran").exists()
    origin = json.loads((here / "figures" / "run" / f"{command}.json").read_text())["provenance"]
    assert origin["origin"]["model_args"] == {"width": 5}


def test_only_the_same_name_allows_it(refused, here):
    (here / "other.py").write_text(USER_FILE)
    write_run(here / "run", **of_user(here / "mine.py"))
    line = refused("norms", "run", "--model", "mine.py:net", "--data-dir", "x", *QUICK)
    assert f"names the data {here}/mine.py:data, which would run the code" in line
    line = refused("norms", "run", "--model", "other.py:net", "--data", "mine.py:data", *QUICK)
    assert "run/last.pt does not fit the model" in line  # the other one has its own arguments


def test_a_folder_is_not_given_to_code_unless_it_is_named(refused, done, here):
    """Pictures are read from a folder that a run remembers; what a function does is not known."""
    named = of_user(here / "mine.py")
    named["data"]["data_dir"] = "/somewhere"
    write_run(here / "run", **named)
    words = ("norms", "run", "--model", "mine.py:net", "--data", "mine.py:data", *QUICK)
    assert "the folder /somewhere to open; if you know it, pass --data-dir" in refused(*words)
    done(*words, "--data-dir", "/somewhere")


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize(
    ("model", "arguments", "said"),
    [
        ("timm:hf_hub:some/net", {}, "let timm open or download hf_hub:some/net"),
        ("timm:hf-hub:some/net", {}, "let timm open or download hf-hub:some/net"),
        ("timm:local-dir:/tmp/net", {}, "let timm open or download local-dir:/tmp/net"),
        ("torchvision:/tmp/net", {}, "let torchvision open or download /tmp/net"),
        ("hf:/tmp/net", {}, "open the folder /tmp/net"),
        ("timm:/tmp/net.py:make", {}, "run the code in timm:/tmp/net.py"),
        ("timm:resnet10t", {"pretrained": True}, "the argument pretrained=True, which may"),
        ("timm:resnet10t", {"checkpoint_path": "a.pt"}, "the argument checkpoint_path=a.pt"),
        ("timm:resnet10t", {"pretrained_cfg": {"url": "x"}}, "the argument"),
        ("timm:resnet10t", {"act_layer": "/tmp/a"}, "the argument act_layer=/tmp/a"),
        ("torchvision:resnet18", {"weights": "DEFAULT"}, "the argument weights=DEFAULT"),
        ("vit", {**VIT, "pretrained": True}, "takes no argument pretrained"),
        (["vit"], {}, "model.name has to be a text"),
    ],
)
@pytest.mark.parametrize("command", ["norms", "report"])
def test_networks_and_files_are_not_opened(refused, here, command, model, arguments, said):
    write_run(here / "run")
    config = {**PLAIN, "model": {"name": model, "arguments": arguments}}
    (here / "run" / "config.json").write_text(json.dumps(config))
    assert said in refused(command, "run", *QUICK)
    assert not (here / "figures").exists()


def test_an_argument_is_allowed_by_its_flag(plot, here):
    """What follows --model-args comes from the user, and only that."""
    write_run(here / "run")
    arguments = {"checkpoint_path": "absent.pt", "cache_dir": "/tmp/x"}
    config = {**PLAIN, "model": {"name": "timm:resnet10t", "arguments": arguments}}
    (here / "run" / "config.json").write_text(json.dumps(config))
    err = plot("norms", "run", *QUICK, "--model-args", "checkpoint_path=absent.pt")[2]
    assert "the argument cache_dir=/tmp/x" in err


def test_a_file_that_is_called_like_a_function_is_a_file(plot, here):
    """A pattern may find such a file in somebody's folder: its name is not the user's."""
    torch.save({}, "mine.py:net")
    status, _, err = plot("norms", "*net", "--data", "digits", "--model", "vit-tiny", *QUICK)
    assert status == 2
    assert "mine.py:net" in err
    assert not (here / "ran").exists()


def test_every_analysis_of_a_checkpoint_is_asked_before_anything_is_made(refused, here):
    write_run(here / "run", **of_user("mine.py"))
    for name in reported_analyses():
        if name != "curves":  # it reads the log alone
            assert "--trust" in refused("report", "--only", name, "run", *QUICK)
    assert sorted(path.name for path in here.iterdir()) == ["mine.py", "run"]

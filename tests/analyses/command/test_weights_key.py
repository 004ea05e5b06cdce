"""Which weights of a file the commands take, and ``--weights-key``."""

import pytest
import torch
from torch import nn

from landscape import Objective
from landscape import cli as train_cli
from landscape.checkpoints.weights import read_weights
from landscape.models.catalog import ModelSpec
from tests.analyses.command.words import SMALL
from tests.analyses.written import arrays, headline
from tests.commands import content, status_of

LINE = (*SMALL["line"], "--format", "none")


@pytest.fixture
def networks(user_file):
    """Three networks with random weights."""
    torch.manual_seed(1)
    return [ModelSpec(f"{user_file}:net", {}).build() for _ in range(3)]


@pytest.fixture
def words(user_file):
    return ("--model", f"{user_file}:net", "--data", f"{user_file}:data")


@pytest.fixture
def true_loss():
    """The loss of a network over the user's 40 samples, in float64."""
    generator = torch.Generator().manual_seed(len("train"))
    x, y = torch.randn(40, 1, 2, 2, generator=generator), torch.arange(40) % 3
    return lambda network: nn.functional.cross_entropy(network.double()(x.double()), y).item()


def test_averaged_weights_and_the_key(done, networks, words, true_loss, tmp_path):
    plain, average, _ = networks
    path = tmp_path / "x.pth.tar"
    torch.save({"net": plain.state_dict(), "ema": average.state_dict(), "epoch": 3}, path)
    words = ("line", f"x={path}", *words, *LINE, "--output-dir", tmp_path / "figures")
    _, err = done(*words)
    assert "the weights are those under ema (averaged over the training" in err
    assert "the file also has net, which --weights-key takes" in err
    said = headline(tmp_path / "figures", "x", "line")
    assert said["loss"] == pytest.approx(true_loss(average), rel=1e-5)
    origin = said["provenance"]["origin"]
    assert (origin["weights_key"], origin["weights_are_average"]) == ("ema", True)
    _, err = done(*words, "--weights-key", "net")
    assert "weights_key_given not given, now net" in err
    said = headline(tmp_path / "figures", "x", "line")
    assert said["loss"] == pytest.approx(true_loss(plain), rel=1e-5)
    origin = said["provenance"]["origin"]
    assert (origin["weights_key"], origin["weights_are_average"]) == ("net", False)


def test_the_key_holds_for_the_second_checkpoint_too(done, networks, words, true_loss, tmp_path):
    first, second, average = networks
    torch.save({"net": first.state_dict()}, tmp_path / "a.pt")
    torch.save({"net": second.state_dict(), "ema": average.state_dict()}, tmp_path / "b.pt")
    words = ("interpolate", tmp_path / "a.pt", tmp_path / "b.pt", *words, "--samples", "48")
    words = (*words, "--x=0:1:3", "--format", "none", "--output-dir", tmp_path / "figures")
    for key, network in (((), average), (("--weights-key", "net"), second)):
        _, err = done(*words, *key)
        stored = arrays(tmp_path / "figures" / "a-to-b" / "interpolate.h5")
        ends = [true_loss(first), true_loss(network)]
        assert stored["train_loss"][[0, -1]] == pytest.approx(ends, rel=1e-5)
        is_told = "b.pt: the weights under ema are averaged over the training" in err
        assert is_told is (not key)


def test_epochs_are_read_under_the_key(networks, tmp_path):
    plain, average, _ = networks
    torch.save({"net": plain.state_dict(), "ema": average.state_dict()}, tmp_path / "epoch_1.pt")
    data = torch.randn(6, 1, 2, 2), torch.arange(6) % 3
    for key, network in (("net", plain), ("", average)):
        objective = Objective(plain, data, device="cpu", origin={"weights_key_given": key})
        theta = read_weights(tmp_path / "epoch_1.pt", objective).theta
        assert torch.equal(theta, torch.cat([p.detach().flatten() for p in network.parameters()]))


def test_a_key_that_is_not_there(refused, networks, words, tmp_path):
    torch.save({"net": networks[0].state_dict(), "epoch": 3}, tmp_path / "x.pt")
    words = ("line", tmp_path / "x.pt", *words, *LINE, "--output-dir", tmp_path / "figures")
    said = refused(*words, "--weights-key", "teacher")
    assert "has no 'teacher' at its top level; it holds net, epoch there" in said
    assert not (tmp_path / "figures").exists()


def test_fine_tuning_takes_a_key(tmp_path):
    """The head alone is trained, so all else shows which weights it started from."""
    sizes = {"image_size": 8, "patch_size": 4, "dim": 8, "depth": 1, "heads": 2, "mlp_dim": 8}
    spec = ModelSpec("vit", {**sizes, "channels": 1, "num_classes": 10})
    plain, average = spec.build().state_dict(), spec.build().state_dict()
    torch.save({"net": plain, "ema": average}, tmp_path / "x.pt")
    words = ("--model", "vit", "--model-args", *(f"{k}={v}" for k, v in sizes.items()))
    words = (*words, "--data", "digits", "--init", tmp_path / "x.pt", "--train", "head")
    words = (*words, "--epochs", "1", "-b", "1024", "--quiet")
    for key, expected in (((), average), (("--weights-key", "net"), plain)):
        run = tmp_path / f"run{len(key)}"
        assert status_of(train_cli.main, *words, *key, "--output-dir", run) == 0
        trained = torch.load(run / "last.pt", weights_only=True)["model"]
        name = "blocks.0.mlp.fc1.weight"
        assert torch.equal(trained[name], expected[name])
    status = status_of(
        train_cli.main,
        "--model",
        "vit-tiny",
        "--data",
        "digits",
        "--weights-key",
        "net",
        "--output-dir",
        tmp_path / "none",
    )
    assert status == 2
    assert not content(tmp_path / "none")

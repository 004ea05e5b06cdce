"""Models that come with their weights: functions and folders in place of checkpoint files."""

import json
from importlib import import_module

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from tests.analyses.written import arrays, headline
from tests.commands import write_pictures
from tests.pretrained import adapted, images, vit

USER_FILE = """\
import torch
from torch import nn

def trained(seed=1):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Flatten(), nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3)).double()

def second():
    return trained(2)

def head_alone():
    model = trained()
    model[3].reset_parameters()
    return model

def from_file(path="weights.pt"):
    model = trained()
    model.load_state_dict(torch.load(path))
    return model

def without_values():
    network = trained()
    network.register_buffer("shift", torch.ones(3, device="meta"))
    return network


def without_shape():
    return nn.Sequential(trained(), nn.LazyBatchNorm1d(affine=False))


def no_model():
    return 3

def data(split):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(30, 1, 2, 2, generator=generator), torch.arange(30) % 3

def pictures(split):
    return torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(1)), torch.arange(4) % 3

def loss(outputs, targets):
    return nn.functional.cross_entropy(getattr(outputs, "logits", outputs), targets)
"""
LINE = ("--x=-1:1:3", "--precision", "fp64", "--format", "none")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder of work with the user's file in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(USER_FILE)
    return tmp_path


def truth(name="trained"):
    """The loss of one of the user's models, in float64."""
    scope = {}
    exec(USER_FILE, scope)
    inputs, targets = scope["data"]("train")
    return F.cross_entropy(scope[name]()(inputs.double()), targets).item()


@pytest.mark.parametrize(
    ("words", "labels"),
    [
        (("--model", "mine.py:trained"), {"trained": "trained"}),
        (("mine.py:trained",), {"trained": "trained"}),
        (("A=mine.py:trained", "B=mine.py:second"), {"A": "trained", "B": "second"}),
    ],
)
def test_a_function_is_a_checkpoint(done, here, words, labels):
    done("line", *words, "--data", "mine.py:data", *LINE)
    for label, name in labels.items():
        stored = arrays(here / "figures" / label / "line.h5")
        assert stored["train_loss"][1] == pytest.approx(truth(name), rel=1e-12)
        origin = headline(here / "figures", label, "line")["provenance"]["origin"]
        assert origin["checkpoint"] == f"mine.py:{name}"
        assert len(origin["checkpoint_sha256"]) == 64


def test_other_weights_of_the_same_function_are_another_question(done, here):
    scope = {}
    exec(USER_FILE, scope)
    words = ("interpolate", "A=mine.py:trained", "B=mine.py:from_file", "--data", "mine.py:data")
    said = []
    for name in ("second", "second", "head_alone"):
        torch.manual_seed(5)
        torch.save(scope[name]().state_dict(), "weights.pt")
        said.append(done(*words, "--format", "none")[1])
    assert "is already measured" in said[1]
    assert "another content of the files" in said[2]


def test_a_report_of_functions(done, here):
    words = ("report", "A=mine.py:trained", "B=mine.py:second", "--data", "mine.py:data")
    done(*words, "--only", "norms,similarity", "--cka-samples", "8", "--output-dir", "out")
    assert "mine.py:second" in (here / "out" / "report.html").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--model", "vit-tiny"), "--model vit-tiny has no weights of its own; name a CHECKPOINT"),
        ((), "name a CHECKPOINT: a run directory"),
        (("mine.py:trained", "--model", "vit-tiny"), "leave --model vit-tiny out"),
        (("mine.py:no_model",), "has to return a torch.nn.Module, got int"),
        (("mine.py:without_values",), "shift of Sequential is on the meta device"),
        (("mine.py:without_shape",), "running_mean of Sequential has no shape yet"),
        (("mine.py:missing",), "has no function 'missing'"),
        (("mine.py:trained", "--model-args", "depth=3"), "takes no argument depth"),
        (("--model", "hf:nowhere"), "no such checkpoint: nowhere"),
    ],
)
def test_what_can_not_be_measured(refused, here, words, said):
    assert said in refused("line", *words, "--data", "mine.py:data", *LINE)
    assert not (here / "figures").exists()


@pytest.mark.parametrize(
    ("name", "share"), [("trained", "100%"), ("second", "100%"), ("head_alone", "58%")]
)
def test_the_kernel_at_initialisation_of_a_trained_network_is_refused(refused, here, name, share):
    words = ("ntk", f"mine.py:{name}", "--data", "mine.py:data", "--ntk-samples", "4")
    said = refused(*words)
    assert f"gives the same weights for every seed ({share} of them)" in said
    assert "measure it as it is: --ntk-at checkpoint" in said


def test_the_kernel_at_a_checkpoint_is_measured(done, here):
    words = ("ntk", "mine.py:trained", "--data", "mine.py:data", "--ntk-samples", "4")
    done(*words, "--ntk-at", "checkpoint", "--format", "none")


class TestFolders:
    WORDS = ("--data", "mine.py:pictures", "--loss", "mine.py:loss")

    @pytest.fixture
    def folder(self, transformers, here):
        model = vit(transformers)
        model.save_pretrained("network")
        return model

    def expected(self, model):
        with torch.no_grad():
            logits = model.double()(images().double()).logits
        return F.cross_entropy(logits, torch.arange(4) % 3).item()

    @pytest.mark.parametrize(
        "words",
        [("network",), ("network", "--model", "hf:"), ("--model", "hf:network"),
         ("network=network", "--model", "hf:network")],
    )  # fmt: skip
    def test_a_folder_is_a_checkpoint(self, done, here, folder, words):
        done("line", *words, *self.WORDS, *LINE)
        stored = arrays(here / "figures" / "network" / "line.h5")
        assert stored["train_loss"][1] == pytest.approx(self.expected(folder), rel=1e-10)

    def test_a_folder_says_what_a_file_is(self, done, here, folder):
        torch.save(folder.state_dict(), "weights.pt")
        done("line", "weights.pt", "--model", "hf:network", *self.WORDS, *LINE)
        stored = arrays(here / "figures" / "weights" / "line.h5")
        assert stored["train_loss"][1] == pytest.approx(self.expected(folder), rel=1e-10)

    def test_fresh_weights_of_a_folder_have_a_kernel(self, done, here, folder):
        words = ("--ntk-samples", "2", "--ntk-seeds", "2", "--format", "none")
        done("ntk", "network", *self.WORDS, *words)

    def test_an_adapter_is_what_varies(self, done, peft, here, folder):
        model = adapted(peft, folder, target_modules=["q_proj"])
        model.save_pretrained("adapter")
        config = json.loads((here / "adapter" / "adapter_config.json").read_text())
        config["base_model_name_or_path"] = "elsewhere/base"
        (here / "adapter" / "adapter_config.json").write_text(json.dumps(config))
        vit(import_module("transformers")).save_pretrained("network")
        _, err = done("line", "adapter", "--model", "hf:network", *self.WORDS, *LINE)
        assert "an adapter of network; its 64 of" in err
        numbers = headline(here / "figures", "adapter", "line")
        assert numbers["provenance"]["num_parameters"] == 64
        stored = arrays(here / "figures" / "adapter" / "line.h5")
        assert stored["train_loss"][1] == pytest.approx(self.expected(model), rel=1e-10)

    def test_a_trainers_checkpoints_are_a_training(self, done, transformers, here):
        history = []
        for number, seed in enumerate((0, 1, 2, 3), 1):
            folder = here / "run" / f"checkpoint-{5 * number}"
            vit(transformers, seed=seed).save_pretrained(folder)
            entry = {"epoch": number, "loss": 1 / number, "learning_rate": 0.1, "step": 5 * number}
            history.append(entry)
            state = json.dumps({"log_history": history})
            (folder / "trainer_state.json").write_text(state)
        last = "run/checkpoint-20"
        done("trajectory", last, *self.WORDS, "--points", "2", "--format", "none")
        assert headline(here / "figures", "checkpoint-20", "trajectory")["epochs"] == [
            5,
            10,
            15,
            20,
        ]
        pattern = ("--epochs", "run/checkpoint-*")
        done("sharpness", *pattern, *self.WORDS, "--every", "3", "--format", "none")
        measured = headline(here / "figures", "checkpoint-20", "sharpness")
        assert (measured["epoch"], measured["lr"]) == ([5, 20], [0.1, 0.1])
        done("curves", "run", last, "--format", "png")
        assert headline(here / "figures", "run", "curves")["train_loss"] == [
            1, 0.5, pytest.approx(1 / 3), 0.25,
        ]  # fmt: skip


def test_pictures_are_those_of_the_model(done, torchvision, here):
    """What the command measures is the loss over torchvision's own transforms."""
    torch.manual_seed(0)
    root = write_pictures(here / "pictures", size=40)
    model = torchvision.get_model("squeezenet1_1", num_classes=2).eval()
    torch.save(model.state_dict(), "weights.pth")
    words = ("--model", "torchvision:squeezenet1_1", "--model-args", "num_classes=2")
    words = (*words, "--data", "imagefolder", "--data-dir", root, "--samples", "2")
    _, err = done("line", "weights.pth", *words, *LINE)
    assert "pictures as torchvision:squeezenet1_1 takes them: --image-size 224 --crop 0.875" in err
    samples = sorted((root / "train").rglob("*.png"))
    transform = torchvision.get_model_weights("squeezenet1_1").DEFAULT.transforms()
    chosen = torch.randperm(12, generator=torch.Generator().manual_seed(0))[:2].sort().values

    inputs = torch.stack([transform(Image.open(samples[k]).convert("RGB")) for k in chosen])
    with torch.no_grad():
        loss = F.cross_entropy(model.double()(inputs.double()), chosen // 6).item()
    stored = arrays(here / "figures" / "weights" / "line.h5")["train_loss"]
    np.testing.assert_allclose(stored[1], loss, rtol=1e-6)

"""Every analysis on a ViT, a Mixer, a ResNet and networks from a user's file, as a user asks."""

import json

import numpy as np
import pytest
import torch

import analyses
from analyses.catalog import known_analyses
from landscape import cli as train_cli
from landscape.models.catalog import ModelSpec
from tests.commands import status_of
from tests.profile import IS_FULL, some

SIZES = {
    "vit": ("depth=1", "dim=8", "heads=2", "mlp_dim=12"),
    "mixer": ("depth=1", "dim=8", "token_dim=6", "channel_dim=12"),
    "resnet": ("width=4", "layers=1,1"),
}
WORDS = {
    "surface": ("--x=-1:1:2", "--y=-1:1:2"),
    "line": ("--x=-1:1:3",),
    "interpolate": ("--x=0:1:3",),
    "trajectory": ("--x=-1:1:2", "--y=-1:1:2"),
    "hessian": ("--top", "1", "--probes", "2", "--density-steps", "3", "--tol", "0.01"),
    "components": ("--tol", "0.01"),
    "minibatch": ("--minibatches", "2", "--minibatch-size", "6", "--minibatch-top", "1"),
    "sharpness": (),
    "ntk": ("--ntk-samples", "3", "--ntk-outputs", "2", "--ntk-seeds", "2"),
    "flatness": ("--draws", "2", "--sigmas", "0.01", "--radii", "0.1", "--ascent-steps", "2"),
    "norms": (),
    "sparsity": (),
    "recursion": ("--recursion-samples", "2"),
    "similarity": ("--cka-samples", "8"),
    "attention": ("--pictures", "1"),
    "linearity": ("--segment", "3"),
    "robustness": ("--corruptions", "fog", "--attack-radius", "4", "--attack-steps", "1"),
    "curves": (),
}
FAMILIES = list(SIZES)
# Each analysis measures the networks from a user's file and, by default, one of our families.
COMBINATIONS = [
    (name, kind)
    for place, name in enumerate(WORDS)
    for kind in ("foreign", "tokens", *(FAMILIES if IS_FULL else [FAMILIES[place % len(FAMILIES)]]))
]
# What an analysis can't say of a network, and what it says instead.
REFUSED = {
    ("attention", "mixer"): "has no attention",
    ("attention", "resnet"): "has no attention",
    ("attention", "tokens"): "has no attention",
    ("linearity", "tokens"): "linearity needs inputs that are one tensor of floats",
    ("robustness", "tokens"): "robustness needs pictures",
    **{("curves", kind): "has no log of another training" for kind in ("foreign", "tokens")},
    **{("trajectory", kind): "--save-every" for kind in ("foreign", "tokens")},
    **{("sharpness", kind): "--save-every" for kind in ("foreign", "tokens")},
}
FOREIGN = """\
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 8, 4, stride=4)
        layer = nn.TransformerEncoderLayer(8, 2, 12, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.out = nn.Linear(8, 5)

    def forward(self, x):
        return self.out(self.layers(self.stem(x).flatten(2).mT).mean(1))

def data(split):
    generator = torch.Generator().manual_seed(len(split))
    return torch.rand(40, 1, 8, 8, generator=generator), torch.arange(40) % 5

class Tokens(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(9, 6)
        self.recurrent = nn.LSTM(6, 5, batch_first=True)
        self.norm = nn.LayerNorm(5)
        self.hidden = nn.utils.parametrizations.weight_norm(nn.Linear(5, 7))
        self.act = nn.ReLU()
        self.out = nn.Linear(7, 5)

    def forward(self, x):
        last = self.recurrent(self.embedding(x))[0][:, -1]
        return self.out(self.act(self.hidden(self.norm(last))))

def sentences(split):
    generator = torch.Generator().manual_seed(len(split))
    return torch.randint(0, 9, (40, 6), generator=generator), torch.arange(40) % 5
"""


@pytest.fixture(scope="module")
def subjects(tmp_path_factory):
    """By kind the words that name one network, and those that name another of its kind."""
    folder = tmp_path_factory.mktemp("every")
    words_by_kind = {}
    for family, sizes in SIZES.items():
        words = ("--model", f"{family}-tiny", "--model-args", *sizes, "--data", "digits")
        words = (*words, "--epochs", "2", "--save-every", "1", "-b", "512", "--lr", "0.01")
        run = folder / family
        assert status_of(train_cli.main, *words, "--quiet", "--output-dir", run) == 0
        words_by_kind[family] = ((run,), (run / "epochs" / "0001.pt",), ())
    file = folder / "mine.py"
    file.write_text(FOREIGN)
    for kind, model, data in (("foreign", "Net", "data"), ("tokens", "Tokens", "sentences")):
        saved = [folder / f"{kind}{seed}.pth" for seed in range(2)]
        for seed, path in enumerate(saved):
            with torch.random.fork_rng():
                torch.manual_seed(seed)
                network = ModelSpec(f"{file}:{model}", {}).build()
            torch.save(network.state_dict(), path)
        flags = ("--model", f"{file}:{model}", "--data", f"{file}:{data}")
        words_by_kind[kind] = ((saved[0],), (saved[1],), flags)
    return words_by_kind


def test_every_analysis_is_asked():
    assert set(WORDS) == set(known_analyses())


@pytest.mark.parametrize(("name", "kind"), COMBINATIONS)
def test_it_says_something_or_why_not(name, kind, subjects, plot, tmp_path):
    checkpoint, second, flags = subjects[kind]
    checkpoints = (*checkpoint, *second) if name == "interpolate" else checkpoint
    words = (name, *checkpoints, *flags, *WORDS[name])
    sample = () if name == "curves" else ("--samples", "12")
    # Pictures of all of them cost as much time as the measurements.
    formats = () if IS_FULL else ("--format", "none")
    status, out, err = plot(*words, *sample, *formats, "--output-dir", tmp_path, "--quiet")
    if (name, kind) in REFUSED:
        assert status == 2
        assert REFUSED[name, kind] in err
        assert len(err.splitlines()) == 1
        return
    assert status == 0, err
    written = [line for line in out.splitlines() if line.endswith(f"{name}.json")]
    numbers = json.loads((tmp_path / written[0]).read_text())
    assert numbers["analysis"] == name
    if not formats:
        assert (tmp_path / f"{name}.png").stat().st_size > 5000


@pytest.mark.parametrize("name", some(WORDS, 9))
def test_its_result_is_a_file_of_settings_that_repeats_it(name, subjects, done, tmp_path):
    run, second, _ = subjects["vit"]
    asked = (name, *run, *second) if name == "interpolate" else (name, *run)
    sample = () if name == "curves" else ("--samples", "12", "--seed", "3")
    quiet = ("--format", "none", "--quiet", "--output-dir")
    done(*asked, *WORDS[name], *sample, *quiet, tmp_path / "first")
    (result,) = (tmp_path / "first").rglob(f"{name}.h5")
    done(*asked, "--config", result, *quiet, tmp_path / "again")
    (repeated,) = (tmp_path / "again").rglob(f"{name}.h5")
    first, again = (analyses.load(path) for path in (result, repeated))
    assert first.settings == again.settings
    assert first.arrays().keys() == again.arrays().keys()
    for path, array in first.arrays().items():
        np.testing.assert_array_equal(array.values, again.arrays()[path].values, err_msg=path)

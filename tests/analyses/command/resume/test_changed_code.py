"""A result is not used again for another loss, metric, step or model of the same name."""

import json

import numpy as np
import pytest

from tests.analyses.written import arrays, headline
from tests.hdf5_files import changed

FILE = """
import torch
import torch.nn.functional as F
from torch import nn


def make():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.{activation}(), nn.Linear(6, 3))


def data():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(24, 4, generator=generator), torch.arange(24) % 3


def f(outputs, targets):
    return {factor} * F.cross_entropy(outputs, targets)


def step(model, batch):
    return {factor} * F.cross_entropy(model(batch[0]), batch[1])
"""


@pytest.fixture
def write(tmp_path):
    def write(name, factor=1, activation="Tanh"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(FILE.format(factor=factor, activation=activation))
        return path

    return write


@pytest.mark.parametrize(
    ("flag", "function", "name"),
    [
        ("--loss", "f", "train_loss"),
        ("--step", "step", "train_loss"),
        ("--metrics", "f", "train_f"),
    ],
)
def test_a_function_of_the_same_name_is_measured_anew(done, write, tmp_path, flag, function, name):
    net, folder = write("net.py"), tmp_path / "figures"
    words = ("line", f"n={net}:make", "--data", f"{net}:data", "--x=-1:1:3", "--format", "none")
    words = (*words, "--output-dir", folder, flag)
    done(*words, f"{write('a/own.py')}:{function}")
    before = arrays(folder / "n" / "line.h5")[name]
    _, said = done(*words, f"{write('b/own.py', 7)}:{function}")
    assert f"own.py:{function}" in said
    assert "kept as line.1.h5" in said
    np.testing.assert_allclose(arrays(folder / "n" / "line.h5")[name], 7 * before, rtol=1e-6)
    _, said = done(*words, f"{write('c/own.py', 7)}:{function}")  # moved, not changed
    assert "already measured" in said
    write("c/own.py", 8)  # edited
    _, said = done(*words, f"{tmp_path / 'c/own.py'}:{function}")
    assert "kept as line.2.h5" in said


def test_another_network_of_the_same_weights_is_measured_anew(done, write, tmp_path):
    net, folder = write("net.py"), tmp_path / "figures"
    words = ("line", f"n={net}:make", "--data", f"{net}:data", "--x=-1:1:3", "--format", "none")
    words = (*words, "--output-dir", folder)
    done(*words)
    before = headline(folder, "n", "line")
    write("net.py", activation="ReLU")
    _, said = done(*words)
    assert "other code of the model: net.py:make" in said
    now = headline(folder, "n", "line")
    assert now["provenance"]["weights_sha256"] == before["provenance"]["weights_sha256"]
    assert now["loss"] != before["loss"]


def without_code(file):
    made = json.loads(file.attrs["provenance"])
    del made["origin"]["code"]
    file.attrs["provenance"] = json.dumps(made)


def test_a_result_of_an_earlier_version_is_used(done, write, tmp_path):
    net, folder = write("net.py"), tmp_path / "figures"
    words = ("line", f"n={net}:make", "--data", f"{net}:data", "--x=-1:1:3", "--format", "none")
    words = (*words, "--output-dir", folder)
    done(*words)
    changed(folder / "n" / "line.h5", without_code)
    assert "already measured" in done(*words)[1]


def test_show_and_diff_name_the_code(done, write, tmp_path):
    net, folder = write("net.py"), tmp_path / "figures"
    words = ("line", f"n={net}:make", "--data", f"{net}:data", "--x=-1:1:3", "--format", "none")
    words = (*words, "--output-dir", folder, "--loss", f"{net}:f")
    done(*words)
    write("net.py", 2)
    done(*words)
    out, _ = done("show", folder / "n" / "line.h5")
    assert "loss: net.py:f " in out
    assert "model: net.py:make " in out
    out, _ = done("diff", folder / "n" / "line.1.h5", folder / "n" / "line.h5")
    assert "code.loss.net.py:f" in out

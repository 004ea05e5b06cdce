"""What is costly happens once, however many analyses, checkpoints and pages use it."""

from collections import Counter

import pytest
import torch
from matplotlib.figure import Figure

from analyses.command import reader
from landscape.data.sources import decoding
from landscape.objective import movable_model
from landscape.objective import objective as objective_module
from landscape.runtime.user_files import load_user_function
from tests.analyses.command.words import SMALL
from tests.commands import content, write_pictures


@pytest.fixture
def counted(monkeypatch):
    """Count the calls of a function of a module or class, by its name."""
    calls = Counter()

    def counted(place, name):
        function = getattr(place, name)

        def counting(*words, **keywords):
            calls[name] += 1
            return function(*words, **keywords)

        monkeypatch.setattr(place, name, counting)
        return calls

    return counted


def test_checkpoints_are_loaded_and_pictures_decoded_once(done, runs, tmp_path, counted):
    calls = counted(reader, "load_checkpoint")
    counted(reader, "load_data")
    words = ("--only", "norms,sparsity,similarity", *SMALL["report"], "--format", "none")
    done("report", *runs, *words, "--output-dir", tmp_path)
    assert calls["load_checkpoint"] == 2
    assert calls["load_data"] == 1


def test_samples_of_an_image_folder_are_decoded_once(done, tmp_path, counted):
    root = write_pictures(tmp_path / "pictures")
    (tmp_path / "net.py").write_text(
        "from torch import nn\n\n\n"
        "def make():\n    return nn.Sequential(nn.Flatten(), nn.Linear(192, 4), nn.ReLU(), "
        "nn.Linear(4, 2))\n"
    )
    for name in ("a", "b"):
        torch.save(load_user_function(f"{tmp_path}/net.py:make")().state_dict(), tmp_path / name)
    calls = counted(decoding, "decode")
    words = ("--model", f"{tmp_path}/net.py:make", "--data", "imagefolder", "--data-dir", root)
    words = (*words, "--samples", "6", "--format", "none", "--output-dir", tmp_path / "figures")
    done("report", tmp_path / "a", tmp_path / "b", "--only", "norms,sparsity", *words)
    assert calls["decode"] == 6


def test_weights_and_samples_are_hashed_once_for_each_objective(done, runs, tmp_path, counted):
    calls = counted(objective_module, "hash_batches")
    counted(movable_model, "hash_tensors")
    words = ("--only", "surface,line,norms", *SMALL["report"], "--format", "none")
    done("report", *runs, *words, "--output-dir", tmp_path)
    assert calls["hash_batches"] == calls["hash_tensors"] == 2


def test_every_picture_is_rendered_once(done, runs, tmp_path, counted):
    calls = counted(Figure, "savefig")
    words = ("--samples", "48", "--format", "png,html,md", "--output-dir", tmp_path)
    done("sparsity", *runs, *words)
    pictures = [name for name in content(tmp_path) if name.endswith(".png")]
    assert calls["savefig"] == len(pictures) == 2
    page = (tmp_path / "sparsity.html").read_text()
    assert page.count("data:image/png;base64,") == 2

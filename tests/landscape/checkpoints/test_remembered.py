"""What a config.json may decide alone: plain models and plain data, and nothing that runs."""

from pathlib import Path

import pytest
import torch

from landscape.checkpoints.load import load_checkpoint
from landscape.checkpoints.remembered import remembered_data
from landscape.checkpoints.run import RunDirectory
from landscape.errors import InputError

FILE = Path("run/config.json")
CODE = """\
from pathlib import Path
from torch import nn
Path(__file__).with_name("ran").touch()
def make(width=3):
    return nn.Linear(2, width)
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run of a user's own model with an argument, whose file leaves a mark when it is run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(CODE)
    run = RunDirectory(tmp_path / "run")
    run.path.mkdir()
    run.save("last.pt", {"model": torch.nn.Linear(2, 5).state_dict()})
    model = {"name": f"{tmp_path / 'mine.py'}:make", "arguments": {"width": 5}}
    run.write_config({"model": model, "data": {}})
    return run


def test_from_python_a_model_of_ones_own_has_to_be_named_or_trusted(run):
    with pytest.raises(InputError, match=r"would run the code in .*mine\.py; .* --trust"):
        load_checkpoint(run.path)
    assert not Path("ran").exists()
    for loaded in (
        load_checkpoint(run.path, "mine.py:make"),
        load_checkpoint(run.path, trust=True),
    ):
        assert loaded.model.out_features == 5
        assert loaded.spec.name == f"{run.path.parent}/mine.py:make"


def test_what_the_user_gives_is_not_checked_and_wins(run):
    model = {"name": "mine.py:make", "arguments": {"width": "/tmp/x"}}
    run.write_config({"model": model, "data": {}})
    with pytest.raises(InputError, match="the argument width=/tmp/x, which may open a file"):
        load_checkpoint(run.path, "mine.py:make")
    assert load_checkpoint(run.path, "mine.py:make", {"width": 5}).model.out_features == 5


@pytest.mark.parametrize("data", ["digits", "cifar10", "imagefolder"])
def test_folders_of_plain_data_are_taken_from_the_file(data):
    settings = remembered_data({"data": {"data": data, "data_dir": "/data", "crop": 0.9}}, FILE, {})
    assert (settings.data, settings.data_dir, settings.crop) == (data, "/data", 0.9)
    settings = remembered_data({"data": {"data": data}}, FILE, {"data_dir": "here", "crop": 0.5})
    assert (settings.data_dir, settings.crop) == ("here", 0.5)


def test_a_function_and_its_folder_have_to_be_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = {"data": {"data": f"{tmp_path}/mine.py:load", "data_dir": "/data", "image_size": 8}}
    with pytest.raises(InputError, match="which would run the code in"):
        remembered_data(config, FILE, {"data_dir": "/data"})
    with pytest.raises(InputError, match="the folder /data to open"):
        remembered_data(config, FILE, {"data": "mine.py:load"})
    named = remembered_data(config, FILE, {"data": "mine.py:load", "data_dir": "/data"})
    assert named == remembered_data(config, FILE, {}, trust=True)
    assert (named.data_dir, named.image_size) == ("/data", 8)


@pytest.mark.parametrize("data", [{"data": 3}, {"data": "digits", "data_dir": ["a"]}])
def test_names_that_are_no_texts_are_refused(data):
    with pytest.raises(InputError, match="has to be a text"):
        remembered_data({"data": data}, FILE, {})

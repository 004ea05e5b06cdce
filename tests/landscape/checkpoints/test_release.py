"""Runs made ready to hand on: every reader takes them as it takes the run itself."""

import json

import pytest
import torch
from safetensors.torch import load_file

from landscape.checkpoints.identity import hash_checkpoints
from landscape.checkpoints.load import load_checkpoint
from landscape.checkpoints.release import release_run
from landscape.checkpoints.run import LAST, METRIC_COLUMNS, RELEASED_WEIGHTS, RunDirectory, run_of
from landscape.errors import InputError
from landscape.models.catalog import ModelSpec

DATA = {"data": "cifar10", "data_dir": "/of/this/machine"}
RESNET = {"layers": [1, 1], "width": 4, "block": "basic", "stem": "small", "num_classes": 3}


@pytest.fixture
def run(tmp_path):
    """A run of a network with BatchNorm, whose counters are no floats."""
    run = RunDirectory(tmp_path / "run")
    run.path.mkdir()
    run.write_config({"model": {"name": "resnet", "arguments": RESNET}, "data": DATA})
    run.write_metrics([dict.fromkeys(METRIC_COLUMNS, 1.0)])
    torch.manual_seed(0)
    state = ModelSpec("resnet", RESNET).build().state_dict()
    run.save(LAST, {"model": state, "epoch": 1, "optimizer": {"state": {}}})
    return run


def test_a_released_run_is_read_as_the_run_is(run, tmp_path):
    release_run(run.path, tmp_path / "released")
    assert run_of(tmp_path / "released") == RunDirectory(tmp_path / "released")
    before, after = (load_checkpoint(path) for path in (run.path, tmp_path / "released"))
    assert after.spec == before.spec
    assert after.config == {**before.config, "data": {"data": "cifar10", "data_dir": ""}}
    assert after.path == tmp_path / "released" / RELEASED_WEIGHTS
    for name, value in before.model.state_dict().items():
        assert torch.equal(after.model.state_dict()[name], value), name
    assert RunDirectory(tmp_path / "released").read_metrics() == run.read_metrics()
    assert list(hash_checkpoints(str(tmp_path / "released"))) == [str(after.path)]


def test_the_file_of_weights_is_read_as_its_folder_is(run, tmp_path):
    file = release_run(run.path, tmp_path / "released")
    by_file, by_folder = load_checkpoint(file), load_checkpoint(file.parent)
    assert by_file.sha256 == by_folder.sha256
    assert by_file.config == by_folder.config


def test_half_precision_rounds_each_weight_once(run, tmp_path):
    file = release_run(run.path, tmp_path / "half", torch.float16)
    whole = release_run(run.path, tmp_path / "whole")
    kinds = {value.dtype for value in load_file(file).values()}
    assert kinds == {torch.float16, torch.int64}
    rounded, exact = (load_checkpoint(path.parent).model for path in (file, whole))
    for name, value in exact.state_dict().items():
        kept = rounded.state_dict()[name]
        assert kept.dtype == value.dtype
        assert torch.equal(kept, value.half().to(value.dtype)), name


def test_a_weight_that_is_too_large_is_refused(run, tmp_path):
    state = run.load(LAST)
    state["model"]["fc.bias"][0] = 1e6
    run.save(LAST, state)
    with pytest.raises(InputError, match=r"fc.bias does not fit into torch.float16.* 1e\+06"):
        release_run(run.path, tmp_path / "half", torch.float16)
    assert not (tmp_path / "half").exists()


def test_a_model_of_hugging_face_is_no_released_run(run, tmp_path):
    folder = tmp_path / "hub"
    file = release_run(run.path, folder)
    (folder / "config.json").write_text(json.dumps({"model_type": "vit"}))
    assert run_of(folder) is None
    assert run_of(file) is None

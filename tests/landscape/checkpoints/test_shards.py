"""Weights in several files: indexes of shards, distributed checkpoints, and folders."""

import json
import pickle
import shutil
from importlib import import_module
from pathlib import Path

import pytest
import torch
import torch.distributed.checkpoint as dcp
from torch.distributed.checkpoint.filesystem import _StorageInfo
from torch.distributed.checkpoint.metadata import Metadata

from landscape.checkpoints.contents import content_hash, read_contents
from landscape.checkpoints.load import load_checkpoint, locate
from landscape.errors import InputError
from tests.landscape.checkpoints.networks import assert_weights, net, state

pytestmark = pytest.mark.filterwarnings(
    "ignore:torch.distributed is",
    "ignore:TypedStorage is deprecated",  # torch 2.6 as it saves a distributed checkpoint
)


@pytest.fixture(params=["safetensors", "bin"])
def sharded(request, tmp_path):
    """A folder with two shards and their index, and the weights in it."""
    folder = tmp_path / "sharded"
    folder.mkdir()
    expected = state()
    names = sorted(expected)
    halves = {"part-1": names[:5], "part-2": names[5:]}
    for part, members in halves.items():
        tensors = {name: expected[name] for name in members}
        if request.param == "safetensors":
            save_file = import_module("safetensors.torch").save_file
            save_file(tensors, folder / f"{part}.safetensors")
        else:
            torch.save(tensors, folder / f"{part}.bin")
    weight_map = {name: f"{part}.{request.param}" for part, ns in halves.items() for name in ns}
    stem = {"safetensors": "model.safetensors", "bin": "pytorch_model.bin"}[request.param]
    (folder / f"{stem}.index.json").write_text(json.dumps({"weight_map": weight_map}))
    (folder / "config.json").write_text('{"model_type": "mine"}')
    return folder, expected


def test_an_index_or_its_folder(sharded):
    folder, expected = sharded
    (index,) = folder.glob("*.index.json")
    for path in (folder, index):
        network = net()
        checkpoint = load_checkpoint(path, network)
        assert checkpoint.path == index
        assert_weights(network, expected)
    before = content_hash(index)
    shard = next(folder.glob("part-2.*"))
    shard.write_bytes(shard.read_bytes() + b" ")
    assert content_hash(index) != before


def test_an_index_without_a_shard_is_refused(sharded):
    folder, _ = sharded
    next(folder.glob("part-2.*")).unlink()
    with pytest.raises(InputError, match=r"needs 2 files and part-2.* is not beside it"):
        load_checkpoint(folder, net())


def test_an_index_names_no_file_elsewhere(sharded, tmp_path):
    folder, _ = sharded
    (index,) = folder.glob("*.index.json")
    torch.save(state(), tmp_path / "secret.bin")
    index.write_text(json.dumps({"weight_map": {"conv.weight": "../secret.bin"}}))
    with pytest.raises(InputError, match="names a file outside of its folder"):
        read_contents(index)


@pytest.fixture
def distributed(tmp_path):
    """A distributed checkpoint of a network and its optimizer, and the weights in it."""
    network = net()
    optimizer = torch.optim.Adam(network.parameters())
    sum(p.sum() for p in network.parameters()).backward()
    optimizer.step()
    content = {"model": network.state_dict(), "optim": optimizer.state_dict(), "epoch": 3}
    dcp.save(content, checkpoint_id=tmp_path / "dcp")
    return tmp_path / "dcp", dict(network.state_dict())


def test_a_distributed_checkpoint(distributed):
    folder, expected = distributed
    network = net()
    checkpoint = load_checkpoint(folder, network)
    assert (checkpoint.path, checkpoint.weights_key) == (folder, "model")
    assert_weights(network, expected)


class Code:
    """Unpickling it makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_metadata_run_no_code(distributed, tmp_path):
    folder, _ = distributed
    sign = tmp_path / "it ran"
    for planted in (Code(sign), Metadata({}, Code(sign), {})):
        (folder / ".metadata").write_bytes(pickle.dumps(planted))
        with pytest.raises(InputError, match="no part of such metadata"):
            read_contents(folder, trust=True)
        assert not sign.exists()


def test_metadata_name_no_file_elsewhere(distributed):
    folder, _ = distributed
    file = folder / ".metadata"
    metadata = pickle.loads(file.read_bytes())
    for info in metadata.storage_data.values():
        info.relative_path = f"../{info.relative_path}"
    file.write_bytes(pickle.dumps(metadata))
    with pytest.raises(InputError, match="names files outside of the folder"):
        read_contents(folder)


def test_metadata_take_no_memory_that_the_files_do_not_have(distributed):
    folder, _ = distributed
    file = folder / ".metadata"
    metadata = pickle.loads(file.read_bytes())
    metadata.state_dict_metadata["model.fc1.weight"].size = torch.Size([10**9, 10**3])
    file.write_bytes(pickle.dumps(metadata))
    with pytest.raises(InputError, match="is incomplete: its tensors take 4,000,000,"):
        read_contents(folder)


def test_sizes_are_checked_by_a_torch_that_can_not_pack_tensors(distributed, monkeypatch):
    """The entries of torch 2.6 do not say how they are packed."""
    monkeypatch.delattr(_StorageInfo, "transform_descriptors", raising=False)
    test_metadata_take_no_memory_that_the_files_do_not_have(distributed)


@pytest.mark.parametrize("damage", ["no shard", "short shard", "short metadata"])
def test_a_damaged_distributed_checkpoint_is_refused(distributed, damage):
    folder, _ = distributed
    (shard,) = folder.glob("*.distcp")
    if damage == "no shard":
        shard.unlink()
    elif damage == "short shard":
        shard.write_bytes(shard.read_bytes()[:5000] + bytes(20_000))
    else:
        file = folder / ".metadata"
        file.write_bytes(file.read_bytes()[:300])
    with pytest.raises(InputError, match="damaged or incomplete|lacks") as caught:
        read_contents(folder)
    assert "\n" not in str(caught.value)


def test_folders_with_one_known_file(tmp_path):
    torch.save(state(), tmp_path / "pytorch_model.bin")
    assert locate(tmp_path) == (tmp_path / "pytorch_model.bin", None)


def test_other_folders_say_what_they_hold(tmp_path):
    with pytest.raises(InputError, match="it has no config.json, and no checkpoints either"):
        locate(tmp_path)
    torch.save(state(), tmp_path / "best.pth")
    with pytest.raises(InputError, match="give one of its files instead: best.pth"):
        locate(tmp_path)
    shutil.copy(tmp_path / "best.pth", tmp_path / "saved_model.pb")
    with pytest.raises(InputError, match="a TensorFlow SavedModel"):
        locate(tmp_path)

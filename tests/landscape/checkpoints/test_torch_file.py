import argparse
import collections
import datetime
import pickle
import types
import warnings
import zipfile
from collections import OrderedDict
from importlib import import_module
from pathlib import Path, PureWindowsPath

import numpy as np
import pytest
import torch
from torch import nn

from landscape.checkpoints.contents import read_contents
from landscape.checkpoints.foreign.torch_file import read_torch_file
from landscape.errors import InputError


def state():
    return {"weight": torch.randn(30, 20), "bias": torch.randn(30), "steps": torch.tensor(7)}


def assert_same(actual, expected):
    assert list(actual) == list(expected)
    assert all(torch.equal(actual[key], value) for key, value in expected.items())


@pytest.fixture
def file(tmp_path):
    return tmp_path / "some.pt"


# ------------------------------------------------------------------------------- reading


@pytest.mark.parametrize("name", ["a.pt", "a.pth", "a.ckpt", "a.pth.tar", "a.bin"])
def test_any_ending(tmp_path, name):
    expected = state()
    torch.save(expected, tmp_path / name)
    assert_same(read_torch_file(tmp_path / name), expected)


def test_the_older_file_format(file):
    expected = OrderedDict(state())
    torch.save(expected, file, _use_new_zipfile_serialization=False)
    assert_same(read_torch_file(file), expected)


def test_safetensors(tmp_path):
    save_file = import_module("safetensors.torch").save_file
    expected = {"a.weight": torch.randn(3, 2, dtype=torch.float64), "b": torch.randn(4).half()}
    save_file(expected, tmp_path / "a.safetensors")
    content = read_contents(tmp_path / "a.safetensors")
    assert_same(content, expected)
    assert content["a.weight"].dtype == torch.float64


def test_a_command_line_beside_the_weights_is_harmless(file):
    """timm and torchvision store an argparse.Namespace."""
    expected = state()
    arguments = argparse.Namespace(lr=0.1, model="vit", opt_betas=[0.9, 0.999], resume=None)
    torch.save({"state_dict": expected, "args": arguments, "epoch": 3}, file)
    content = read_torch_file(file)
    assert content["args"] == arguments
    assert content["epoch"] == 3
    assert_same(content["state_dict"], expected)


HARMLESS = {
    "numpy scalar": np.float64(0.5),
    "numpy bool": np.bool_(True),
    "numpy text": np.str_("a"),
    "numpy array": np.arange(3.0),
    "path": Path("/data/x"),
    "namespace": types.SimpleNamespace(a=1, b=[2]),
    "ordered dict": OrderedDict(a=1),
    "default dict": collections.defaultdict(list, a=[1]),
    "counter": collections.Counter("aab"),
    "deque": collections.deque([1, 2], maxlen=3),
    "date and time": datetime.datetime(2026, 1, 2, 3, 4, tzinfo=datetime.UTC),
    "time span": datetime.timedelta(seconds=3),
    "size": torch.Size([2, 3]),
    "type": torch.bfloat16,
    "device": torch.device("cpu"),
    "set": {1, 2},
    "complex": 1 + 2j,
}


@pytest.mark.parametrize("kind", HARMLESS)
@pytest.mark.parametrize("newer", [True, False])
def test_plain_values_beside_the_weights_need_no_trust(file, kind, newer):
    expected, value = state(), HARMLESS[kind]
    content = {"state_dict": expected, "value": {"nested": [value]}}
    torch.save(content, file, _use_new_zipfile_serialization=newer)
    content = read_torch_file(file)
    assert_same(content["state_dict"], expected)
    (loaded,) = content["value"]["nested"]
    if isinstance(value, collections.deque):
        value = list(value)
    assert np.array_equal(loaded, value) if isinstance(value, np.ndarray) else loaded == value


MAKE_ARRAY, MAKE_TYPE = b"cnumpy\nndarray\n", b"cnumpy\ndtype\n"
ATTACKS = {
    "an array at any address": MAKE_ARRAY
    + b"((I1\nt"
    + MAKE_TYPE
    + b"(X\x02\x00\x00\x00O8tRC\x08\x10\x00\x00\x00\x00\x00\x00\x00tR",
    "an array of any size": MAKE_ARRAY + b"((I100000000000\nttR",
    "a type of objects": MAKE_TYPE + b"(X\x02\x00\x00\x00O8tR",
    "a type of negative size": MAKE_TYPE
    + b"(X\x02\x00\x00\x00S1I00\nI01\ntR(I3\nX\x01\x00\x00\x00|NNNI-5\nI1\nI0\ntb",
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_arrays_that_a_file_makes_up_are_not_made(file, attack):
    """They would read, or ask for, any memory."""
    torch.save({"weight": torch.ones(2)}, file)
    with zipfile.ZipFile(file) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in contents.items():
            made_up = b"\x80\x02" + ATTACKS[attack] + b"."
            archive.writestr(name, made_up if name.endswith("data.pkl") else content)
    try:
        loaded = read_torch_file(file)
    except InputError:
        return
    assert loaded.type.itemsize > 0  # an empty stand-in for a type, which has no values


class WindowsPath:
    """Pickled as a path of Windows is there, which can't be made elsewhere."""

    def __reduce__(self):
        return WindowsPath, ("C:/", "runs", "a")


WindowsPath.__module__ = "pathlib"


def test_paths_of_windows_are_pure_ones(file, monkeypatch):
    monkeypatch.setattr("pathlib.WindowsPath", WindowsPath)
    torch.save({"weight": torch.ones(2), "where": WindowsPath()}, file)
    monkeypatch.undo()
    assert read_torch_file(file)["where"] == PureWindowsPath("C:/runs/a")


class Touch:
    """Code in a pickle: unpickling it makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_code_in_a_file_runs_only_with_trust(file, tmp_path):
    sign = tmp_path / "it ran"
    torch.save({"state_dict": state(), "extra": Touch(sign)}, file)
    with pytest.raises(InputError, match="--trust"):
        read_torch_file(file)
    assert not sign.exists()
    assert set(read_torch_file(file, trust=True)) == {"state_dict", "extra"}
    assert sign.exists()


def test_all_types_that_need_trust_are_named(file, tmp_path):
    torch.save({"a": Touch(tmp_path / "x"), "b": nn.ReLU()}, file)
    with pytest.raises(InputError) as caught:
        read_torch_file(file)
    assert "builtins.getattr" in str(caught.value)
    assert "torch.nn.modules.activation.ReLU" in str(caught.value)


def test_a_whole_model_needs_trust(file):
    model = nn.Linear(2, 2)
    torch.save(model, file)
    with pytest.raises(InputError, match=r"torch.nn.modules.linear.Linear.*--trust"):
        read_torch_file(file)
    assert_same(read_torch_file(file, trust=True).state_dict(), model.state_dict())


def test_a_torchscript_archive_needs_trust(file):
    model = nn.Linear(2, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit is deprecated
        torch.jit.trace(model, torch.ones(1, 2)).save(file)
    with pytest.raises(InputError, match="is a TorchScript archive.*--trust"):
        read_torch_file(file)
    assert_same(read_torch_file(file, trust=True).state_dict(), model.state_dict())


def test_a_plain_pickle_needs_trust(file, tmp_path):
    """As detectron2 publishes weights: arrays of numpy by name."""
    arrays = {"model": {"weight": np.ones(3)}}
    file.write_bytes(pickle.dumps(arrays))
    with pytest.raises(InputError, match="is a plain pickle.*--trust"):
        read_torch_file(file)
    assert np.array_equal(read_torch_file(file, trust=True)["model"]["weight"], np.ones(3))
    sign = tmp_path / "it ran"
    file.write_bytes(pickle.dumps(Touch(sign)))
    with pytest.raises(InputError, match="--trust"):
        read_torch_file(file)
    assert not sign.exists()


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such checkpoint: .*absent.pt"):
        read_torch_file(tmp_path / "absent.pt")
    with pytest.raises(InputError, match="no such checkpoint"):
        read_torch_file(tmp_path)


@pytest.mark.parametrize("trust", [False, True])
@pytest.mark.parametrize("kept", [0.0, 0.1, 0.5, 0.99])
@pytest.mark.parametrize("newer", [True, False])
def test_a_truncated_file_is_refused(file, kept, newer, trust):
    torch.save(state(), file, _use_new_zipfile_serialization=newer)
    content = file.read_bytes()
    file.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(InputError, match="is truncated") as caught:
        read_torch_file(file, trust=trust)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kept", [0.0, 0.01, 0.5])
def test_truncated_safetensors_are_refused(tmp_path, kept):
    save = import_module("safetensors.torch").save
    content = save(state())
    file = tmp_path / "a.safetensors"
    file.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(InputError, match="is truncated"):
        read_contents(file)


def test_the_content_tells_the_format_and_not_the_name(tmp_path):
    save_file = import_module("safetensors.torch").save_file
    expected = state()
    save_file(expected, tmp_path / "pytorch_model.bin")
    torch.save(expected, tmp_path / "model.safetensors")
    np.savez(tmp_path / "arrays", **{name: value.numpy() for name, value in expected.items()})
    (tmp_path / "arrays.npz").rename(tmp_path / "arrays.pt")
    for name in ("pytorch_model.bin", "model.safetensors", "arrays.pt"):
        content = read_contents(tmp_path / name)
        assert set(content) == set(expected)
        assert all(np.array_equal(content[key], value) for key, value in expected.items())


def test_an_archive_on_several_disks_is_refused_in_one_line(tmp_path):
    """zipfile raises for it where it is asked whether it is an archive at all."""
    path = tmp_path / "weights.pt"
    torch.save({"weight": torch.zeros(3)}, path)
    content = bytearray(path.read_bytes())
    locator = content.rindex(b"PK\x06\x07")  # of the end of an archive of the 64-bit kind
    content[locator + 16 : locator + 20] = (2).to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(InputError, match="weights.pt is truncated: an archive") as error:
        read_torch_file(path)
    assert "\n" not in str(error.value)

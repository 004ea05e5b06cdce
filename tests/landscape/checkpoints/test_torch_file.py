import argparse
import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from landscape.checkpoints.foreign.torch_file import (
    find_state_dict,
    read_torch_file,
    strip_wrappers,
)
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
    save_file = pytest.importorskip("safetensors.torch").save_file
    expected = {"a.weight": torch.randn(3, 2, dtype=torch.float64), "b": torch.randn(4).half()}
    save_file(expected, tmp_path / "a.safetensors")
    content = read_torch_file(tmp_path / "a.safetensors")
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


def test_numpy_scalars_need_trust(file):
    expected = state()
    torch.save({"state_dict": expected, "best": np.float64(0.5)}, file)
    with pytest.raises(InputError, match=r"pickled objects.*numpy.*scalar.*--trust") as caught:
        read_torch_file(file)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)
    content = read_torch_file(file, trust=True)
    assert content["best"] == 0.5
    assert_same(content["state_dict"], expected)


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


def test_a_whole_model_is_refused(file):
    torch.save(nn.Linear(2, 2), file)
    with pytest.raises(InputError, match=r"torch.nn.modules.linear.Linear.*--trust"):
        read_torch_file(file)
    with pytest.raises(InputError, match=r"holds a Linear.*save model.state_dict\(\)"):
        read_torch_file(file, trust=True)


@pytest.mark.parametrize("content", [[1, 2], torch.zeros(2)], ids=["list", "tensor"])
def test_what_is_no_mapping_is_refused(file, content):
    torch.save(content, file)
    with pytest.raises(InputError, match=f"holds a {type(content).__name__}, not a state dict"):
        read_torch_file(file)


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
    with pytest.raises(InputError, match="is truncated or not a torch checkpoint") as caught:
        read_torch_file(file, trust=trust)
    assert "\n" not in str(caught.value)


GARBAGE = {
    "zeros": bytes(100),
    "noise": np.random.default_rng(0).bytes(1000),
    "a web page": b"<!DOCTYPE html><html><body class='global'>404</body></html>",
    "a pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
    "a pickle": pickle.dumps({"weight": [1.0, 2.0]}, protocol=4),
}


@pytest.mark.parametrize("kind", GARBAGE)
def test_garbage_is_refused(file, kind):
    file.write_bytes(GARBAGE[kind])
    with pytest.raises(InputError, match="is truncated or not a torch checkpoint") as caught:
        read_torch_file(file)
    assert "\n" not in str(caught.value)
    # An option of torch.load that nobody at our command line can set.
    assert "weights_only" not in str(caught.value)


@pytest.mark.parametrize("kept", [0.0, 0.01, 0.5])
def test_truncated_safetensors_are_refused(tmp_path, kept):
    save = pytest.importorskip("safetensors.torch").save
    content = save(state())
    file = tmp_path / "a.safetensors"
    file.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(InputError, match="is truncated or not a torch checkpoint"):
        read_torch_file(file)


# ------------------------------------------------------------------------------- finding


def test_weights_at_the_top_level():
    expected = state()
    weights, key = find_state_dict(expected, Path("x.pt"))
    assert key == ""
    assert_same(weights, expected)


@pytest.mark.parametrize("key", ["state_dict", "model", "model_ema", "state_dict_ema"])
def test_weights_under_a_key(key):
    expected = state()
    content = {"epoch": 3, key: expected, "optimizer": {"state": {}, "param_groups": []}}
    weights, where = find_state_dict(content, Path("x.pt"))
    assert where == key
    assert_same(weights, expected)


def test_averaged_weights_come_first():
    plain, averaged = state(), state()
    for first, second in (("state_dict_ema", "state_dict"), ("model_ema", "model")):
        weights, key = find_state_dict({second: plain, first: averaged}, Path("x.pt"))
        assert key == first
        assert_same(weights, averaged)


def test_a_layer_named_model_is_no_nested_state_dict():
    content = {"model": torch.zeros(2), "state_dict": torch.ones(2)}
    weights, key = find_state_dict(content, Path("x.pt"))
    assert key == ""
    assert_same(weights, content)


@pytest.mark.parametrize(
    "content",
    [{}, {"epoch": 3, "lr": 0.1}, {"model": {}}, {"model": {"lr": 0.1}}, {"net": {"w": 1}}],
    ids=["empty", "numbers", "empty model", "settings", "another key"],
)
def test_no_weights_are_refused(content):
    with pytest.raises(InputError, match="x.pt has no weights.*state_dict_ema") as caught:
        find_state_dict(content, Path("x.pt"))
    assert all(key in str(caught.value) for key in content)


# ------------------------------------------------------------------------------- prefixes


@pytest.mark.parametrize(
    "prefix", ["", "module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module."]
)
def test_prefixes_of_wrappers_are_stripped(prefix):
    expected = state()
    wrapped = {prefix + key: value for key, value in expected.items()}
    assert_same(strip_wrappers(wrapped, set(expected)), expected)


@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod."])
def test_a_layer_named_module_keeps_its_name(prefix):
    expected = {"module.weight": torch.zeros(2), "head.module.bias": torch.ones(3)}
    wrapped = {prefix + key: value for key, value in expected.items()}
    assert_same(strip_wrappers(wrapped, set(expected)), expected)


def test_wrapping_is_taken_off_of_all_names_or_none():
    """DataParallel around a model that has ``weight`` and, in a layer named module, another."""

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(2))
            self.module = nn.Linear(2, 2, bias=False)

    model = Model()
    wrapped = nn.DataParallel(model).state_dict()
    assert set(wrapped) == {"module.weight", "module.module.weight"}
    assert_same(strip_wrappers(wrapped, set(model.state_dict())), model.state_dict())


def test_a_prefix_inside_a_name_is_left_alone():
    names = {"encoder.module.weight": torch.zeros(1)}
    assert_same(strip_wrappers(names, {"encoder.weight"}), names)

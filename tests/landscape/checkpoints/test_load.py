import hashlib
import json
from importlib import import_module

import pytest
import torch
from torch import nn

from landscape.checkpoints.load import fit_weights, load_checkpoint
from landscape.checkpoints.run import BEST, CONFIG, LAST, RunDirectory
from landscape.errors import InputError
from landscape.models.catalog import ModelSpec, resolve_model
from tests.oracles.cases import randomise

MIXER = {
    "image_size": 4,
    "patch_size": 2,
    "dim": 6,
    "depth": 1,
    "token_dim": 5,
    "channel_dim": 8,
    "num_classes": 3,
}
RESNET = {"layers": [1], "block": "basic", "width": 3, "stem": "small", "num_classes": 3}


def random_model(name="mixer", arguments=MIXER):
    return randomise(resolve_model(name, arguments).build())


def assert_weights(model, state):
    actual = model.state_dict()
    assert set(actual) == set(state)
    for key, value in state.items():
        assert torch.equal(actual[key], value), key


@pytest.fixture
def save(tmp_path):
    def save(content, name="some.pt"):
        torch.save(content, tmp_path / name)
        return tmp_path / name

    return save


@pytest.fixture
def run(tmp_path):
    """A run directory of a random Mixer, in its last state, and of another, in its best."""
    run = RunDirectory(tmp_path / "run")
    run.path.mkdir()
    run.write_config({"model": {"name": "mixer", "arguments": MIXER}, "data": {"data": "digits"}})
    run.save(LAST, {"model": random_model().state_dict(), "epoch": 2, "optimizer": {"state": {}}})
    run.save(BEST, {"model": random_model().state_dict(), "epoch": 1})
    return run


# ------------------------------------------------------------------------------- files


@pytest.mark.parametrize("key", ["", "state_dict", "model", "model_ema", "state_dict_ema"])
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.module."])
def test_weights_wherever_they_are(save, key, prefix):
    state = random_model().state_dict()
    content = {prefix + name: value for name, value in state.items()}
    path = save({key: content, "epoch": 3} if key else content)
    checkpoint = load_checkpoint(path, "mixer", MIXER)
    assert_weights(checkpoint.model, state)
    assert checkpoint.weights_key == key
    assert checkpoint.spec == ModelSpec("mixer", MIXER)
    assert checkpoint.path == path
    assert checkpoint.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert checkpoint.config is None


def test_safetensors(tmp_path):
    save_file = import_module("safetensors.torch").save_file
    state = random_model().state_dict()
    save_file(state, tmp_path / "a.safetensors")
    checkpoint = load_checkpoint(tmp_path / "a.safetensors", "mixer", MIXER)
    assert_weights(checkpoint.model, state)


def test_facts_settle_the_sizes_that_nothing_else_does(save):
    sizes = {key: value for key, value in MIXER.items() if key not in ("image_size", "num_classes")}
    path = save(random_model().state_dict())
    facts = {"image_size": 4, "num_classes": 3, "channels": 3}
    assert load_checkpoint(path, "mixer", sizes, facts=facts).spec.arguments == {**MIXER, **facts}


def test_running_statistics_are_loaded(save):
    model = random_model("resnet", RESNET)
    loaded = load_checkpoint(save(model.state_dict()), "resnet", RESNET).model
    assert_weights(loaded, model.state_dict())
    assert not torch.equal(loaded.bn1.running_mean, torch.zeros(3))


def test_counters_of_batches_may_be_missing(save):
    """Files older than PyTorch 0.4.1 have none."""
    state = random_model("resnet", RESNET).state_dict()
    kept = {key: value for key, value in state.items() if not key.endswith("batches_tracked")}
    assert len(kept) < len(state)
    loaded = load_checkpoint(save(kept), "resnet", RESNET).model
    assert_weights(loaded, state)


def test_double_precision_is_not_rounded(save):
    state = randomise(resolve_model("mixer", MIXER).build().double()).state_dict()
    assert not torch.equal(state["head.weight"].float().double(), state["head.weight"])
    assert_weights(load_checkpoint(save(state), "mixer", MIXER).model, state)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_becomes_single(save, dtype):
    state = random_model().to(dtype).state_dict()
    loaded = load_checkpoint(save(state), "mixer", MIXER).model
    assert_weights(loaded, {key: value.float() for key, value in state.items()})


def test_a_trusted_file(save):
    content = {"state_dict": random_model().state_dict(), "layer": nn.ReLU()}
    path = save(content)
    with pytest.raises(InputError, match="--trust"):
        load_checkpoint(path, "mixer", MIXER)
    checkpoint = load_checkpoint(path, "mixer", MIXER, trust=True)
    assert_weights(checkpoint.model, content["state_dict"])


USER_FILE = """
from torch import nn

class Net(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.module = nn.Linear(2, width)
"""


def test_a_layer_named_module_in_a_users_model(save, tmp_path):
    (tmp_path / "mine.py").write_text(USER_FILE)
    state = {"module.weight": torch.randn(3, 2), "module.bias": torch.randn(3)}
    name = f"{tmp_path / 'mine.py'}:Net"
    plain = load_checkpoint(save(state), name, {"width": 3})
    assert_weights(plain.model, state)
    wrapped = {f"module.{key}": value for key, value in state.items()}
    assert_weights(load_checkpoint(save(wrapped), name, {"width": 3}).model, state)


# ------------------------------------------------------------------------------- runs


def test_a_run_directory_is_its_last_state(run):
    checkpoint = load_checkpoint(run.path)
    assert_weights(checkpoint.model, run.load(LAST)["model"])
    assert checkpoint.path == run.path / LAST
    assert checkpoint.spec == ModelSpec("mixer", MIXER)
    assert checkpoint.config == run.read_config()
    assert checkpoint.weights_key == "model"
    assert checkpoint.sha256 == hashlib.sha256((run.path / LAST).read_bytes()).hexdigest()


def test_a_file_in_a_run_directory_knows_its_model(run):
    checkpoint = load_checkpoint(run.path / BEST)
    assert_weights(checkpoint.model, run.load(BEST)["model"])
    assert checkpoint.config == run.read_config()


def test_a_kept_epoch_knows_its_model(run):
    state = random_model().state_dict()
    run.save_epoch(10, state)
    checkpoint = load_checkpoint(run.path / "epochs" / "0010.pt")
    assert_weights(checkpoint.model, state)
    assert checkpoint.path == run.path / "epochs" / "0010.pt"
    assert checkpoint.config == run.read_config()
    assert checkpoint.weights_key == "model"


def test_arguments_override_those_of_the_run(run):
    model = load_checkpoint(run.path, model_args={"activation": "relu"}).model
    assert isinstance(model.blocks[0].mlp_tokens.act, nn.ReLU)
    with pytest.raises(InputError, match="last.pt does not fit the model"):
        load_checkpoint(run.path, model_args={"num_classes": 4})


def test_a_model_overrides_that_of_the_run(run):
    sizes = {**MIXER, "activation": "relu"}
    checkpoint = load_checkpoint(run.path, "mixer", sizes)
    assert checkpoint.spec == ModelSpec("mixer", sizes)
    assert checkpoint.config == run.read_config()


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(InputError, match="is not a run directory: it has no config.json"):
        load_checkpoint(tmp_path, "mixer", MIXER)


def test_a_run_without_a_state_is_refused(run):
    (run.path / LAST).unlink()
    with pytest.raises(InputError, match="no such checkpoint: .*last.pt"):
        load_checkpoint(run.path)


@pytest.mark.parametrize(
    "model",
    [{}, {"name": "mixer"}, {"arguments": MIXER}, "mixer", {"name": "convnet", "arguments": {}}],
    ids=["empty", "no arguments", "no name", "text", "unknown name"],
)
def test_a_run_whose_config_names_no_model_is_refused(run, model):
    (run.path / CONFIG).write_text(json.dumps({"model": model, "data": {}}))
    with pytest.raises(InputError):
        load_checkpoint(run.path)


# ------------------------------------------------------------------------------- refusals


def test_a_file_without_a_model_is_refused(save):
    with pytest.raises(InputError, match="is not part of a run directory; say .* with --model"):
        load_checkpoint(save(random_model().state_dict()))


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such checkpoint: .*absent.pt"):
        load_checkpoint(tmp_path / "absent.pt", "mixer", MIXER)


def test_missing_and_unexpected_keys_are_named(save):
    state = random_model().state_dict()
    state["classifier.bias"] = state.pop("head.bias")
    with pytest.raises(InputError) as caught:
        load_checkpoint(save(state), "mixer", MIXER)
    text = str(caught.value)
    assert "some.pt does not fit the model; " in text
    assert "missing keys: head.bias;" in text
    assert "unexpected keys: classifier.bias." in text
    assert "wrong shapes" not in text
    assert "--model-args" in text
    assert "\n" not in text


def test_wrong_shapes_are_named(save):
    path = save(random_model().state_dict())
    with pytest.raises(InputError, match=r"wrong shapes: head.weight \(3, 6\) instead of \(5, 6\)"):
        load_checkpoint(path, "mixer", {**MIXER, "num_classes": 5})


def test_many_problems_are_counted(save):
    path = save(random_model().state_dict())
    expected = "missing keys: blocks.1.norm1.weight, .*, .*, .* and 8 more"
    with pytest.raises(InputError, match=expected):
        load_checkpoint(path, "mixer", {**MIXER, "depth": 2})


def test_a_model_that_does_not_fit_is_left_as_it_is(tmp_path):
    model, another = random_model(), random_model()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    state = another.state_dict()
    del state["head.bias"]
    with pytest.raises(InputError, match="missing keys: head.bias"):
        fit_weights(model, state, tmp_path / "x.pt")
    assert_weights(model, before)

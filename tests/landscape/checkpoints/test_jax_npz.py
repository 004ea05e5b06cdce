import re
from pathlib import Path

import numpy as np
import pytest
import torch

from landscape.checkpoints.foreign.jax_npz import (
    convert_jax_parameters,
    count_heads,
    read_jax_file,
)
from landscape.checkpoints.load import load_checkpoint
from landscape.errors import InputError
from landscape.objective.objective import Objective

SIZES = {
    "vit": {
        "image_size": 32,
        "patch_size": 8,
        "dim": 32,
        "depth": 2,
        "heads": 4,
        "mlp_dim": 64,
        "num_classes": 10,
    },
    "mixer": {
        "image_size": 32,
        "patch_size": 8,
        "dim": 32,
        "depth": 2,
        "token_dim": 24,
        "channel_dim": 64,
        "num_classes": 10,
    },
}

# The spelling of the published files of the papers.
OLDER = [
    ("MlpBlock_0", "MlpBlock_3"),
    ("MultiHeadDotProductAttention_0", "MultiHeadDotProductAttention_1"),
    (r"(encoderblock_\d+/)LayerNorm_1", r"\1LayerNorm_2"),
]

families = pytest.mark.parametrize("family", ["vit", "mixer"])


def respell(arrays, prefix="opt/target/"):
    renamed = {}
    for key, value in arrays.items():
        for newer, older in OLDER:
            key = re.sub(newer, older, key)
        renamed[prefix + key] = value
    return renamed


@pytest.fixture
def arrays(shared_data):
    """The parameters of a family's file, by their key in it."""

    def read(family):
        with np.load(shared_data / f"official_{family}_tiny.npz") as file:
            return {key: file[key] for key in file.files}

    return read


@pytest.fixture
def write(tmp_path):
    def write(arrays):
        np.savez(tmp_path / "written.npz", **arrays)
        return tmp_path / "written.npz"

    return write


@pytest.fixture
def spelled(shared_data, arrays, write):
    """A family's file in one of the spellings."""

    def spelled(family, spelling):
        if spelling == "newer":
            return shared_data / f"official_{family}_tiny.npz"
        if spelling == "newer under params":
            return write({f"params/{key}": value for key, value in arrays(family).items()})
        if spelling == "older without prefix":
            return write(respell(arrays(family), prefix=""))
        content = respell(arrays(family))
        content["opt/state/step"] = np.array(7)
        content["opt/state/param_states/head/bias/momentum"] = np.zeros(10, np.float32)
        return write(content)

    return spelled


@pytest.mark.parametrize(
    "spelling", ["newer", "newer under params", "older", "older without prefix"]
)
@families
def test_the_model_is_that_of_the_reference_implementation(shared_data, spelled, family, spelling):
    """Logits, loss and gradient norm as JAX has them, in float64."""
    checkpoint = load_checkpoint(spelled(family, spelling), family, SIZES[family])
    with np.load(shared_data / f"official_{family}_tiny_oracle.npz") as oracle:
        images = torch.from_numpy(oracle["images_nhwc"]).permute(0, 3, 1, 2).double()
        labels = torch.from_numpy(oracle["labels"])
        logits = torch.from_numpy(oracle["logits"])
        loss, norm = float(oracle["loss"]), float(oracle["grad_norm"])
        count = int(oracle["num_params"])

    model = checkpoint.model.double().eval()
    with torch.no_grad():
        error = (model(images) - logits).abs().max() / logits.abs().max()
    assert error < 1e-10
    objective = Objective(model, (images, labels), device="cpu", dtype=torch.float64, batch_size=25)
    assert objective.num_parameters == count
    assert objective.loss() == pytest.approx(loss, rel=1e-10)
    assert objective.gradient().norm().item() == pytest.approx(norm, rel=1e-10)


@families
def test_what_the_checkpoint_says_of_itself(spelled, family):
    checkpoint = load_checkpoint(spelled(family, "newer"), family, SIZES[family])
    assert checkpoint.spec.name == family
    assert checkpoint.spec.arguments == {**SIZES[family], "activation": "gelu_tanh"}
    assert checkpoint.weights_key == ""
    assert checkpoint.config is None
    assert {p.dtype for p in checkpoint.model.parameters()} == {torch.float32}


def test_the_activation_can_be_chosen(spelled):
    file = spelled("vit", "newer")
    tanh_form = load_checkpoint(file, "vit", SIZES["vit"]).model
    exact_form = load_checkpoint(file, "vit", {**SIZES["vit"], "activation": "gelu"}).model
    images = torch.randn(4, 3, 32, 32)
    assert not torch.allclose(tanh_form(images), exact_form(images), rtol=0, atol=1e-6)


def test_layouts(arrays):
    """One entry of each kind, by its indices in both."""
    jax = arrays("vit")
    ours = convert_jax_parameters(jax, Path("x.npz"))
    block = "Transformer/encoderblock_1/"
    attention = block + "MultiHeadDotProductAttention_0/"
    assert ours["patch_embed.proj.weight"][5, 2, 7, 1] == jax["embedding/kernel"][7, 1, 2, 5]
    assert ours["blocks.1.mlp.fc1.weight"][40, 3] == jax[block + "MlpBlock_0/Dense_0/kernel"][3, 40]
    # Row 8 * head + position of the 32 rows each of query, key and value.
    for start, projection in ((0, "query"), (32, "key"), (64, "value")):
        row = start + 8 * 3 + 5
        kernel, bias = jax[f"{attention}{projection}/kernel"], jax[f"{attention}{projection}/bias"]
        assert ours["blocks.1.attn.qkv.weight"][row, 11] == kernel[11, 3, 5]
        assert ours["blocks.1.attn.qkv.bias"][row] == bias[3, 5]
    out = jax[attention + "out/kernel"]
    assert ours["blocks.1.attn.proj.weight"][9, 8 * 2 + 6] == out[2, 6, 9]
    assert ours["blocks.1.norm2.weight"][4] == jax[block + "LayerNorm_1/scale"][4]
    assert ours["norm.bias"][4] == jax["Transformer/encoder_norm/bias"][4]
    assert sum(value.numel() for value in ours.values()) == 24_234


def test_heads(arrays):
    assert count_heads(arrays("vit")) == 4
    assert count_heads(arrays("mixer")) is None


@families
def test_prefixes_and_optimizer_state_are_left_out(spelled, arrays, family):
    parameters = read_jax_file(spelled(family, "older"))
    assert set(parameters) == set(respell(arrays(family), prefix=""))


def test_float64_files_are_not_rounded(arrays, write):
    content = {key: value.astype(np.float64) for key, value in arrays("mixer").items()}
    content["head/bias"] = np.arange(10) / 3.0
    model = load_checkpoint(write(content), "mixer", SIZES["mixer"]).model
    assert model.head.bias.dtype == torch.float64
    assert np.array_equal(model.head.bias.detach().numpy(), np.arange(10) / 3.0)


# ------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize("heads", [1, 2, 8])
def test_other_heads_are_refused(spelled, heads):
    """The weights of 2 heads of 16 fit 4 of 8: only the file can tell."""
    with pytest.raises(InputError, match=f"has 4 attention heads, the model {heads}") as caught:
        load_checkpoint(spelled("vit", "newer"), "vit", {**SIZES["vit"], "heads": heads})
    assert "--model-args heads=4" in str(caught.value)


def test_a_vit_file_is_no_mixer(spelled):
    with pytest.raises(InputError) as caught:
        load_checkpoint(spelled("vit", "newer"), "mixer", SIZES["mixer"])
    # A Mixer takes no such argument: the advice would lead from one error to the next.
    assert "heads=4" not in str(caught.value)


def test_a_mixer_file_is_no_vit(spelled):
    with pytest.raises(InputError, match="does not fit the model; missing keys: cls_token"):
        load_checkpoint(spelled("mixer", "newer"), "vit", SIZES["vit"])


def test_another_size_is_refused_by_name(spelled):
    with pytest.raises(InputError, match=r"head.weight \(10, 32\) instead of \(7, 32\)"):
        load_checkpoint(spelled("mixer", "newer"), "mixer", {**SIZES["mixer"], "num_classes": 7})


def test_a_resnet_is_refused(spelled):
    with pytest.raises(InputError, match="is a JAX ViT or Mixer checkpoint; --model .* got resnet"):
        load_checkpoint(spelled("vit", "newer"), "resnet50")


def test_a_file_without_a_model_is_refused(spelled):
    with pytest.raises(InputError, match="say what it is with --model"):
        load_checkpoint(spelled("vit", "newer"))


@pytest.mark.parametrize(
    "key", ["pre_logits/kernel", "head/scales", "Transformer/encoderblock_0/LayerNorm_5/scale"]
)
def test_an_unknown_parameter_is_refused_by_name(arrays, write, key):
    file = write({**arrays("vit"), key: np.zeros((4, 4), np.float32)})
    with pytest.raises(InputError, match=f"a parameter this reader does not know: {key}"):
        load_checkpoint(file, "vit", SIZES["vit"])


def test_a_kernel_of_a_shape_that_no_layer_has_is_refused(arrays, write):
    file = write({**arrays("mixer"), "head/kernel": np.zeros((4, 8, 10), np.float32)})
    with pytest.raises(InputError, match="head"):
        load_checkpoint(file, "mixer", SIZES["mixer"])


def test_a_missing_parameter_is_refused_by_name(arrays, write):
    content = arrays("mixer")
    del content["MixerBlock_1/token_mixing/Dense_0/kernel"]
    with pytest.raises(InputError, match=r"missing keys: blocks.1.mlp_tokens.fc1.weight"):
        load_checkpoint(write(content), "mixer", SIZES["mixer"])


def test_a_missing_part_of_the_attention_is_refused_by_name(arrays, write):
    content = arrays("vit")
    del content["Transformer/encoderblock_1/MultiHeadDotProductAttention_0/key/kernel"]
    with pytest.raises(InputError, match=r"has no key for blocks.1.attn.qkv.weight"):
        load_checkpoint(write(content), "vit", SIZES["vit"])


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such checkpoint: .*absent.npz"):
        read_jax_file(tmp_path / "absent.npz")


@pytest.mark.parametrize("kept", [0.0, 0.1, 0.5, 0.99])
def test_a_truncated_file_is_refused(tmp_path, kept):
    file = tmp_path / "a.npz"
    np.savez(file, **{"head/kernel": np.zeros((32, 10)), "head/bias": np.zeros(10)})
    content = file.read_bytes()
    file.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(InputError, match="is truncated or not an .npz checkpoint"):
        read_jax_file(file)


def test_damage_inside_a_compressed_file_is_refused(tmp_path):
    """Wherever it is, it shows in the checksum or in the decompression."""
    file, generator = tmp_path / "a.npz", np.random.default_rng(0)
    np.savez_compressed(file, noise=np.repeat(generator.standard_normal(300), 4))
    whole = file.read_bytes()
    for start in range(100, len(whole) - 200, 50):
        file.write_bytes(whole[:start] + generator.bytes(4) + whole[start + 4 :])
        with pytest.raises(InputError, match="is truncated or not an .npz checkpoint"):
            read_jax_file(file)


GARBAGE = {
    "zeros": bytes(100),
    "text": b"not a checkpoint",
    "a pickle": b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00]\x94.",
}


@pytest.mark.parametrize("kind", GARBAGE)
def test_garbage_is_refused(tmp_path, kind):
    (tmp_path / "a.npz").write_bytes(GARBAGE[kind])
    with pytest.raises(InputError, match="is truncated or not an .npz checkpoint"):
        read_jax_file(tmp_path / "a.npz")


def test_a_single_array_is_refused(tmp_path):
    with (tmp_path / "a.npz").open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(InputError, match="not an .npz checkpoint"):
        read_jax_file(tmp_path / "a.npz")


def test_pickled_arrays_are_refused(write):
    file = write({"head/kernel": np.array([{"code": 1}], dtype=object)})
    with pytest.raises(InputError, match="not an .npz checkpoint.*allow_pickle"):
        read_jax_file(file)

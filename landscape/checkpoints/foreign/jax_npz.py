"""The published JAX checkpoints of ViT and MLP-Mixer: flat ``.npz`` files, keys joined by '/'.

Both spellings are read: that of the papers' releases (``LayerNorm_2``, ``MlpBlock_3``,
``MultiHeadDotProductAttention_1``, keys under ``opt/target/``) and the newer one (``LayerNorm_1``,
``MlpBlock_0``, ``MultiHeadDotProductAttention_0``, keys at the top or under ``params/``).

Flax stores dense kernels as (in, out), convolutions as (H, W, in, out) and attention projections
as (in, heads, head_dim) or (heads, head_dim, out); torch wants (out, in) and (out, in, H, W).
"""

import math
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.lib import format as npy
from numpy.typing import NDArray
from torch import Tensor

from landscape.checkpoints.foreign.archives import refuse_large_archive
from landscape.errors import InputError

Array = NDArray[np.floating[Any]]

# Where the networks of these files differ from our defaults: flax's gelu is the tanh form.
JAX_MODEL_ARGUMENTS = {"activation": "gelu_tanh"}

_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}

_BLOCK = r"Transformer/encoderblock_(?P<k>\d+)/"
_ATTENTION = _BLOCK + r"MultiHeadDotProductAttention_\d+/"
_MIXER = r"MixerBlock_(?P<k>\d+)/"

# From a pattern for the path of a module to the name of our module.
_MODULES = {
    r"embedding": "patch_embed.proj",
    r"stem": "stem.proj",
    _BLOCK + r"LayerNorm_0": "blocks.{k}.norm1",
    _BLOCK + r"LayerNorm_[12]": "blocks.{k}.norm2",
    _ATTENTION + r"out": "blocks.{k}.attn.proj",
    _BLOCK + r"MlpBlock_\d+/Dense_0": "blocks.{k}.mlp.fc1",
    _BLOCK + r"MlpBlock_\d+/Dense_1": "blocks.{k}.mlp.fc2",
    r"Transformer/encoder_norm": "norm",
    _MIXER + r"LayerNorm_0": "blocks.{k}.norm1",
    _MIXER + r"LayerNorm_1": "blocks.{k}.norm2",
    _MIXER + r"token_mixing/Dense_0": "blocks.{k}.mlp_tokens.fc1",
    _MIXER + r"token_mixing/Dense_1": "blocks.{k}.mlp_tokens.fc2",
    _MIXER + r"channel_mixing/Dense_0": "blocks.{k}.mlp_channels.fc1",
    _MIXER + r"channel_mixing/Dense_1": "blocks.{k}.mlp_channels.fc2",
    r"pre_head_layer_norm": "norm",
    r"head": "head",
}
_QKV = re.compile(_ATTENTION + r"(?P<projection>query|key|value)/(?P<leaf>kernel|bias)")
_WHOLE = {"cls": "cls_token", "Transformer/posembed_input/pos_embedding": "pos_embed"}


def read_jax_file(path: Path) -> dict[str, Array]:
    """Read the parameters in an ``.npz`` checkpoint, without prefixes and optimizer state.

    Raises:
        InputError: The file is missing or damaged.
    """
    if not path.is_file():
        raise InputError(f"no such checkpoint: {path}")
    try:
        refuse_large_archive(path)
        _check_headers(path)
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
    except InputError:
        raise
    except Exception as error:  # numpy, zipfile and zlib each fail in their own ways
        reason = ascii(str(error)[:120])[1:-1]
        raise InputError(
            f"{path} is truncated or not an .npz checkpoint ({reason}); copy or download it again"
        ) from error
    parameters = {}
    for key, value in arrays.items():
        for prefix in ("opt/target/", "params/"):
            key = key.removeprefix(prefix)
        if not key.startswith("opt/"):
            parameters[key] = value
    return parameters


def _check_headers(path: Path) -> None:
    """Raise ValueError if an array is not as large as its part of the archive.

    numpy takes memory for what a header says, and reads no further, so that it would not notice.
    """
    with zipfile.ZipFile(path) as archive:
        for record in archive.infolist():
            with archive.open(record) as stream:
                version = npy.read_magic(stream)
                if version not in _HEADERS:
                    raise ValueError(f"{record.filename} is of version {version}")
                shape, _, kind = _HEADERS[version](stream)
                size = math.prod(shape) * kind.itemsize
                if not kind.hasobject and size != record.file_size - stream.tell():
                    raise ValueError(f"{record.filename} is not of the size that it says")


def convert_jax_parameters(parameters: Mapping[str, Array], path: Path) -> dict[str, Tensor]:
    """Convert parameters to a state dict with our names and layouts.

    Raises:
        InputError: A key is unknown, part of an attention layer is missing, or an array has not the
            shape or type of its layer.
    """
    try:
        return _converted(parameters, path)
    except (ValueError, IndexError, TypeError) as error:  # numpy's, of shapes and types
        raise InputError(
            f"{path} has a parameter whose shape or type is not that of its layer ({error}); "
            "download it again"
        ) from error


def _converted(parameters: Mapping[str, Array], path: Path) -> dict[str, Tensor]:
    state: dict[str, Array] = {}
    attention: dict[str, dict[str, Array]] = {}
    for key, value in parameters.items():
        if key in _WHOLE:
            state[_WHOLE[key]] = value
        elif match := _QKV.fullmatch(key):
            leaf = "weight" if match["leaf"] == "kernel" else "bias"
            name = f"blocks.{match['k']}.attn.qkv.{leaf}"
            attention.setdefault(name, {})[match["projection"]] = value
        else:
            name, converted = _convert_module(key, value, path)
            state[name] = converted
    for name, projections in attention.items():
        missing = {"query", "key", "value"} - set(projections)
        if missing:
            raise InputError(f"{path} has no {', '.join(sorted(missing))} for {name}")
        rows = [_flat_heads(projections[kind]) for kind in ("query", "key", "value")]
        state[name] = np.concatenate(rows)
    return {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in state.items()}


def is_jax_checkpoint(contents: object) -> bool:
    """Whether these are arrays by name with at least one name of a published ViT or Mixer."""
    if not isinstance(contents, Mapping) or not all(
        isinstance(value, np.ndarray) for value in contents.values()
    ):
        return False
    return any(
        _QKV.fullmatch(name)
        or (
            name.endswith(("/kernel", "/scale"))
            and any(re.fullmatch(pattern, name.rpartition("/")[0]) for pattern in _MODULES)
        )
        for name in map(str, contents)
    )


def count_heads(parameters: Mapping[str, Array]) -> int | None:
    """The number of attention heads, which converted weights no longer show; None for a Mixer."""
    for key, value in parameters.items():
        match = _QKV.fullmatch(key)
        if match and match["leaf"] == "bias" and value.ndim:
            return int(value.shape[0])
    return None


def _convert_module(key: str, value: Array, path: Path) -> tuple[str, Array]:
    """Our name and layout of a parameter; InputError if its key is unknown."""
    module, _, leaf = key.rpartition("/")
    for pattern, template in _MODULES.items():
        match = re.fullmatch(pattern, module)
        if match is None:
            continue
        name = template.format(**match.groupdict())
        if leaf == "kernel":
            convert = _attention_output if name.endswith("attn.proj") else _kernel
            return f"{name}.weight", convert(value)
        if leaf in ("bias", "scale"):
            return f"{name}.{'weight' if leaf == 'scale' else 'bias'}", value
    raise InputError(f"{path} has a parameter this reader does not know: {key}")


def _kernel(value: Array) -> Array:
    """(in, out) to (out, in); (H, W, in, out) to (out, in, H, W)."""
    return value.transpose(3, 2, 0, 1) if value.ndim == 4 else value.T


def _attention_output(value: Array) -> Array:
    """(heads, head_dim, out) to (out, heads * head_dim)."""
    return value.reshape(-1, value.shape[-1]).T


def _flat_heads(value: Array) -> Array:
    """(in, heads, head_dim) to (heads * head_dim, in); (heads, head_dim) to a vector."""
    return value.reshape(-1) if value.ndim == 2 else value.reshape(value.shape[0], -1).T

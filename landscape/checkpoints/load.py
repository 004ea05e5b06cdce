"""Loading a checkpoint of any supported format into a model."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from landscape.checkpoints.foreign.jax_npz import (
    JAX_MODEL_ARGUMENTS,
    convert_jax_parameters,
    count_heads,
    read_jax_file,
)
from landscape.checkpoints.foreign.torch_file import (
    find_state_dict,
    read_torch_file,
    strip_wrappers,
)
from landscape.checkpoints.run import LAST, run_of
from landscape.checkpoints.trained_models import (
    brings_model,
    hash_weights,
    is_function,
    is_model_folder,
    load_second,
    load_trained,
)
from landscape.errors import InputError
from landscape.models.catalog import ModelSpec, resolve_model
from landscape.models.pretrained_folder import PREFIX, is_pretrained_folder, weight_file
from landscape.results.files import sha256


@dataclass(frozen=True)
class Checkpoint:
    """A model with the weights of a checkpoint.

    Attributes:
        path: The checkpoint file.
        sha256: The hash of its content, in hexadecimal.
        spec: The name and the arguments of the model.
        model: The model.
        weights_key: The key of the weights in the file; empty for the top level.
        config: The content of config.json, if the file is part of a run directory.
    """

    path: Path
    sha256: str
    spec: ModelSpec
    model: nn.Module
    weights_key: str
    config: dict[str, Any] | None

    @property
    def architecture(self) -> str:
        """What two checkpoints of one architecture have in common."""
        name = self.spec.name
        if not brings_model(self.path, name):
            return f"{name} {self.spec.arguments}"
        # A name that stands for weights too says nothing about others.
        shapes = [(key, tuple(value.shape)) for key, value in self.model.named_parameters()]
        return f"{type(self.model).__name__} {shapes}"


def load_checkpoint(
    path: str | Path,
    model: str | None = None,
    model_args: Mapping[str, Any] | None = None,
    *,
    facts: Mapping[str, Any] | None = None,
    trust: bool = False,
) -> Checkpoint:
    """Load a checkpoint into its model.

    Args:
        path: A run directory, a checkpoint in one, or any checkpoint file; or a model that comes
            with its weights: a folder of Hugging Face, or FILE.py:FUNCTION.
        model: The name of the model. A run remembers its own, which this overrides.
        model_args: Arguments of the model, which override those of the run.
        facts: The data's image_size, channels and num_classes, for sizes that nothing else
            determines.
        trust: Load pickled objects of any type, which may run code.

    Raises:
        InputError: The file can't be read, or does not fit the model.

    Example:
        >>> torch.save(model.state_dict(), "mine.pt")
        >>> digits = {"image_size": 8, "channels": 1, "num_classes": 10}
        >>> checkpoint = load_checkpoint("mine.pt", "mixer-tiny", {"depth": 1}, facts=digits)
        >>> checkpoint.model.head
        Linear(in_features=48, out_features=10, bias=True)
    """
    given = dict(model_args or {})
    if brings_model(Path(path), model):
        spec, network = load_trained(Path(path), model, given, facts)
        return Checkpoint(Path(path), hash_weights(network), spec, network, "", None)
    path, config = locate(Path(path))
    if model is None:
        if config is None:
            raise InputError(f"{path} is not part of a run directory; say what it is with --model")
        saved = config["model"]
        spec = ModelSpec(saved["name"], {**saved["arguments"], **given})
    else:
        spec = resolve_model(model, given, facts)
    if path.suffix == ".npz":
        parameters = read_jax_file(path)
        spec = _as_published(spec, given, count_heads(parameters), path)
        network = spec.build()
        state, key = convert_jax_parameters(parameters, path), ""
    else:
        stored, key = find_state_dict(read_torch_file(path, trust=trust), path)
        network = spec.build()
        state = strip_wrappers(stored, set(network.state_dict()))
    fit_weights(network, state, path)
    return Checkpoint(path, sha256(path), spec, network, key, config)


def read_state(
    path: Path, network: nn.Module, *, trust: bool = False, spec: ModelSpec | None = None
) -> dict[str, Tensor]:
    """Read the weights of a checkpoint, under the names that they have in ``network``.

    Args:
        path: A checkpoint file, or a model that comes with its weights.
        network: Says what the weights are called.
        trust: Load pickled objects of any type, which may run code.
        spec: What ``network`` was made from.

    Raises:
        InputError: It can't be read.
    """
    is_pretrained = spec is not None and spec.name.startswith(PREFIX)
    if is_function(path) or (is_pretrained and is_pretrained_folder(path)):
        trained = load_second(path, spec)
        return strip_wrappers(trained.state_dict(), set(network.state_dict()))
    path, _ = locate(path)
    if path.suffix == ".npz":
        return convert_jax_parameters(read_jax_file(path), path)
    stored, _ = find_state_dict(read_torch_file(path, trust=trust), path)
    return strip_wrappers(stored, set(network.state_dict()))


def fit_weights(network: nn.Module, state: Mapping[str, Tensor], path: Path) -> None:
    """Copy ``state`` into ``network``, which becomes float64 if any of the weights are.

    Raises:
        InputError: The weights don't fit; the message names keys and shapes.
    """
    if any(tensor.dtype == torch.float64 for tensor in state.values()):
        network.double()  # so that no weight is rounded
    expected = network.state_dict()
    missing = [
        key for key in expected if key not in state and not key.endswith("num_batches_tracked")
    ]
    unexpected = [key for key in state if key not in expected]
    shapes = [
        f"{key} {tuple(state[key].shape)} instead of {tuple(expected[key].shape)}"
        for key in expected
        if key in state and state[key].shape != expected[key].shape
    ]
    problems = [
        f"{title}: {_some(items)}"
        for title, items in (
            ("missing keys", missing),
            ("unexpected keys", unexpected),
            ("wrong shapes", shapes),
        )
        if items
    ]
    if problems:
        raise InputError(
            f"{path} does not fit the model; {'; '.join(problems)}. Check --model and --model-args"
        )
    network.load_state_dict({**expected, **state})


def locate(path: Path) -> tuple[Path, dict[str, Any] | None]:
    """Find the checkpoint file, and the config of the run that it belongs to, if it does."""
    if not path.exists():
        raise InputError(f"no such checkpoint: {path}")
    if is_model_folder(path):
        file = weight_file(path)
        if file is None:
            raise InputError(f"{path} has a config.json and no weights beside it")
        return file, None
    run = run_of(path)
    return path / LAST if path.is_dir() else path, run.read_config() if run else None


def _as_published(
    spec: ModelSpec, given: Mapping[str, Any], heads: int | None, path: Path
) -> ModelSpec:
    """The spec of a published JAX checkpoint's model, whose activation is not our default."""
    if spec.name not in ("vit", "mixer"):
        raise InputError(
            f"{path} is a JAX ViT or Mixer checkpoint; --model has to be one of this toolkit's, "
            f"vit-... or mixer-..., got {spec.name}"
        )
    if heads is not None and spec.name == "vit" and spec.arguments.get("heads") != heads:
        raise InputError(
            f"{path} has {heads} attention heads, the model {spec.arguments.get('heads')}; "
            f"pass --model-args heads={heads}"
        )
    return ModelSpec(spec.name, {**spec.arguments, **JAX_MODEL_ARGUMENTS, **given})


def _some(items: list[str], limit: int = 4) -> str:
    """The first few of these, and how many more there are."""
    rest = f" and {len(items) - limit} more" if len(items) > limit else ""
    return ", ".join(items[:limit]) + rest

"""Models that come with their weights: a folder of Hugging Face, or a user's own function."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from landscape.errors import InputError
from landscape.models.adapters import load_adapter
from landscape.models.catalog import ModelSpec, resolve_model
from landscape.models.huggingface import load_pretrained
from landscape.models.pretrained_folder import (
    ADAPTER_CONFIG,
    PREFIX,
    is_pretrained_folder,
)
from landscape.parameters.finite import check_has_values
from landscape.results.hashing import hash_tensors
from landscape.runtime.user_files import is_user_function


def is_function(path: Path) -> bool:
    """Whether a CHECKPOINT is FILE.py:FUNCTION, which returns a trained model.

    A file that is called so is a file: a pattern that finds it must not run code.
    """
    return is_user_function(str(path)) and not path.exists()


def brings_model(path: Path, model: str | None) -> bool:
    """Whether a CHECKPOINT says itself what its model is.

    Args:
        path: The CHECKPOINT.
        model: What follows ``--model``; a name other than ``hf:DIR`` means that a folder is read
            for its weights alone.
    """
    is_named_otherwise = model is not None and not model.startswith(PREFIX)
    return is_function(path) or (is_pretrained_folder(path) and not is_named_otherwise)


def load_trained(
    path: Path,
    model: str | None,
    model_args: Mapping[str, Any],
    facts: Mapping[str, Any] | None = None,
    *,
    trust: bool = False,
) -> tuple[ModelSpec, nn.Module]:
    """Load a model that comes with its weights.

    Args:
        path: A folder of Hugging Face, or FILE.py:FUNCTION.
        model: ``hf:DIR`` names another folder: that of an adapter's base model. Else None.
        model_args: Arguments of the function, or entries of config.json.
        facts: The data's image_size, channels and num_classes, for a function that needs them.
        trust: Open the base model that an adapter names, wherever it is.

    Raises:
        InputError: It can't be loaded, or ``model`` contradicts it.
    """
    if is_function(path):
        if model is not None and model != str(path):
            raise InputError(
                f"{path} returns the model with its weights; leave --model {model} out"
            )
        spec = resolve_model(str(path), model_args, facts)
        built = spec.build()
        check_has_values(built)
        return spec, built
    if not (path / ADAPTER_CONFIG).is_file():
        return ModelSpec(f"{PREFIX}{path}", dict(model_args)), load_pretrained(path, model_args)
    named = (model or "").removeprefix(PREFIX)
    base = Path(named) if named and Path(named) != path else None
    spec = ModelSpec(f"{PREFIX}{base or path}", dict(model_args))
    return spec, load_adapter(path, model_args, base, trust=trust)


def load_second(path: Path, spec: ModelSpec | None, *, trust: bool = False) -> nn.Module:
    """Load another model that comes with its weights, in the way that a first one was made.

    Args:
        path: A folder of Hugging Face, or FILE.py:FUNCTION.
        spec: What the first one was made from; its arguments are used where they can be.
        trust: As for :func:`load_trained`.
    """
    if spec is None or (is_function(path) and not is_user_function(spec.name)):
        return load_trained(path, None, {}, trust=trust)[1]
    is_adapter = (path / ADAPTER_CONFIG).is_file()
    is_of_base = is_adapter and not _is_adapter_name(spec.name)
    base = spec.name if is_of_base else None
    return load_trained(path, base, spec.arguments, trust=trust)[1]


def _is_adapter_name(name: str) -> bool:
    """Whether ``hf:DIR`` names an adapter rather than a base model."""
    return (Path(name.removeprefix(PREFIX)) / ADAPTER_CONFIG).is_file()


def hash_weights(network: nn.Module) -> str:
    """The hash of a model's weights, for those that are in no file of their own."""
    state = network.state_dict()
    return hash_tensors([value for value in state.values() if isinstance(value, Tensor)])

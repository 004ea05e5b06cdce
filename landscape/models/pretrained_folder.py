"""The folders in which Hugging Face keeps a model: what they are, read without transformers.

A model has ``config.json`` beside its weights, an adapter of peft ``adapter_config.json``.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from landscape.errors import InputError
from landscape.runtime.plain_files import read_json_object

PREFIX = "hf:"
CONFIG, ADAPTER_CONFIG = "config.json", "adapter_config.json"


def is_pretrained_folder(path: Path) -> bool:
    """Whether ``path`` is a folder with a model or an adapter as Hugging Face saves them."""
    if (path / ADAPTER_CONFIG).is_file():
        return True
    if not (path / CONFIG).is_file():
        return False
    try:
        config = read_json(path / CONFIG)
    except InputError:  # a damaged one may be that of a run directory
        return False
    return "architectures" in config or "model_type" in config


def read_json(file: Path, most_bytes: int = 16 * 1024**2) -> dict[str, Any]:
    """The content of a JSON file that holds an object.

    Raises:
        InputError: It is missing, larger than ``most_bytes``, damaged or something else.
    """
    try:
        return read_json_object(file, most_bytes, unique_keys=False)
    except FileNotFoundError as error:
        raise InputError(f"{file.parent} has no {file.name}") from error


def architecture_of(folder: Path, config: Mapping[str, Any]) -> str:
    """The name of the model class that config.json names first.

    Raises:
        InputError: It names none.
    """
    architectures = config.get("architectures")
    if not isinstance(architectures, list) or not architectures:
        raise InputError(
            f"{folder / CONFIG} does not say which model class the weights are of; add "
            '"architectures": ["CLASS"] to it, such as ViTForImageClassification'
        )
    return str(architectures[0])


def refuse_remote_kernels(folder: Path, config: Mapping[str, Any]) -> None:
    """Raise InputError for a config.json that names an attention kernel to be downloaded."""
    for key, value in config.items():
        if isinstance(value, Mapping):
            refuse_remote_kernels(folder, value)
        elif "attn_implementation" in key and isinstance(value, str) and "/" in value:
            raise InputError(
                f"{folder / CONFIG} names attention code to be downloaded ({value}), which is not "
                "run; pass --model-args attn_implementation=sdpa"
            )

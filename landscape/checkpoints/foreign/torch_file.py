"""Checkpoint files of torch: ``.pt``, ``.pth``, ``.ckpt``, ``.pth.tar`` and ``.safetensors``."""

import argparse
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from landscape.errors import InputError

# Where training scripts put the weights. Averaged weights come first, as in timm.
STATE_DICT_KEYS = ("state_dict_ema", "model_ema", "state_dict", "model")
WRAPPER_PREFIXES = ("module.", "_orig_mod.")


def read_torch_file(path: Path, *, trust: bool = False) -> dict[str, Any]:
    """Read a torch file onto the CPU.

    Args:
        path: The file.
        trust: Load pickled objects of any type, which may run code; by default only tensors and
            plain types are loaded.

    Raises:
        InputError: The file is missing, truncated or no torch file, or holds other objects.
    """
    if not path.is_file():
        raise InputError(f"no such checkpoint: {path}")
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    try:
        # timm and torchvision store their command line beside the weights; it runs no code.
        with torch.serialization.safe_globals([argparse.Namespace]):
            content = torch.load(path, map_location="cpu", weights_only=not trust)
    except pickle.UnpicklingError as error:
        if "global" in str(error).lower() or "class" in str(error).lower():
            raise InputError(
                f"{path} holds pickled objects besides tensors ({_refused(str(error))}); --trust "
                "loads it, but runs any code that is in it: only for files you made yourself"
            ) from error
        raise InputError(_damaged(path)) from error
    except (ModuleNotFoundError, AttributeError) as error:
        raise InputError(
            f"{path} holds objects whose code can't be found ({error}); install or import it, or "
            "save model.state_dict() alone"
        ) from error
    except Exception as error:  # torch raises RuntimeError, EOFError, OSError and others
        raise InputError(_damaged(path)) from error
    if not isinstance(content, Mapping):
        raise InputError(
            f"{path} holds a {type(content).__name__}, not a state dict; save model.state_dict()"
        )
    return dict(content)


def find_state_dict(content: Mapping[str, Any], path: Path) -> tuple[dict[str, Tensor], str]:
    """Find the weights in the content of a checkpoint.

    Returns:
        The weights, and the key that they were under; an empty key for the top level.

    Raises:
        InputError: There are none.
    """
    for key in STATE_DICT_KEYS:
        if isinstance(content.get(key), Mapping) and _is_state_dict(content[key]):
            return dict(content[key]), key
    if _is_state_dict(content):
        return dict(content), ""
    raise InputError(
        f"{path} has no weights at its top level or under {', '.join(STATE_DICT_KEYS)}; "
        f"its keys are {', '.join(map(str, list(content)[:8]))}"
    )


def strip_wrappers(state: Mapping[str, Tensor], expected: set[str]) -> dict[str, Tensor]:
    """Remove the prefixes that DataParallel and torch.compile put before ``expected`` names.

    A prefix stays if fewer names would be expected ones without it: a model may have a module that
    is called ``module``. The step counter of torch's weight averaging is removed, too.
    """
    stripped = {name: tensor for name, tensor in state.items() if name != "n_averaged"}
    for prefix in 2 * WRAPPER_PREFIXES:  # each may wrap the other
        if not any(name.startswith(prefix) for name in stripped):
            continue
        candidate = {name.removeprefix(prefix): tensor for name, tensor in stripped.items()}
        fits_no_worse = len(expected & candidate.keys()) >= len(expected & stripped.keys())
        if len(candidate) == len(stripped) and fits_no_worse:
            stripped = candidate
    return stripped


def _is_state_dict(content: Mapping[str, Any]) -> bool:
    return bool(content) and all(isinstance(value, Tensor) for value in content.values())


def _read_safetensors(path: Path) -> dict[str, Any]:
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError as error:
        raise InputError(
            f"{path} needs safetensors: pip install 'loss-landscape-toolkit[safetensors]'"
        ) from error
    try:
        return dict(load_file(path))
    except (SafetensorError, OSError) as error:
        raise InputError(_damaged(path)) from error


def _damaged(path: Path) -> str:
    return f"{path} is truncated or not a torch checkpoint; --debug shows what torch said"


def _refused(message: str) -> str:
    """The type that torch refused to load, taken from its message."""
    words = message.split()
    for marker in ("GLOBAL", "class"):
        if marker in words[:-1]:
            return words[words.index(marker) + 1].strip(".,`'")
    return "of an unnamed type"

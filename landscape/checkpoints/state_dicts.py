"""The state dicts in the content of a checkpoint, wherever they lie."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from landscape.errors import InputError

# Where training scripts put the weights, in the order in which they are tried.
KNOWN_KEYS = (
    "state_dict",
    "model_state_dict",
    "model_state",
    "model",
    "net",
    "network",
    "module",
    "params",
    "weights",
    "student",
    "generator",
)
_AVERAGED = {"ema", "averaged", "average", "avg", "swa", "polyak", "teacher"}
_COPIES = {"momentum", "target", "key", "k"}
_EARLIER = {"init", "initial", "first", "old", "previous", "prev"}
# What is no weights, though it may have their names and shapes: by a word of the key, and by all of
# it, since a network may have a mask_decoder.
_OPTIMIZERS = {"optimizer", "optimizers", "optim", "scheduler", "scaler"}
_BESIDE_WEIGHTS = {
    *("grad", "grads", "gradient", "gradients", "fisher", "mask", "masks"),
    *("exp_avg", "exp_avg_sq", "momentum_buffer"),
}
_DEEPEST, _MOST_MAPPINGS = 6, 1000
# A step counter that torch's AveragedModel puts beside the weights.
AVERAGE_COUNTER = "n_averaged"


@dataclass(frozen=True)
class StateDict:
    """Tensors by name in a checkpoint.

    Attributes:
        key: Where they are, with dots for nested keys; empty for the top level.
        tensors: The tensors.
        others: The names beside them that hold no tensor.
    """

    key: str
    tensors: dict[str, Tensor]
    others: tuple[str, ...] = ()


def find_state_dicts(content: Any) -> list[StateDict]:
    """All state dicts in the content, without the states of optimizers and such.

    Those nearest to the top come first.
    """
    states = [_state_dict(key, mapping) for key, mapping in _mappings(content)]
    return [state for state in states if state.tensors]


def joined(states: list[StateDict]) -> StateDict:
    """Several state dicts as one: a network may be saved as ``{"backbone": ..., "head": ...}``."""
    return StateDict(
        "",
        {
            f"{state.key}.{name}" if state.key else name: tensor
            for state in states
            for name, tensor in state.tensors.items()
        },
    )


def state_dicts_at(content: Any, key: str, path: Path) -> list[StateDict]:
    """The state dicts at and below ``key``, with dots for nested keys.

    The last part of the key may be a prefix that names in a state dict have in common.

    Raises:
        InputError: There are no tensors there.
    """
    place, rest, walked = content, key, ""
    while rest:
        mapping = _as_mapping(place)
        names = [str(name) for name in mapping]
        step = max((n for n in names if rest == n or rest.startswith(f"{n}.")), key=len, default="")
        if not step:
            prefix = f"{rest.rstrip('.')}."
            members = [str(name) for name in mapping if str(name).startswith(prefix)]
            inside = _state_dict(key, {name[len(prefix) :]: mapping[name] for name in members})
            if inside.tensors:
                return [inside]
            held = ", ".join(names[:8]) or "nothing"
            where = f"under {walked}" if walked else "at its top level"
            raise InputError(f"{path} has no {rest!r} {where}; it holds {held} there")
        place = next(value for name, value in mapping.items() if str(name) == step)
        rest, walked = rest[len(step) + 1 :], f"{walked}.{step}" if walked else step
    states = [replace(state, key=f"{key}.{state.key}") for state in find_state_dicts(place)]
    if not states:
        kind = type(place).__name__
        raise InputError(
            f"{path} has no weights under {key!r} (it is of type {kind}); give another "
            "--weights-key"
        )
    return states


def is_averaged(location: str) -> bool:
    """Whether a key or prefix says that its weights are an average over the training."""
    return bool(_words(location) & _AVERAGED)


def preference(location: str) -> tuple[int, int]:
    """The rank of a key or prefix among several whose weights fit; the lowest is taken.

    Those under :data:`KNOWN_KEYS` come first, in their order; then others; last the momentum
    encoders and targets of self-supervised training, and initial weights.
    """
    words = _words(location)
    last = location.rstrip(".").rpartition(".")[2]
    place = KNOWN_KEYS.index(last) if last in KNOWN_KEYS else len(KNOWN_KEYS)
    return (3 if words & _EARLIER else 2 if words & _COPIES else 1), place


def describe_contents(content: Any) -> str:
    """What a checkpoint without weights holds, and what to do about it."""
    if isinstance(content, Tensor):
        return (
            f"holds a Tensor of shape {tuple(content.shape)}, not weights by name; save "
            "model.state_dict()"
        )
    if isinstance(content, list | tuple) and any(isinstance(item, Tensor) for item in content):
        return (
            f"holds a {type(content).__name__} of {len(content)} tensors without names; save "
            "model.state_dict()"
        )
    if not isinstance(content, Mapping):
        return f"holds a {type(content).__name__}, not a state dict; save model.state_dict()"
    keys = ", ".join(map(str, list(content)[:8])) or "none"
    parts = [value for value in content.values() if isinstance(value, Mapping)]
    if any(map(_is_optimizer, [content, *parts])):
        return (
            f"holds the state of an optimizer and no weights (its keys: {keys}); give the file "
            "with the model's state_dict()"
        )
    return f"has no weights: no tensors by name (its keys: {keys}); save model.state_dict()"


def _mappings(content: Any) -> Iterator[tuple[str, Mapping[Any, Any]]]:
    """Mappings in the content with their keys, level by level; a file may have endless ones."""
    visited = 0
    level: list[tuple[str, Any]] = [("", content)]
    for _ in range(_DEEPEST):
        below: list[tuple[str, Any]] = []
        for key, value in level:
            mapping = _as_mapping(value)
            visited += 1
            if not mapping or visited > _MOST_MAPPINGS or _is_optimizer(mapping):
                continue
            yield key, mapping
            for name, inner in mapping.items():
                is_place = isinstance(inner, Mapping | nn.Module | list | tuple)
                if is_place and not _is_beside_weights(str(name)):
                    below.append((f"{key}.{name}" if key else str(name), inner))
        level = below


def _as_mapping(value: Any) -> Mapping[Any, Any]:
    """A mapping as it is, a module's state dict, a list by position; else nothing."""
    if isinstance(value, nn.Module):
        return value.state_dict()
    if isinstance(value, list | tuple):
        items = enumerate(value)  # tensors in a list have no names
        return {str(place): item for place, item in items if not isinstance(item, Tensor)}
    return value if isinstance(value, Mapping) else {}


def _state_dict(key: str, mapping: Mapping[Any, Any]) -> StateDict:
    tensors, others = {}, []
    for name, value in mapping.items():
        if isinstance(value, np.ndarray) and value.dtype.kind in "biufc":
            tensors[str(name)] = torch.from_numpy(value.astype(value.dtype.newbyteorder("=")))
        elif isinstance(value, Tensor):
            tensors[str(name)] = value.detach()
        else:
            others.append(str(name))
    return StateDict(key, tensors, tuple(others))


def _is_beside_weights(name: str) -> bool:
    return name.lower() in _BESIDE_WEIGHTS or bool(_words(name) & _OPTIMIZERS)


def _is_optimizer(mapping: Mapping[Any, Any]) -> bool:
    return "param_groups" in mapping


def _words(location: str) -> set[str]:
    """The words of a key or prefix, in lower case: modelEma and model_ema both have ``ema``."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", location)
    return set(re.split(r"[^a-z0-9]+", spaced.lower()))

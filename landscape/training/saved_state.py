"""What last.pt has to hold for a training to go on from it, checked before anything is changed.

Its checksums have been verified when it was read; these are files that were made by other means.
"""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from landscape.errors import InputError

ADVICE = "restore it from a copy, or train again with --force"
RECORD = 4  # numbers of a step


def check_saved_state(content: Mapping[str, Any], file: Path) -> None:
    """Check the entries of last.pt, but not whether they fit the network.

    Args:
        content: What the file holds.
        file: The file, for messages.

    Raises:
        InputError: An entry is missing or of another type; the message names it.
    """
    rows = content.get("metrics")
    are_rows = isinstance(rows, list) and all(map(_is_row, rows))
    records = content.get("records", torch.zeros(0, RECORD))
    is_record = isinstance(records, Tensor) and records.is_floating_point()
    average = content.get("ema", {"model": {}, "updates": 0})
    direction = content.get("looksam") or ()
    seconds = content.get("seconds", 0.0)
    expected = {
        "model": ("weights by name", _are_weights(content.get("model"))),
        "optimizer": ("the state of an optimizer", _is_optimizer(content.get("optimizer"))),
        "metrics": ("a row of numbers for each epoch", are_rows),
        "epoch": (
            "the number of rows in metrics",
            isinstance(rows, list) and content.get("epoch") == len(rows),
        ),
        "records": (
            f"{RECORD} numbers for each step",
            is_record and records.ndim == 2 and records.shape[1] == RECORD,
        ),
        "seconds": ("a time", _is_number(seconds) and 0 <= seconds < math.inf),
        "ema": (
            "averaged weights and the number of updates",
            isinstance(average, Mapping)
            and _are_weights(average.get("model"))
            and _is_count(average.get("updates")),
        ),
        "looksam": (
            "a list of tensors",
            isinstance(direction, list | tuple)
            and all(part is None or isinstance(part, Tensor) for part in direction),
        ),
        "projection": ("weights by name", _are_weights(content.get("projection", {}))),
    }
    for name, (wanted, is_there) in expected.items():
        if not is_there:
            kind = type(content[name]).__name__ if name in content else "nothing"
            raise InputError(
                f"{file} is no training to go on from: its entry {name} has to be {wanted}, got "
                f"{kind}; {ADVICE}"
            )


@contextmanager
def fitting(file: Path) -> Iterator[None]:
    """Tell in one line of what torch says of a state that is of another network or optimizer."""
    try:
        yield
    except (RuntimeError, LookupError, ValueError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"{file} is not of the training that config.json describes ({reason}); {ADVICE}"
        ) from error


def check_optimizer(optimizer: torch.optim.Optimizer, fresh: Mapping[str, Any]) -> None:
    """Check the state that an optimizer has loaded, which torch does not.

    Args:
        optimizer: It has loaded a state.
        fresh: Its ``state_dict`` before that.

    Raises:
        ValueError: A setting is of another type, or a tensor of another shape than its parameter.
    """
    for before, group in zip(fresh["param_groups"], optimizer.param_groups, strict=True):
        for name, value in before.items():
            if name != "params" and not _are_alike(value, group.get(name)):
                raise ValueError(f"{name} of the optimizer is {type(group.get(name)).__name__}")
    for parameter, state in optimizer.state.items():
        for name, value in state.items():
            if isinstance(value, Tensor) and value.ndim and value.shape != parameter.shape:
                raise ValueError(
                    f"{name} of the optimizer has shape {tuple(value.shape)} for a parameter of "
                    f"shape {tuple(parameter.shape)}"
                )


def _are_weights(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in value.items()
    )


def _is_optimizer(value: Any) -> bool:
    if not isinstance(value, Mapping):
        return False
    groups = value.get("param_groups")
    return (
        isinstance(value.get("state"), Mapping)
        and isinstance(groups, list)
        and all(isinstance(group, Mapping) for group in groups)
    )


def _is_row(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(name, str) and _is_number(number) for name, number in value.items()
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _are_alike(first: Any, second: Any) -> bool:
    """Whether two settings of an optimizer are of one kind; what is None may be set."""
    if first is None or second is None:
        return True
    if isinstance(first, list | tuple):
        return isinstance(second, list | tuple) and all(map(_are_alike, first, second))
    if _is_number(first) or isinstance(first, Tensor):
        return isinstance(second, Tensor) or _is_number(second)
    return isinstance(second, type(first))

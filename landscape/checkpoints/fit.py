"""Copying weights into a network, and saying what does not fit."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from landscape.checkpoints.matching import Expected
from landscape.checkpoints.wording import list_some
from landscape.errors import InputError

DEFAULT_ADVICE = "Check --model and --model-args"


def fit_weights(
    network: nn.Module,
    state: Mapping[str, Tensor],
    path: Path,
    *,
    keep_type: bool = False,
    advice: str = DEFAULT_ADVICE,
) -> None:
    """Copy ``state`` into ``network``.

    Args:
        network: It is not changed if anything does not fit.
        state: The weights, under the network's names.
        path: The file, for messages.
        keep_type: Keep the type of the network's weights. Else the network becomes float64 if any
            of the weights are, so that none is rounded.
        advice: What to do if the weights don't fit.

    Raises:
        InputError: The weights don't fit; the message names keys and shapes.
    """
    problems = find_problems(network, state)
    if problems:
        raise InputError(f"{path} does not fit the model; {'; '.join(problems)}. {advice}")
    if not keep_type and any(tensor.dtype == torch.float64 for tensor in state.values()):
        network.double()
    network.load_state_dict({**network.state_dict(), **state})


def find_problems(network: nn.Module, state: Mapping[str, Tensor]) -> list[str]:
    """What keeps ``state`` from being the network's, one phrase for each kind; empty if nothing."""
    expected = Expected.of(network)
    present = network.state_dict()
    shared = [name for name in expected.shapes if name in state]
    kinds = {
        "missing keys": expected.lacks(state),
        "unexpected keys": [name for name in state if name not in present],
        "wrong shapes": [
            f"{name} {tuple(state[name].shape)} instead of {tuple(expected.shapes[name])}"
            for name in shared
            if state[name].shape != expected.shapes[name]
        ],
        "integers instead of weights": [
            f"{name} {str(state[name].dtype).removeprefix('torch.')}"
            for name in shared
            if present[name].is_floating_point() and _is_integer(state[name])
        ],
        "complex values for real weights": [
            name for name in shared if state[name].is_complex() and not present[name].is_complex()
        ],
        "no values (meta tensors)": [name for name in shared if state[name].is_meta],
        "no place for values (the network is on the meta device)": [
            name for name in shared if present[name].is_meta
        ],
    }
    return [f"{title}: {list_some(items)}" for title, items in kinds.items() if items]


def _is_integer(tensor: Tensor) -> bool:
    return tensor.is_quantized or not (tensor.is_floating_point() or tensor.is_complex())

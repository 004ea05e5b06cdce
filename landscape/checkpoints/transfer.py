"""Start a training from the weights of another: other classes, another size of pictures."""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from landscape.checkpoints.load import fit_weights, locate, read_state
from landscape.errors import InputError


def transfer_weights(model: nn.Module, head: str, path: Path) -> list[str]:
    """Copy a checkpoint's weights into ``model``; returns what was not taken as it is, in words.

    ``head`` names the model's last layer, which keeps its fresh weights where the checkpoint's is
    for another number of classes. A position embedding of another number of tokens is resampled
    as a picture, bicubically (Dosovitskiy et al., 2021, section 3.2), the class token's apart.
    Raises InputError for weights that don't fit otherwise.
    """
    path, _ = locate(path)
    state = read_state(path, model)
    own = model.state_dict()
    changes: list[str] = []
    for name in [name for name in own if name.rpartition(".")[0] == head]:
        if name in state and state[name].shape != own[name].shape:
            changes.append(
                f"{name} is drawn anew: {own[name].shape[0]} classes, not {state[name].shape[0]}"
            )
            state[name] = own[name]
    for name, expected in own.items():
        if name not in state or name.rpartition(".")[2] != "pos_embed":
            continue
        if state[name].shape != expected.shape:
            before = state[name].shape[1]
            state[name] = resample_positions(state[name], expected.shape[1])
            changes.append(f"{name} is resampled from {before} tokens to {expected.shape[1]}")
    fit_weights(model, state, path)
    return changes


def resample_positions(embedding: Tensor, tokens: int) -> Tensor:
    """(1, T, D) to (1, tokens, D); each has a square of patches, after at most one class token.

    Raises InputError where they are no squares.
    """
    had, has = (_side(count) for count in (embedding.shape[1], tokens))
    if had is None or has is None or had[1] != has[1]:
        raise InputError(
            f"a position embedding of {embedding.shape[1]} tokens can't become one of {tokens}: "
            "both have to be squares of patches, with or without one class token"
        )
    side, extra = had
    first, grid = embedding[:, :extra], embedding[:, extra:]
    picture = grid.reshape(1, side, side, -1).permute(0, 3, 1, 2)
    picture = F.interpolate(picture, (has[0], has[0]), mode="bicubic", antialias=True)
    return torch.cat([first, picture.permute(0, 2, 3, 1).flatten(1, 2)], 1)


def _side(tokens: int) -> tuple[int, int] | None:
    """(patches on a side, class tokens)."""
    for extra in (0, 1):
        side = round((tokens - extra) ** 0.5)
        if side * side == tokens - extra:
            return side, extra
    return None

"""Starting a training from the weights of another, with other classes or picture sizes."""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from landscape.checkpoints.fit import fit_weights
from landscape.checkpoints.load import read_weights_file
from landscape.errors import InputError


def transfer_weights(
    model: nn.Module, head: str, path: Path, *, weights_key: str = "", trust: bool = False
) -> list[str]:
    """Copy a checkpoint's weights into ``model``.

    The head keeps its freshly drawn weights if the checkpoint's has another number of classes. A
    position embedding for another number of tokens is resampled bicubically, as a picture, except
    for the class token's (Dosovitskiy et al., 2021, section 3.2).

    Args:
        model: The model, which is changed in place.
        head: The name of its last layer.
        path: A run directory or a checkpoint file.
        weights_key: Where the weights are in the file, with dots for nested keys.
        trust: As for :func:`~landscape.checkpoints.load.load_checkpoint`.

    Returns:
        A sentence that says which weights were taken, if the file has others, and one for each
        weight that was not copied unchanged.

    Raises:
        InputError: The weights don't fit.
    """
    choice = read_weights_file(path, model, weights_key=weights_key, trust=trust)
    state = choice.state
    fresh = model.state_dict()
    changes = [note] if (note := choice.describe()) else []
    for name in [name for name in fresh if name.rpartition(".")[0] == head]:
        if name in state and state[name].shape != fresh[name].shape:
            changes.append(
                f"{name} is drawn anew: {fresh[name].shape[0]} classes, not {state[name].shape[0]}"
            )
            state[name] = fresh[name]
    for name, expected in fresh.items():
        if name not in state or name.rpartition(".")[2] != "pos_embed":
            continue
        if state[name].shape != expected.shape:
            before = state[name].shape[1]
            state[name] = resample_positions(state[name], expected.shape[1])
            changes.append(f"{name} is resampled from {before} tokens to {expected.shape[1]}")
    fit_weights(model, state, path)
    return changes


def resample_positions(embedding: Tensor, tokens: int) -> Tensor:
    """Resample a position embedding to another number of tokens.

    Args:
        embedding: Of shape (1, T, D): at most one class token, then a square of patches.
        tokens: The wanted number of tokens.

    Returns:
        An embedding of shape (1, ``tokens``, D).

    Raises:
        InputError: The patches are no squares, or only one of the two has a class token.
    """
    before, after = _side(embedding.shape[1]), _side(tokens)
    if before is None or after is None or before[1] != after[1]:
        raise InputError(
            f"a position embedding of {embedding.shape[1]} tokens can't become one of {tokens}: "
            "both have to be squares of patches, with or without one class token"
        )
    side, extra = before
    class_token, grid = embedding[:, :extra], embedding[:, extra:]
    picture = grid.reshape(1, side, side, -1).permute(0, 3, 1, 2)
    picture = F.interpolate(picture, (after[0], after[0]), mode="bicubic", antialias=True)
    return torch.cat([class_token, picture.permute(0, 2, 3, 1).flatten(1, 2)], 1)


def _side(tokens: int) -> tuple[int, int] | None:
    """The number of patches on a side and of class tokens; None if the patches are no square."""
    for extra in (0, 1):
        side = round((tokens - extra) ** 0.5)
        if side * side == tokens - extra:
            return side, extra
    return None

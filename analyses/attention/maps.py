"""Attention maps of a few pictures, and the pictures themselves."""

import math
import re

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from analyses.attention.result import CLASS_TOKEN, PATCHES, Maps
from landscape.data.batches import Batch, merge
from landscape.hooks.attention_weights import roll_out, watch_attention
from landscape.objective.objective import Objective

# How pixels are made from inputs.
UNDONE, STRETCHED = "normalisation undone", "each picture stretched to [0, 1]"
_CLASS_TOKEN = re.compile(r"(^|[._])(cls|class)(_?(token|embed|embedding))?$", re.IGNORECASE)
_OTHER_TOKEN = re.compile(r"pos|mask", re.IGNORECASE)


def attention_maps(objective: Objective, count: int) -> Maps | str:
    """Maps of the first ``count`` pictures of different classes, or why there are none.

    Maps need pictures of one or three channels, and in every layer the attention of all tokens to
    all. The tokens have to be a square grid of patches, preceded by one token or by as many as the
    model has learned ones (class token, distillation token, registers). A single token is taken
    for the class token; the first of several only if the name of a parameter says so.
    """
    inputs = objective.batches[0].inputs
    if not isinstance(inputs, Tensor) or inputs.dim() != 4 or inputs.shape[1] not in (1, 3):
        return "the inputs are not pictures of 1 or 3 channels"
    indices, classes = choose_pictures(objective, count)
    batch = _take(objective.batches, indices)
    followed = _follow(objective, batch)
    if followed is None:
        return "not every layer lets all tokens attend to all"
    last, rolled = followed
    tokens = last.shape[-1]
    side = math.isqrt(tokens)
    extra = tokens - side**2
    if side < 2 or (extra > 1 and extra != _count_learned_tokens(objective.module)):
        return f"{tokens} tokens are not a square grid of patches, with or without a class token"
    by_class_token = extra == 1 or (extra > 1 and _has_class_token(objective.module))

    def of_query(weights: Tensor) -> NDArray[np.float64]:
        """The query's weights (..., tokens, tokens) as a grid (..., G, G)."""
        rows = weights[..., :1, extra:] if by_class_token else weights[..., extra:, extra:]
        return rows.double().mean(-2).unflatten(-1, (side, side)).cpu().numpy()

    pixels, shown = _pixels(objective, batch.inputs)
    return Maps(
        indices=indices,
        classes=classes,
        pixels=pixels,
        shown=shown,
        query=CLASS_TOKEN if by_class_token else PATCHES,
        raw=of_query(last),
        rolled=of_query(rolled),
    )


def choose_pictures(objective: Objective, count: int) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """The numbers in the sample of the first pictures of ``count`` classes, and their classes.

    Where there are fewer classes, or none, the first other pictures make up the number.
    """
    indices = np.arange(objective.num_samples)
    targets = [batch.targets for batch in objective.batches]
    if any(
        not isinstance(labels, Tensor) or labels.dim() != 1 or labels.is_floating_point()
        for labels in targets
    ):
        return indices[:count], ("",) * min(count, len(indices))
    classes = torch.cat(targets).cpu().numpy()
    firsts = np.sort(np.unique(classes, return_index=True)[1])
    rest = np.setdiff1d(indices, firsts)
    chosen = np.sort(np.concatenate([firsts, rest])[:count])
    names = objective.source.classes if objective.source is not None else ()
    return chosen, tuple(
        names[number] if 0 <= number < len(names) else str(number) for number in classes[chosen]
    )


def _take(batches: list[Batch], indices: NDArray[np.int64]) -> Batch:
    """The samples with these numbers, in order, without merging all batches."""
    pieces, start = [], 0
    for batch in batches:
        inside = indices[(indices >= start) & (indices < start + batch.size)] - start
        if len(inside):
            pieces.append(batch.take(torch.from_numpy(inside)))
        start += batch.size
    return merge(pieces)


def _follow(objective: Objective, batch: Batch) -> tuple[Tensor, Tensor] | None:
    """The weights of the last layer and the rollout of all, or None.

    Only one layer's weights are in memory at a time. None is returned if there is no attention or
    the tokens are not the same in all layers.
    """
    last: list[Tensor] = []
    rolled: list[Tensor] = []
    shapes = set()

    def record(_layer: str, weights: Tensor) -> None:
        shapes.add((len(weights), *weights.shape[2:]))
        if shapes == {(batch.size, weights.shape[-1], weights.shape[-1])}:
            last[:] = [weights]
            rolled[:] = [roll_out(weights, *rolled)]

    with watch_attention(objective.module, record), objective.evaluating():
        objective.forward(batch)
    return (last[0], rolled[0]) if len(shapes) == 1 and last else None


def _count_learned_tokens(module: nn.Module) -> int:
    """How many tokens come from parameters of shape (1, tokens, features)."""
    return sum(
        parameter.shape[1]
        for name, parameter in module.named_parameters()
        if parameter.dim() == 3 and len(parameter) == 1 and not _OTHER_TOKEN.search(name)
    )


def _has_class_token(module: nn.Module) -> bool:
    return any(_CLASS_TOKEN.search(name) for name, _ in module.named_parameters())


def _pixels(objective: Objective, inputs: Tensor) -> tuple[NDArray[np.uint8], str]:
    """Inputs (P, C, H, W) as bytes (P, H, W, C), and how these were made."""
    normalization = getattr(objective.source, "normalization", None)
    inputs = inputs.double()
    if normalization is not None:
        pixels, shown = normalization.undo(inputs), UNDONE
    else:
        low, high = inputs.amin((1, 2, 3), keepdim=True), inputs.amax((1, 2, 3), keepdim=True)
        pixels, shown = (inputs - low) / (high - low).clamp(min=1e-12), STRETCHED
    pixels = (255 * pixels.clamp(0, 1)).round().to(torch.uint8)
    return pixels.permute(0, 2, 3, 1).cpu().numpy(), shown

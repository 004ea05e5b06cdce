"""The statistics that BatchNorm normalises by in evaluation mode: re-estimated, or the batch's own.

The stored ones belong to the weights that the network was trained to. Before any training they are
0 and 1, by which nothing is normalised, and away from the trained weights they are stale.
Re-estimating them (as Izmailov et al., 2018, section 3.3, and Garipov et al., 2018, do) separates
the effect of the weights from that.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from landscape.data.batches import Batch

Norm = nn.modules.batchnorm._BatchNorm


def norms_with_statistics(module: nn.Module) -> list[Norm]:
    """Every BatchNorm of a module that has running statistics."""
    return [
        submodule
        for submodule in module.modules()
        if isinstance(submodule, Norm) and submodule.running_mean is not None
    ]


def reestimate_statistics(
    norms: Sequence[Norm], forward: Callable[[Batch], Any], batches: Sequence[Batch]
) -> None:
    """Set every BatchNorm's statistics to the mean over ``batches`` of the batch statistics.

    Each batch is weighted by its size; the variance is the unbiased one, as in training.

    Args:
        norms: those of a module in evaluation mode.
        forward: calls the module.
        batches: what it is called with.

    Raises:
        ValueError: a batch is too small to have a variance.
    """
    momenta = [norm.momentum for norm in norms]
    counts = [_count(norm) for norm in norms]
    seen = 0
    try:
        for norm in norms:
            norm.reset_running_stats()  # nan and inf of other weights would stay
            norm.train()
        for batch in batches:
            seen += batch.size
            for norm in norms:
                norm.momentum = batch.size / seen
            forward(batch)
    finally:
        for norm, momentum, count in zip(norms, momenta, counts, strict=True):
            norm.eval()
            norm.momentum = momentum
            if count is not None and norm.num_batches_tracked is not None:
                norm.num_batches_tracked.copy_(count)


def forget_statistics(norms: Sequence[Norm]) -> None:
    """Let every BatchNorm normalise by the batch that it is given, also in evaluation mode.

    A sample's outputs then depend on the other samples of its batch.
    """
    for norm in norms:
        norm.track_running_stats = False
        norm.running_mean = norm.running_var = norm.num_batches_tracked = None


def _count(norm: Norm) -> torch.Tensor | None:
    return None if norm.num_batches_tracked is None else norm.num_batches_tracked.clone()

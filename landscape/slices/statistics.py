"""BatchNorm's running statistics re-estimated for weights that the network was not trained to.

Away from a trained network the means and variances of activations are not those that the running
statistics hold. Re-estimating them at every point (as Izmailov et al., 2018, section 3.3, and
Garipov et al., 2018, do) separates the effect of the weights from that of stale statistics.
"""

from collections.abc import Sequence

import torch
from torch import nn

from landscape.data.batches import Batch
from landscape.errors import NotMeasurableError
from landscape.objective.objective import Objective

Norm = nn.modules.batchnorm._BatchNorm


def reestimate_statistics(objective: Objective, batches: Sequence[Batch]) -> None:
    """Set every BatchNorm's statistics to the mean over ``batches`` of the batch statistics.

    Each batch is weighted by its size; the variance is the unbiased one, as in training.

    Raises:
        NotMeasurableError: the model has no BatchNorm, or a batch is too small for it.
    """
    norms = [
        submodule
        for submodule in objective.module.modules()
        if isinstance(submodule, Norm) and submodule.running_mean is not None
    ]
    if not norms:
        raise NotMeasurableError(
            f"--bn reestimate: {type(objective.module).__name__} has no BatchNorm with running "
            "statistics; leave it out"
        )
    momenta = [norm.momentum for norm in norms]
    counts = [_count(norm) for norm in norms]
    seen = 0
    try:
        for norm in norms:
            norm.reset_running_stats()  # nan and inf of another point would stay
            norm.train()
        with objective.evaluating():
            for batch in batches:
                seen += batch.size
                for norm in norms:
                    norm.momentum = batch.size / seen
                objective.forward(batch)
    except ValueError as error:
        raise NotMeasurableError(
            f"--bn reestimate: {error}; choose another --batch-size"
        ) from error
    finally:
        for norm, momentum, count in zip(norms, momenta, counts, strict=True):
            norm.eval()
            norm.momentum = momentum
            if count is not None and norm.num_batches_tracked is not None:
                norm.num_batches_tracked.copy_(count)


def _count(norm: Norm) -> torch.Tensor | None:
    return None if norm.num_batches_tracked is None else norm.num_batches_tracked.clone()

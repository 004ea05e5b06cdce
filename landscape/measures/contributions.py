"""What each sample contributes to the loss at any weights."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from landscape.objective.criterion import ADDS_UP
from landscape.objective.eval_copy import weights_at
from landscape.objective.objective import Objective

Values = NDArray[np.float64]


def loss_contributions(objective: Objective, theta: Tensor | None = None) -> tuple[float, Values]:
    """The loss at ``theta``, and numbers for its samples whose mean it is.

    Where all samples count alike they are the samples' losses l_i. Otherwise, with the weights
    w_i that are not 0 and their mean w, they are L + w_i / w (l_i - L), whose spread over samples
    is that of a weighted mean to first order. Where the loss can't be evaluated sample by sample,
    they are of batches.

    Args:
        objective: the loss.
        theta: the weights, of shape (P,); by default the model's own.

    Returns:
        The loss, and the contributions, of shape (n,).

    Raises:
        InputError: if ``theta`` has another shape.
    """
    criterion = objective.criterion
    sums: list[Tensor] = []
    weights: list[Tensor] = []
    by_batch: list[Tensor] = []
    is_by_sample = True
    with objective.evaluating(), weights_at(theta, objective.live_weights, objective.theta):
        for batch in objective.batches:
            outputs = objective.forward(batch)
            by_batch.append(criterion.mean(outputs, batch).detach().double())
            terms = criterion.sample_terms(outputs, batch) if is_by_sample else None
            if terms is None:
                is_by_sample = False
                continue
            each = terms[0].detach().double()
            sums.append(each)
            weights.append(torch.as_tensor(terms[1], device=each.device).double().expand_as(each))
    of_batches = torch.stack(by_batch).cpu().numpy()
    batch_weights = np.array([batch.weight for batch in objective.batches])
    loss = float(of_batches @ batch_weights / objective.total_weight)
    if is_by_sample:
        total, weight = torch.cat(sums).cpu().numpy(), torch.cat(weights).cpu().numpy()
        counts = weight > 0
        total, weight = total[counts], weight[counts]
        mean = float(total.sum() / weight.sum())
        # The samples of a contrastive loss don't add up to it.
        adds_up = abs(mean - loss) <= ADDS_UP * max(abs(loss), abs(mean), 1e-3)
        if adds_up or not math.isfinite(loss):
            return loss, _linearised(total / weight, weight, loss)
    counts = batch_weights > 0
    return loss, _linearised(of_batches[counts], batch_weights[counts], loss)


def _linearised(losses: Values, weights: Values, loss: float) -> Values:
    if np.ptp(weights) == 0:
        return losses
    return loss + weights / weights.mean() * (losses - loss)

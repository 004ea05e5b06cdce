"""Loss and accuracy of a model on held-out samples, which the ranks of a group share."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from landscape.data.feed import batches
from landscape.data.samples import Samples
from landscape.training.scale.data_parallel import SINGLE_PROCESS, DataParallelGroup
from landscape.training.tasks.contrastive import (
    Projected,
    nearest_centroid_accuracy,
    supervised_contrastive_loss,
)

EVAL_BATCH = 512
# How many training samples the class means of a contrastive training are taken over.
CENTROID_SAMPLES = 5_000

Loss = Callable[[Tensor, Tensor], Tensor]


@torch.no_grad()
def evaluate(
    model: nn.Module,
    samples: Samples,
    device: torch.device,
    loss: Loss = F.cross_entropy,
    group: DataParallelGroup = SINGLE_PROCESS,
) -> tuple[float, float]:
    """The mean loss and the accuracy of a classifier, which is left in evaluation mode.

    Args:
        model: The classifier.
        samples: The held-out samples.
        device: Where the model is.
        loss: A mean over a batch, given outputs and targets.
        group: The processes that share the samples.

    Returns:
        The mean loss over samples, and the accuracy in per cent.
    """
    model.eval()
    sums = torch.zeros(2, dtype=torch.float64, device=device)
    share = torch.arange(len(samples))[group.ranks.rank :: group.ranks.world_size]
    for inputs, targets in batches(samples, list(share.split(EVAL_BATCH)), device):
        outputs = model(inputs)
        sums[0] += loss(outputs, targets).double() * len(targets)
        sums[1] += (outputs.argmax(1) == targets).sum()
    total, correct = group.total(sums).tolist()
    return total / len(samples), 100.0 * correct / len(samples)


@torch.no_grad()
def evaluate_embedding(
    model: Projected,
    training: Samples,
    samples: Samples,
    device: torch.device,
    temperature: float,
) -> tuple[float, float]:
    """The contrastive loss, and the accuracy of the nearest class mean.

    Args:
        model: The model with its projection; it is left in evaluation mode.
        training: The class means are those of features of these samples, the first in an order
            that is always the same.
        samples: The held-out samples.
        device: Where the model is.
        temperature: That of the loss.

    Returns:
        The loss, as a mean over batches, and the accuracy in per cent.
    """
    model.eval()
    order = torch.randperm(len(training), generator=torch.Generator().manual_seed(0))
    known, known_targets = _features(model, training, order[:CENTROID_SAMPLES], device)
    everything = torch.randperm(len(samples), generator=torch.Generator().manual_seed(0))
    features, targets = _features(model, samples, everything, device)
    losses = [
        supervised_contrastive_loss(
            F.normalize(model.projection(batch), dim=1), batch_targets, temperature
        )
        for batch, batch_targets in zip(
            features.split(EVAL_BATCH), targets.split(EVAL_BATCH), strict=True
        )
    ]
    accuracy = nearest_centroid_accuracy(known, known_targets, features, targets)
    return torch.stack(losses).double().mean().item(), accuracy


def _features(
    model: Projected, samples: Samples, indices: Tensor, device: torch.device
) -> tuple[Tensor, Tensor]:
    """The features of these samples, of shape (n, width), and their targets."""
    pairs = [
        (model.features(inputs), targets)
        for inputs, targets in batches(samples, list(indices.split(EVAL_BATCH)), device)
    ]
    features, targets = zip(*pairs, strict=True)
    return torch.cat(features), torch.cat(targets)

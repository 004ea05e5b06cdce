"""Loss and accuracy of a model on held-out samples, shared among the ranks of a team."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from landscape.data.feed import batches
from landscape.data.samples import Samples
from landscape.training.data_parallel import ALONE, DataParallelGroup
from landscape.training.tasks.contrastive import (
    Projected,
    nearest_centroid_accuracy,
    supervised_contrastive_loss,
)

EVAL_BATCH = 512
# What the class means of a contrastive training are taken from.
CENTROID_SAMPLES = 5_000

Loss = Callable[[Tensor, Tensor], Tensor]


@torch.no_grad()
def evaluate(
    model: nn.Module,
    samples: Samples,
    device: torch.device,
    loss: Loss = F.cross_entropy,
    team: DataParallelGroup = ALONE,
) -> tuple[float, float]:
    """Mean ``loss`` (a mean over a batch) and accuracy in per cent, in eval mode."""
    model.eval()
    sums = torch.zeros(2, dtype=torch.float64, device=device)
    mine = torch.arange(len(samples))[team.rank :: team.world_size]
    for inputs, targets in batches(samples, list(mine.split(EVAL_BATCH)), device):
        outputs = model(inputs)
        sums[0] += loss(outputs, targets).double() * len(targets)
        sums[1] += (outputs.argmax(1) == targets).sum()
    total, correct = team.total(sums).tolist()
    return total / len(samples), 100.0 * correct / len(samples)


@torch.no_grad()
def evaluate_embedding(
    model: Projected,
    training: Samples,
    samples: Samples,
    device: torch.device,
    temperature: float,
) -> tuple[float, float]:
    """The contrastive loss, a mean over batches, and the accuracy of the nearest class mean.

    The class means are those of the features of the first training samples of a fixed order.
    """
    model.eval()
    order = torch.randperm(len(training), generator=torch.Generator().manual_seed(0))
    known, known_targets = _features(model, training, order[:CENTROID_SAMPLES], device)
    everything = torch.randperm(len(samples), generator=torch.Generator().manual_seed(0))
    features, targets = _features(model, samples, everything, device)
    losses = [
        supervised_contrastive_loss(
            F.normalize(model.projection(part), dim=1), of_part, temperature
        )
        for part, of_part in zip(features.split(EVAL_BATCH), targets.split(EVAL_BATCH), strict=True)
    ]
    accuracy = nearest_centroid_accuracy(known, known_targets, features, targets)
    return torch.stack(losses).double().mean().item(), accuracy


def _features(
    model: Projected, samples: Samples, indices: Tensor, device: torch.device
) -> tuple[Tensor, Tensor]:
    found = [
        (model.features(inputs), targets)
        for inputs, targets in batches(samples, list(indices.split(EVAL_BATCH)), device)
    ]
    features, targets = zip(*found, strict=True)
    return torch.cat(features), torch.cat(targets)

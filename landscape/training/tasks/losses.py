"""Losses to train with.

Targets are class numbers of shape (n,) or, for mixed samples, shares of shape (n, classes).
"""

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

from landscape.runtime import choices


def sigmoid_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Binary cross-entropy for each class, summed over classes, as a mean over samples.

    ViT and Mixer were trained with it on ImageNet (Beyer et al., 2020, section 3.1).
    """
    if targets.dim() == 1:
        targets = F.one_hot(targets, logits.shape[1])
    losses = F.binary_cross_entropy_with_logits(logits, targets.to(logits), reduction="none")
    return losses.sum(1).mean()


TRAINING_LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = dict(
    zip(choices.TRAINING_LOSSES, (F.cross_entropy, sigmoid_cross_entropy), strict=True)
)


def class_numbers(targets: Tensor) -> Tensor:
    """The class of each sample; for a mixed sample, the class with the largest share."""
    return targets if targets.dim() == 1 else targets.argmax(1)

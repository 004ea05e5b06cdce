"""Losses to train with.

Targets are class numbers (n,) or, of mixed samples, shares of shape (n, classes).
"""

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor


def sigmoid_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """One yes-or-no question a class, summed over classes; the mean over samples.

    ViT and Mixer were trained with it on ImageNet (Beyer et al., 2020, section 3.1).
    """
    if targets.dim() == 1:
        targets = F.one_hot(targets, logits.shape[1])
    losses = F.binary_cross_entropy_with_logits(logits, targets.to(logits), reduction="none")
    return losses.sum(1).mean()


TRAINING_LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "softmax": F.cross_entropy,
    "sigmoid": sigmoid_cross_entropy,
}


def class_numbers(targets: Tensor) -> Tensor:
    """The class of each sample; of a mixed one the class with the largest share."""
    return targets if targets.dim() == 1 else targets.argmax(1)

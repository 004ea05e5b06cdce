"""Supervised contrastive pre-training (Khosla et al., NeurIPS 2020)."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# The outputs of their projection head, which has one hidden layer as wide as the features.
PROJECTION = 128


def supervised_contrastive_loss(embeddings: Tensor, targets: Tensor, temperature: float) -> Tensor:
    """The loss L_out of equation 2, as a mean over the anchors that have a positive.

    The positives of an anchor are all other rows of its class, including further views of its own
    picture.

    Args:
        embeddings: Vectors of length 1, of shape (n, d).
        targets: Class numbers, of shape (n,).
        temperature: Divides the similarities.
    """
    similarities = embeddings @ embeddings.T / temperature
    itself = torch.eye(len(targets), dtype=torch.bool, device=targets.device)
    positives = (targets.unsqueeze(0) == targets.unsqueeze(1)) & ~itself
    log_shares = similarities - similarities.masked_fill(itself, -torch.inf).logsumexp(1, True)
    counts = positives.sum(1)
    per_anchor = -(log_shares * positives).sum(1) / counts.clamp(min=1)
    return per_anchor.sum() / (counts > 0).sum().clamp(min=1)


class Projected(nn.Module):
    """A model without its classifier, followed by a projection to the unit sphere.

    The model itself stays unchanged, so that its weights are saved under its own names.
    """

    def __init__(self, model: nn.Module, classifier: str) -> None:
        super().__init__()
        head = model.get_submodule(classifier)
        assert isinstance(head, nn.Linear)
        width = head.in_features
        self.model = model
        self.projection = nn.Sequential(
            nn.Linear(width, width), nn.ReLU(), nn.Linear(width, PROJECTION)
        ).to(head.weight)
        self._features: list[Tensor] = []
        head.register_forward_pre_hook(self._keep)
        head.requires_grad_(False)

    def forward(self, inputs: Tensor) -> Tensor:
        """Embeddings of shape (n, 128)."""
        return F.normalize(self.projection(self.features(inputs)), dim=1)

    def features(self, inputs: Tensor) -> Tensor:
        """The inputs of the model's classifier, of shape (n, width)."""
        self._features.clear()
        self.model(inputs)
        return self._features.pop()

    def _keep(self, _head: nn.Module, inputs: tuple[Any, ...]) -> None:
        self._features.append(inputs[0])


def nearest_other_is_wrong(embeddings: Tensor, targets: Tensor) -> Tensor:
    """For each row, whether the most similar other row has another class."""
    similarities = (embeddings @ embeddings.T).fill_diagonal_(-torch.inf)
    return targets[similarities.argmax(1)] != targets


def nearest_centroid_accuracy(
    train_features: Tensor, train_targets: Tensor, features: Tensor, targets: Tensor
) -> float:
    """Per cent of ``features`` that are closest, by angle, to the mean direction of their class."""
    known = F.normalize(train_features, dim=1)
    classes = train_targets.unique()
    means = torch.stack([known[train_targets == number].mean(0) for number in classes])
    nearest = classes[(F.normalize(features, dim=1) @ F.normalize(means, dim=1).T).argmax(1)]
    return 100.0 * (nearest == targets).double().mean().item()

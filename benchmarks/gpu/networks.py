"""The networks of the timings, with weights of which none is 0.

Matrix units are faster on zeros, and the head of a fresh ViT is zero.
"""

import torch
from torch import Tensor, nn

from landscape.models.catalog import resolve_model

STD = 0.02


def network(name: str, **arguments: object) -> nn.Module:
    """A named network in eval mode; what its initialisation leaves at 0 is drawn at random."""
    torch.manual_seed(0)
    model = resolve_model(name, arguments).build().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if not parameter.any():
                parameter.normal_(std=STD)
    return model


def random_pictures(count: int, side: int, channels: int = 3) -> Tensor:
    """Normalised pictures of noise, (count, channels, side, side)."""
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, channels, side, side, generator=generator)

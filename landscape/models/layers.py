"""The layers that ViT and MLP-Mixer share."""

from torch import Tensor, nn

from landscape.errors import InputError
from landscape.models.initialisation import lecun_normal_

# Dosovitskiy et al. (2021) and Tolstikhin et al. (2021) both use 1e-6.
LAYER_NORM_EPS = 1e-6

ACTIVATIONS = ("gelu", "gelu_tanh", "relu")


def make_activation(name: str) -> nn.Module:
    """The activation of that name.

    ``gelu`` is the exact form with erf, ``gelu_tanh`` the approximation that JAX defaults to.
    """
    if name == "gelu":
        return nn.GELU()
    if name == "gelu_tanh":
        return nn.GELU(approximate="tanh")
    if name == "relu":
        return nn.ReLU()
    raise InputError(f"unknown activation {name!r}; expected one of {', '.join(ACTIVATIONS)}")


def token_grid(image_size: int, patch_size: int) -> int:
    """The number of patches along one side; InputError if the patches don't tile the image."""
    if image_size % patch_size:
        raise InputError(
            f"patches of {patch_size} pixels don't tile an image of {image_size}; "
            "choose a patch_size that divides image_size"
        )
    return image_size // patch_size


class PatchEmbed(nn.Module):
    """Projects non-overlapping patches to ``dim``: (N, C, H, W) to (N, tokens, dim)."""

    def __init__(self, patch_size: int, channels: int, dim: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(channels, dim, kernel_size=patch_size, stride=patch_size)
        lecun_normal_(self.proj)

    def forward(self, images: Tensor) -> Tensor:
        return self.proj(images).flatten(2).transpose(1, 2)


class Mlp(nn.Module):
    """Two dense layers with an activation between: from ``dim`` to ``hidden`` and back.

    The family that it belongs to initialises its weights.
    """

    def __init__(self, dim: int, hidden: int, activation: str, dropout: float = 0.0) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.act = make_activation(activation)
        self.drop1 = nn.Dropout(dropout)
        self.fc2 = nn.Linear(hidden, dim)
        self.drop2 = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        return self.drop2(self.fc2(self.drop1(self.act(self.fc1(x)))))


class DropPath(nn.Module):
    """Stochastic depth (Huang et al., ECCV 2016): drops a residual branch, sample by sample.

    A branch that is kept is divided by the keep rate, as in timm, so that its mean over draws is
    that of evaluation. The Mixer of big_vision does not divide: there a branch of rate p has the
    mean 1 - p in training and 1 in evaluation. At its rate of 0.1 for the last block the branches
    of a training step differ by a factor of at most 1.11.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.rate == 0.0:
            return x
        keep = 1.0 - self.rate
        mask = x.new_empty((x.shape[0],) + (1,) * (x.dim() - 1)).bernoulli_(keep)
        return x * mask / keep

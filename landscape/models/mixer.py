"""MLP-Mixer (Tolstikhin et al., NeurIPS 2021). The parameter names are those of timm.

Weights are drawn as in the authors' code (google-research/vision_transformer, models_mixer.py, and
big_vision, mlp_mixer.py), which leaves them to Flax: stem and dense layers lecun-normal, biases 0;
the head is 0.
"""

from torch import Tensor, nn

from landscape.models.initialisation import lecun_normal_
from landscape.models.layers import (
    LAYER_NORM_EPS,
    DropPath,
    Mlp,
    PatchEmbed,
    token_grid,
)


class MixerBlock(nn.Module):
    """A token-mixing MLP across patches, then a channel-mixing MLP within each patch."""

    def __init__(
        self,
        tokens: int,
        dim: int,
        token_dim: int,
        channel_dim: int,
        activation: str,
        dropout: float,
        drop_path: float,
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=LAYER_NORM_EPS)
        self.mlp_tokens = Mlp(tokens, token_dim, activation, dropout)
        self.norm2 = nn.LayerNorm(dim, eps=LAYER_NORM_EPS)
        self.mlp_channels = Mlp(dim, channel_dim, activation, dropout)
        self.drop_path = DropPath(drop_path)
        for mlp in (self.mlp_tokens, self.mlp_channels):
            lecun_normal_(mlp.fc1)
            lecun_normal_(mlp.fc2)

    def forward(self, x: Tensor) -> Tensor:
        mixed = self.mlp_tokens(self.norm1(x).transpose(1, 2)).transpose(1, 2)
        x = x + self.drop_path(mixed)
        return x + self.drop_path(self.mlp_channels(self.norm2(x)))


class MlpMixer(nn.Module):
    """Images (N, channels, image_size, image_size) to logits (N, num_classes).

    ``drop_path`` is the stochastic-depth rate of the last block; it grows linearly from 0 at the
    first. A branch that is kept is scaled as :class:`~landscape.models.layers.DropPath` says.
    ``head_bias`` is the initial value of the head's biases; -10 suits the sigmoid loss, for which
    most answers are no.
    """

    def __init__(
        self,
        *,
        image_size: int,
        patch_size: int,
        dim: int,
        depth: int,
        token_dim: int,
        channel_dim: int,
        num_classes: int,
        channels: int = 3,
        activation: str = "gelu",
        dropout: float = 0.0,
        drop_path: float = 0.0,
        head_bias: float = 0.0,
    ) -> None:
        super().__init__()
        tokens = token_grid(image_size, patch_size) ** 2
        self.stem = PatchEmbed(patch_size, channels, dim)
        self.blocks = nn.ModuleList(
            MixerBlock(
                tokens,
                dim,
                token_dim,
                channel_dim,
                activation,
                dropout,
                drop_path * k / max(depth - 1, 1),
            )
            for k in range(depth)
        )
        self.norm = nn.LayerNorm(dim, eps=LAYER_NORM_EPS)
        self.head = nn.Linear(dim, num_classes)

        nn.init.zeros_(self.head.weight)  # as published: the loss starts at log(num_classes)
        nn.init.constant_(self.head.bias, head_bias)

    def forward(self, images: Tensor) -> Tensor:
        x = self.stem(images)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x).mean(dim=1))

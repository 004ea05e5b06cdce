"""Vision Transformer (Dosovitskiy et al., ICLR 2021). The parameter names are those of timm.

Weights are drawn as in the authors' code (google-research/vision_transformer, models_vit.py): the
patch embedding lecun-normal; queries, keys, values, the projection after attention and the MLPs
Xavier-uniform, each matrix by itself; biases 0, but those of the MLPs normal of deviation 1e-6; the
position embedding normal of deviation 0.02; class token and head 0.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from landscape.errors import InputError
from landscape.models.initialisation import xavier_uniform_
from landscape.models.layers import (
    LAYER_NORM_EPS,
    DropPath,
    Mlp,
    PatchEmbed,
    token_grid,
)


class Attention(nn.Module):
    """Multi-head self-attention; the rows of ``qkv`` are the queries, the keys, then the values."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        if dim % heads:
            raise InputError(f"dim={dim} is not divisible by heads={heads}")
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)
        xavier_uniform_(self.qkv, matrices=3)
        xavier_uniform_(self.proj)

    def forward(self, x: Tensor) -> Tensor:
        n, tokens, dim = x.shape
        qkv = self.qkv(x).view(n, tokens, 3, self.heads, dim // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        x = F.scaled_dot_product_attention(q, k, v)
        return self.proj(x.transpose(1, 2).reshape(n, tokens, dim))


class Block(nn.Module):
    """A transformer block: x + attention(norm(x)), then x + mlp(norm(x))."""

    def __init__(
        self, dim: int, heads: int, mlp_dim: int, activation: str, dropout: float, drop_path: float
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=LAYER_NORM_EPS)
        self.attn = Attention(dim, heads)
        self.drop = nn.Dropout(dropout)
        self.norm2 = nn.LayerNorm(dim, eps=LAYER_NORM_EPS)
        self.mlp = Mlp(dim, mlp_dim, activation, dropout)
        self.drop_path = DropPath(drop_path)
        for layer in (self.mlp.fc1, self.mlp.fc2):
            xavier_uniform_(layer, bias_std=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.drop_path(self.drop(self.attn(self.norm1(x))))
        return x + self.drop_path(self.mlp(self.norm2(x)))


class VisionTransformer(nn.Module):
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
        heads: int,
        mlp_dim: int,
        num_classes: int,
        channels: int = 3,
        activation: str = "gelu",
        dropout: float = 0.0,
        drop_path: float = 0.0,
        head_bias: float = 0.0,
    ) -> None:
        super().__init__()
        tokens = token_grid(image_size, patch_size) ** 2
        self.patch_embed = PatchEmbed(patch_size, channels, dim)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.pos_embed = nn.Parameter(torch.empty(1, tokens + 1, dim))
        self.drop = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(
            Block(dim, heads, mlp_dim, activation, dropout, drop_path * k / max(depth - 1, 1))
            for k in range(depth)
        )
        self.norm = nn.LayerNorm(dim, eps=LAYER_NORM_EPS)
        self.head = nn.Linear(dim, num_classes)

        nn.init.normal_(self.pos_embed, std=0.02)
        nn.init.zeros_(self.head.weight)  # as published: the loss starts at log(num_classes)
        nn.init.constant_(self.head.bias, head_bias)

    def forward(self, images: Tensor) -> Tensor:
        x = self.patch_embed(images)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1)
        x = self.drop(x + self.pos_embed)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x)[:, 0])

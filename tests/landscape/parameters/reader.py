"""A model with a tensor of every kind."""

import torch
from torch import nn

from landscape.models.vit import VisionTransformer


class Scale(nn.Module):
    """LayerScale as timm names it."""

    def __init__(self, dim):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(dim))


class Reader(VisionTransformer):
    """A small ViT with a tensor of every kind; it is never called."""

    def __init__(self):
        super().__init__(
            image_size=4, patch_size=2, dim=8, depth=1, heads=2, mlp_dim=6, num_classes=3
        )
        self.words = nn.Embedding(5, 8)
        self.ls1 = Scale(8)
        self.temperature = nn.Parameter(torch.tensor(0.5))


KIND_OF = {
    "cls_token": "class-token",
    "pos_embed": "position",
    "temperature": "other",
    "patch_embed.proj.weight": "kernel",
    "patch_embed.proj.bias": "bias",
    "blocks.0.norm1.weight": "norm",
    "blocks.0.norm1.bias": "norm",
    "blocks.0.attn.qkv.weight": "kernel",
    "blocks.0.attn.qkv.bias": "bias",
    "blocks.0.attn.proj.weight": "kernel",
    "blocks.0.attn.proj.bias": "bias",
    "blocks.0.norm2.weight": "norm",
    "blocks.0.norm2.bias": "norm",
    "blocks.0.mlp.fc1.weight": "kernel",
    "blocks.0.mlp.fc1.bias": "bias",
    "blocks.0.mlp.fc2.weight": "kernel",
    "blocks.0.mlp.fc2.bias": "bias",
    "norm.weight": "norm",
    "norm.bias": "norm",
    "head.weight": "kernel",
    "head.bias": "bias",
    "words.weight": "embedding",
    "ls1.gamma": "layer-scale",
}

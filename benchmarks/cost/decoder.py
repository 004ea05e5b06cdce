"""A language model of seven billion parameters, of which only the sizes matter here."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

DIM, DEPTH, HEADS, MLP, TOKENS, CONTEXT = 4096, 32, 32, 11008, 32000, 2048


class _Block(nn.Module):
    def __init__(self, dim: int, heads: int, mlp: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.RMSNorm(dim), nn.RMSNorm(dim)
        self.query, self.key, self.value, self.out = (
            nn.Linear(dim, dim, bias=False) for _ in range(4)
        )
        self.gate, self.up = (nn.Linear(dim, mlp, bias=False) for _ in range(2))
        self.down = nn.Linear(mlp, dim, bias=False)

    def forward(self, x: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
        count, length, dim = x.shape
        normed = self.norm1(x)

        def heads_of(layer: nn.Module) -> Tensor:
            values: Tensor = layer(normed)
            return values.view(count, length, self.heads, -1).transpose(1, 2)

        query, key, value = map(heads_of, (self.query, self.key, self.value))
        query, key = (_rotated(each, cosines, sines) for each in (query, key))
        mixed = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).reshape(count, length, dim))
        normed_again = self.norm2(x)
        gated: Tensor = F.silu(self.gate(normed_again)) * self.up(normed_again)
        return x + self.down(gated)


def _rotated(x: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    first, second = x.chunk(2, dim=-1)
    return x * cosines + torch.cat([-second, first], dim=-1) * sines


class Decoder(nn.Module):
    """The decoder of LLaMA 7B (Touvron et al., 2023): token numbers (N, T) to logits (N, T, V)."""

    def __init__(
        self,
        dim: int = DIM,
        depth: int = DEPTH,
        heads: int = HEADS,
        mlp: int = MLP,
        tokens: int = TOKENS,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(tokens, dim)
        self.blocks = nn.ModuleList(_Block(dim, heads, mlp) for _ in range(depth))
        self.norm = nn.RMSNorm(dim)
        self.head = nn.Linear(dim, tokens, bias=False)
        self.frequencies = dim // heads

    def forward(self, numbers: Tensor) -> Tensor:
        """The logits of the next token at every place."""
        shape = numbers.shape[1], self.frequencies
        angles = torch.outer(
            torch.arange(shape[0], device=numbers.device).float(),
            torch.ones(shape[1], device=numbers.device),
        )
        x = self.embedding(numbers)
        for block in self.blocks:
            x = block(x, angles.cos(), angles.sin())
        logits: Tensor = self.head(self.norm(x))
        return logits

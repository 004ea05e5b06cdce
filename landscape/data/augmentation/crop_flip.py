"""Augmentation of a batch of small pictures, on its device."""

import torch
import torch.nn.functional as F
from torch import Tensor


def crop_and_flip(
    images: Tensor, generator: torch.Generator, whole: int | None = None, start: int = 0
) -> Tensor:
    """Shift each of (n, C, H, W) by up to an eighth of its side, zero-padded, and mirror half.

    Where the images are those from ``start`` on of a batch of ``whole``, the others are drawn for
    as well, so that an image moves as it would in the batch.
    """
    n, _, height, width = images.shape
    pad = max(1, min(height, width) // 8)
    padded = F.pad(images, (pad, pad, pad, pad))
    whole = n if whole is None else whole
    shifts = torch.randint(0, 2 * pad + 1, (2, whole, 1), generator=generator)
    rows, columns = shifts[:, start : start + n]
    mirrored = torch.rand(whole, 1, generator=generator)[start : start + n] < 0.5
    row_index = (rows + torch.arange(height)).to(images.device)
    column_index = columns + torch.arange(width)
    column_index = torch.where(mirrored, column_index.flip(1), column_index).to(images.device)
    sample = torch.arange(n, device=images.device).view(n, 1, 1)
    # Indices around a slice put the channels last.
    picked = padded[sample, :, row_index.unsqueeze(2), column_index.unsqueeze(1)]
    return picked.permute(0, 3, 1, 2).contiguous()

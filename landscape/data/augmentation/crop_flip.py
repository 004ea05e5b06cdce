"""Random shifts and reflections of a batch of small pictures, on its device."""

import torch
import torch.nn.functional as F
from torch import Tensor


def crop_and_flip(
    images: Tensor, generator: torch.Generator, batch_size: int | None = None, start: int = 0
) -> Tensor:
    """Shift each picture by up to an eighth of its side, zero-padded, and mirror half of them.

    Args:
        images: of shape (n, C, H, W).
        generator: of the random numbers.
        batch_size: the size of the batch that the pictures are a slice of; by default n. Random
            numbers are drawn for all of the batch, so that a slice changes as it would in it.
        start: where the slice starts.

    Returns:
        The changed pictures, of the same shape.
    """
    n, _, height, width = images.shape
    pad = max(1, min(height, width) // 8)
    padded = F.pad(images, (pad, pad, pad, pad))
    drawn = n if batch_size is None else batch_size
    shifts = torch.randint(0, 2 * pad + 1, (2, drawn, 1), generator=generator)
    rows, columns = shifts[:, start : start + n]
    mirrored = torch.rand(drawn, 1, generator=generator)[start : start + n] < 0.5
    row_index = (rows + torch.arange(height)).to(images.device)
    column_index = columns + torch.arange(width)
    column_index = torch.where(mirrored, column_index.flip(1), column_index).to(images.device)
    sample = torch.arange(n, device=images.device).view(n, 1, 1)
    # The index arrays on both sides of a slice put the channels last.
    picked = padded[sample, :, row_index.unsqueeze(2), column_index.unsqueeze(1)]
    return picked.permute(0, 3, 1, 2).contiguous()

"""The empirical neural tangent kernel (Jacot et al., NeurIPS 2018).

    Theta = J J',  J = the derivatives of m outputs with respect to the P parameters, (m, P)

J is never held as a whole unless it is small: its rows come in tiles, and the products of every
pair of tiles are taken while no more than two are in memory. A network of a single tile costs m
backward passes of one sample, one of T tiles about T / 2 times as many.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, jacrev, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from landscape.data.batches import Batch
from landscape.errors import NotMeasurableError
from landscape.objective.eval_copy import differentiable
from landscape.objective.model_call import call_model
from landscape.parameters.layout import flatten
from landscape.runtime.devices import free_memory, full_precision

# Of the memory that is free, so much may be rows.
SHARE_OF_MEMORY = 0.25
# So many columns of the rows are multiplied at once, in float64.
COLUMNS = 2**18


@dataclass(frozen=True)
class Tile:
    """Rows of the Jacobian: some samples' derivatives of some outputs, sample by sample."""

    start: int
    stop: int
    outputs: Sequence[int]

    def places(self, num_outputs: int, position: dict[int, int]) -> Tensor:
        """Where its rows are among all, of which each sample has ``num_outputs``."""
        samples = torch.arange(self.start, self.stop).unsqueeze(1) * num_outputs
        return (samples + torch.tensor([position[k] for k in self.outputs])).flatten()


def tangent_kernel(
    module: nn.Module,
    batch: Batch,
    outputs: Sequence[int],
    *,
    budget: int | None = None,
    watch: Callable[[int, int], None] = lambda done, total: None,
) -> Tensor:
    """The kernel over (sample, output) pairs, sample by sample, of shape (n K, n K), in float64.

    Args:
        module: in eval mode; its trainable parameters are those of J, unused ones count as 0.
        batch: n samples.
        outputs: the K of the model's outputs, by number, that J has rows of.
        budget: bytes of rows in memory; by default a share of what is free.
        watch: called with how many tiles of how many are done.

    Raises NotMeasurableError if the outputs are not of shape (n, K) or more.
    """
    parameters = [p for p in module.parameters() if p.requires_grad]
    row_bytes = sum(p.numel() * p.element_size() for p in parameters)
    device = parameters[0].device
    budget = int(SHARE_OF_MEMORY * free_memory(device)) if budget is None else budget
    tiles = list(_tiles(batch.size, outputs, max(1, budget // (2 * row_bytes))))
    position = {number: k for k, number in enumerate(outputs)}
    kernel = torch.zeros(2 * (batch.size * len(outputs),), dtype=torch.float64)
    done, total = 0, len(tiles) * (len(tiles) + 1) // 2
    for k, tile in enumerate(tiles):
        rows = jacobian_rows(module, batch.slice(tile.start, tile.stop), tile.outputs)
        here = tile.places(len(outputs), position)
        for other in islice(tiles, k, None):
            others = (
                rows
                if other is tile
                else jacobian_rows(module, batch.slice(other.start, other.stop), other.outputs)
            )
            there = other.places(len(outputs), position)
            block = _gram(rows, others).cpu()
            kernel[here.unsqueeze(1), there] = block
            kernel[there.unsqueeze(1), here] = block.T
            done += 1
            watch(done, total)
    return kernel


def jacobian_rows(module: nn.Module, batch: Batch, outputs: Sequence[int]) -> Tensor:
    """The derivatives of each sample's ``outputs``, sample by sample, of shape (n K, P).

    All samples of a batch at once where the module can be vmapped, else one after the other.
    """
    with full_precision(), sdpa_kernel(SDPBackend.MATH), differentiable(module):
        if isinstance(batch.inputs, Tensor):
            try:
                return _vmapped(module, batch.inputs, outputs)
            except (RuntimeError, ValueError, TypeError, NotImplementedError):
                pass  # it looks at values, changes tensors in place, or mixes samples
        return torch.cat(
            [_looped(module, batch.slice(k, k + 1), outputs) for k in range(batch.size)]
        )


def condition_number(eigenvalues: Tensor, dtype: torch.dtype) -> tuple[float, bool]:
    """lambda_max / lambda_min of a kernel, and whether it is a lower bound.

    Below rounding, m * eps * lambda_max of a kernel of m rows whose derivatives have ``dtype``, an
    eigenvalue is not known: then the ratio is taken to that. nan for a kernel of zeros.
    """
    largest = eigenvalues.max().item()
    floor = len(eigenvalues) * torch.finfo(dtype).eps * largest
    smallest = eigenvalues.min().item()
    if not largest > 0:
        return math.nan, False
    return largest / max(smallest, floor), smallest < floor


def _tiles(count: int, outputs: Sequence[int], rows: int) -> Iterator[Tile]:
    """All samples and outputs in tiles of at most ``rows`` rows."""
    width = min(len(outputs), rows)
    step = max(1, rows // width) if width == len(outputs) else 1
    for start in range(0, count, step):
        for first in range(0, len(outputs), width):
            yield Tile(start, min(start + step, count), outputs[first : first + width])


def _gram(rows: Tensor, others: Tensor) -> Tensor:
    """rows times others', summed in float64."""
    total = rows.new_zeros(len(rows), len(others), dtype=torch.float64)
    for left, right in zip(rows.split(COLUMNS, 1), others.split(COLUMNS, 1), strict=True):
        total += left.double() @ right.double().T
    return total


def _vmapped(module: nn.Module, inputs: Tensor, outputs: Sequence[int]) -> Tensor:
    named = {name: p.detach() for name, p in module.named_parameters() if p.requires_grad}
    chosen = torch.tensor(list(outputs), device=inputs.device)

    def of_one(values: dict[str, Tensor], one: Tensor) -> Tensor:
        found = functional_call(module, values, (one.unsqueeze(0),))
        return _logits(found)[0][chosen]

    pieces = vmap(jacrev(of_one), in_dims=(None, 0))(named, inputs)
    rows = len(inputs) * len(outputs)
    return torch.cat([pieces[name].reshape(rows, -1) for name in named], dim=1)


def _looped(module: nn.Module, one: Batch, outputs: Sequence[int]) -> Tensor:
    parameters = [p for p in module.parameters() if p.requires_grad]
    logits = _logits(call_model(module, one))[0]
    rows = [
        flatten(
            torch.autograd.grad(logits[k], parameters, retain_graph=True, materialize_grads=True)
        )
        for k in outputs
    ]
    return torch.stack(rows)


def _logits(found: Any) -> Tensor:
    if not isinstance(found, Tensor) or found.dim() != 2:
        raise NotMeasurableError("outputs have to be of shape (samples, outputs) for a kernel")
    return found

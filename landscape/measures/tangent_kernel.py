"""The empirical neural tangent kernel (Jacot et al., NeurIPS 2018).

    Theta = J J',  J = the derivatives of m outputs with respect to the P parameters, (m, P)

J is not kept in memory unless it is small: its rows are computed in tiles, and the products of each
pair of tiles are taken with no more than two in memory. With a single tile the kernel costs m
backward passes of one sample, with T tiles about T / 2 times as many.
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
from landscape.models.outputs import logits_of
from landscape.objective.eval_copy import differentiable
from landscape.objective.model_call import call_model
from landscape.parameters.layout import flatten
from landscape.runtime.devices import free_memory, full_precision

# The share of the free memory that rows may take.
SHARE_OF_MEMORY = 0.25
# How many columns of the rows are multiplied at once, in float64.
COLUMNS = 2**18


class LogitSum(nn.Module):
    """A model whose only output is the sum of another's logits.

    Its tangent kernel is that of TE-NAS (Chen, Gong and Wang, ICLR 2021): the Gram matrix of the
    gradients of the sum of a sample's logits.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, *inputs: Any, **named_inputs: Any) -> Tensor:
        """The sums, of shape (samples, 1)."""
        return _check_shape(self.module(*inputs, **named_inputs)).sum(1, keepdim=True)


@dataclass(frozen=True)
class Tile:
    """Rows of the Jacobian: the derivatives of some outputs of some samples, sample by sample."""

    start: int
    stop: int
    outputs: Sequence[int]

    def places(self, num_outputs: int, position: dict[int, int]) -> Tensor:
        """The places of its rows among those of all samples, ``num_outputs`` for each."""
        samples = torch.arange(self.start, self.stop).unsqueeze(1) * num_outputs
        return (samples + torch.tensor([position[k] for k in self.outputs])).flatten()


def tangent_kernel(
    module: nn.Module,
    batch: Batch,
    outputs: Sequence[int],
    *,
    together: bool = False,
    budget: int | None = None,
    watch: Callable[[int, int], None] = lambda done, total: None,
) -> Tensor:
    """The tangent kernel over pairs of a sample and an output.

    Args:
        module: in evaluation mode; J has columns for its trainable parameters, of zeros for those
            that the outputs do not depend on.
        batch: n samples.
        outputs: the numbers of the K outputs that J has rows for.
        together: call the module with all samples at once, as it needs where they depend on each
            other: where BatchNorm normalises by the batch. A row then costs a backward pass of n
            samples, and each pair of tiles a forward pass.
        budget: bytes of rows in memory; by default a share of the free memory.
        watch: called with the number of pairs of tiles that are done, and that of all.

    Returns:
        The kernel, sample by sample, of shape (n K, n K) in float64.

    Raises:
        NotMeasurableError: if the model's outputs are not of shape (samples, outputs).

    Example:
        Its condition number for the first outputs of 100 samples::

            kernel = tangent_kernel(objective.module, objective.batches[0].slice(0, 100), [0])
            condition_number(torch.linalg.eigvalsh(kernel), objective.dtype)
    """
    parameters = [p for p in module.parameters() if p.requires_grad]
    row_bytes = sum(p.numel() * p.element_size() for p in parameters)
    device = parameters[0].device
    budget = int(SHARE_OF_MEMORY * free_memory(device)) if budget is None else budget

    def rows_of(tile: Tile) -> Tensor:
        if together:
            return _rows_together(module, batch, tile)
        return jacobian_rows(module, batch.slice(tile.start, tile.stop), tile.outputs)

    tiles = list(_tiles(batch.size, outputs, max(1, budget // (2 * row_bytes))))
    position = {number: k for k, number in enumerate(outputs)}
    kernel = torch.zeros(2 * (batch.size * len(outputs),), dtype=torch.float64)
    done, total = 0, len(tiles) * (len(tiles) + 1) // 2
    for k, tile in enumerate(tiles):
        rows = rows_of(tile)
        here = tile.places(len(outputs), position)
        for second in islice(tiles, k, None):
            second_rows = rows if second is tile else rows_of(second)
            there = second.places(len(outputs), position)
            block = _gram(rows, second_rows).cpu()
            kernel[here.unsqueeze(1), there] = block
            kernel[there.unsqueeze(1), here] = block.T
            done += 1
            watch(done, total)
    return kernel


def jacobian_rows(module: nn.Module, batch: Batch, outputs: Sequence[int]) -> Tensor:
    """The derivatives of each sample's ``outputs``, sample by sample, of shape (n K, P).

    The samples are differentiated together where the module supports vmap, else one by one.
    """
    with full_precision(), sdpa_kernel(SDPBackend.MATH), differentiable(module):
        if isinstance(batch.inputs, Tensor):
            try:
                return _vmapped(module, batch.inputs, outputs)
            except (RuntimeError, ValueError, TypeError, NotImplementedError):
                pass  # the module reads values, changes tensors in place, or mixes samples
        return torch.cat(
            [_looped(module, batch.slice(k, k + 1), outputs) for k in range(batch.size)]
        )


def condition_number(eigenvalues: Tensor, dtype: torch.dtype) -> tuple[float, bool]:
    """The condition number of a kernel.

    An eigenvalue below the rounding error, m * eps * lambda_max for m rows, is unknown; that
    error then takes its place.

    Args:
        eigenvalues: all m of the kernel.
        dtype: the type of the derivatives that the kernel was computed from.

    Returns:
        lambda_max / lambda_min, nan for a kernel of zeros, and whether it is a lower bound.
    """
    largest = eigenvalues.max().item()
    floor = len(eigenvalues) * torch.finfo(dtype).eps * largest
    smallest = eigenvalues.min().item()
    if not largest > 0:
        return math.nan, False
    return largest / max(smallest, floor), smallest < floor


def _tiles(count: int, outputs: Sequence[int], rows: int) -> Iterator[Tile]:
    """Tiles of at most ``rows`` rows for all samples and outputs."""
    width = min(len(outputs), rows)
    step = max(1, rows // width) if width == len(outputs) else 1
    for start in range(0, count, step):
        for first in range(0, len(outputs), width):
            yield Tile(start, min(start + step, count), outputs[first : first + width])


def _gram(first: Tensor, second: Tensor) -> Tensor:
    """The products of the rows of two matrices, summed in float64."""
    total = first.new_zeros(len(first), len(second), dtype=torch.float64)
    for left, right in zip(first.split(COLUMNS, 1), second.split(COLUMNS, 1), strict=True):
        total += left.double() @ right.double().T
    return total


def _vmapped(module: nn.Module, inputs: Tensor, outputs: Sequence[int]) -> Tensor:
    named = {name: p.detach() for name, p in module.named_parameters() if p.requires_grad}
    chosen = torch.tensor(list(outputs), device=inputs.device)

    def sample_outputs(values: dict[str, Tensor], sample: Tensor) -> Tensor:
        batch_outputs = functional_call(module, values, (sample.unsqueeze(0),))
        return _check_shape(batch_outputs)[0][chosen]

    pieces = vmap(jacrev(sample_outputs), in_dims=(None, 0))(named, inputs)
    rows = len(inputs) * len(outputs)
    return torch.cat([pieces[name].reshape(rows, -1) for name in named], dim=1)


def _rows_together(module: nn.Module, batch: Batch, tile: Tile) -> Tensor:
    """A tile's rows, of one call with all samples."""
    parameters = [p for p in module.parameters() if p.requires_grad]
    with full_precision(), sdpa_kernel(SDPBackend.MATH), differentiable(module):
        logits = _check_shape(call_model(module, batch))
        return _derivatives(
            [logits[k, j] for k in range(tile.start, tile.stop) for j in tile.outputs], parameters
        )


def _looped(module: nn.Module, sample: Batch, outputs: Sequence[int]) -> Tensor:
    parameters = [p for p in module.parameters() if p.requires_grad]
    logits = _check_shape(call_model(module, sample))[0]
    return _derivatives([logits[k] for k in outputs], parameters)


def _derivatives(values: Sequence[Tensor], parameters: Sequence[Tensor]) -> Tensor:
    """The derivatives of scalars of one graph, a row each."""
    rows = [
        torch.autograd.grad(value, parameters, retain_graph=True, materialize_grads=True)
        for value in values
    ]
    return torch.stack([flatten(row) for row in rows])


def _check_shape(outputs: Any) -> Tensor:
    outputs = logits_of(outputs)
    if not isinstance(outputs, Tensor) or outputs.dim() != 2:
        shape = tuple(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
        raise NotMeasurableError(
            "the kernel needs a model whose outputs are a tensor of shape (samples, outputs), "
            f"got {shape}"
        )
    return outputs

"""The factors of a dense layer's Hessian, after Chen, Hsieh and Gong (ICLR 2022).

For one sample the Hessian with respect to the weight of h_k = W_k a_{k-1} is

    H_k = (a_{k-1} a_{k-1}') kron Hc_k,    Hc_k = B_k W_{k+1}' Hc_{k+1} W_{k+1} B_k + D_k,

with Hc_k the Hessian with respect to h_k, B_k = diag(f'(h_k)) and D_k = diag(f''(h_k) dL/da_k). The
paper argues with these factors and does not measure them. Here they are measured in the actual
network, including tokens, skip connections and norms, together with the eigenvalue that they bound.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from analyses.recursion.result import ACTIVE, TOLERANCE, Recursion, moments
from analyses.recursion.settings import Settings
from analyses.run_context import RunContext
from landscape.curvature.blocks import block_eigenvalues
from landscape.curvature.operators import CurvatureOperator
from landscape.curvature.preactivation import few_samples, preactivation_eigenvalues
from landscape.curvature.requests import ProductRequest
from landscape.curvature.sampling import sampling_errors
from landscape.errors import NotMeasurableError
from landscape.hooks.dense_layers import DenseLayer, dense_layers, watch_dense
from landscape.objective.objective import Objective
from landscape.parameters.groups import tensors_group
from landscape.runtime.progress import track

LOGGER = logging.getLogger(__name__)

# The tolerance of a block's eigenvalue, a hundredth of the residual that counts as converged.
BLOCK_TOLERANCE = 1e-5


def measure(objective: Objective, settings: Settings, context: RunContext) -> Recursion:
    """Measure inputs and slopes over the whole sample and Hessians on a few samples of it.

    Args:
        objective: the network and its sample.
        settings: how many samples have their own Hessians measured.
        context: not used.

    Returns:
        The factors of the Hessians of all dense layers that can be measured; a message says which
        layers are left out, and why.

    Raises:
        NotMeasurableError: if the model has no dense layer that can be measured.
    """
    layers, left_out = dense_layers(objective)
    for path, reason in left_out.items():
        LOGGER.info(f"{path} is left out: {reason}")
    means = _means(objective, layers)
    generator = torch.Generator().manual_seed(settings.seed)
    few = few_samples(objective, settings.recursion_samples, generator)
    by_path = preactivation_eigenvalues(few, layers, generator, tolerance=TOLERANCE)
    factors = [by_path[layer.path] for layer in layers]
    blocks = _blocks(few, layers, generator)
    return Recursion(
        layers=tuple(layer.path for layer in layers),
        roles=tuple(layer.role for layer in layers),
        inputs=means[:, 0],
        tokens=means[:, 1],
        active=means[:, 2],
        slopes=means[:, 3],
        eigenvalues=_table([factor.eigenvalues for factor in factors]),
        residuals=_table([factor.residuals for factor in factors]),
        gains=_table([factor.gains for factor in factors]),
        blocks=blocks[:, 0],
        block_residuals=blocks[:, 1],
        block_stderr=blocks[:, 2],
    )


def _means(objective: Objective, layers: Sequence[DenseLayer]) -> NDArray[np.float64]:
    """Inputs, tokens, active and slopes: means over the sample and standard errors, (L, 4, 2)."""
    batches: dict[str, list[Tensor]] = defaultdict(list)

    def record(layer: DenseLayer, x: Tensor, output: Tensor) -> Tensor:
        squares = x.double().square().reshape(len(x), -1).sum(1)
        tokens = x[0].numel() / x.shape[-1]
        active = slopes = torch.full_like(squares, torch.nan)
        if layer.activation is not None:
            slope = layer.slopes(output).double().reshape(len(x), -1)
            active, slopes = (slope.abs() > ACTIVE).double().mean(1), slope.square().mean(1)
        batches[layer.path].append(torch.stack([squares, squares / tokens, active, slopes]))
        return output

    task = f"recursion of {objective.label or 'model'} (batches)"
    with watch_dense(objective.module, layers, record):
        for _ in track(
            objective.outputs(), task, total=len(objective.batches), less="lower --samples"
        ):
            pass
    quantities = [torch.cat(batches[layer.path], 1) for layer in layers]
    for layer, values in zip(layers, quantities, strict=True):
        if values.shape[1] != objective.num_samples:
            raise NotMeasurableError(
                f"{layer.path} is passed by {values.shape[1]} of {objective.num_samples} samples; "
                "expected all of them"
            )
    return np.stack([moments(values.cpu().numpy()) for values in quantities])


def _blocks(
    few: Objective, layers: Sequence[DenseLayer], generator: torch.Generator
) -> NDArray[np.float64]:
    """Each weight's leading eigenvalue, residual and sampling error, (L, 3); nan if frozen."""
    numbers = {name: number for number, name in enumerate(few.layout.names)}
    groups = {
        layer.path: tensors_group(few.layout, [numbers[layer.weight]])
        for layer in layers
        if layer.weight in numbers
    }
    operator = CurvatureOperator(few)
    pairs = block_eigenvalues(operator, groups, generator, tolerance=BLOCK_TOLERANCE)
    requests = [ProductRequest(pair.vectors, groups[path]) for path, pair in pairs.items()]
    values = [pair.eigenvalues.item() for pair in pairs.values()]
    errors = dict(zip(pairs, sampling_errors(few, requests, values).errors, strict=True))
    blocks = np.full((len(layers), 3), np.nan)
    for n, layer in enumerate(layers):
        if layer.path in pairs:
            pair = pairs[layer.path]
            blocks[n] = pair.eigenvalues.item(), pair.residuals.item(), errors[layer.path]
    return blocks


def _table(rows: Sequence[Tensor]) -> NDArray[np.float64]:
    return torch.stack(list(rows)).cpu().numpy()

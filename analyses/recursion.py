"""The factors of a dense layer's Hessian, after Chen, Hsieh and Gong (ICLR 2022).

For one sample the Hessian with respect to the weight of h_k = W_k a_{k-1} is

    H_k = (a_{k-1} a_{k-1}') kron Hc_k,    Hc_k = B_k W_{k+1}' Hc_{k+1} W_{k+1} B_k + D_k,

with Hc_k the Hessian with respect to h_k, B_k = diag(f'(h_k)) and D_k = diag(f''(h_k) dL/da_k). The
paper argues with these factors and does not measure them. Here they are measured in the actual
network, tokens, skip connections and norms included, and so is the eigenvalue that they bound.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from analyses import recursion_result
from analyses.recursion_result import ACTIVE, Recursion, moments
from landscape.curvature.blocks import block_eigenvalues
from landscape.curvature.operators import CurvatureOperator
from landscape.curvature.preactivation import few_samples, preactivation_eigenvalues
from landscape.curvature.products import Request
from landscape.curvature.sampling import sampling_errors
from landscape.dense_layers import DenseLayer, dense_layers, watch_dense
from landscape.errors import NotMeasurableError
from landscape.groups import tensors_group
from landscape.objective import Objective
from landscape.progress import message, track
from landscape.work import IN_MEMORY, Work

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from analyses.style import Look

Settings = recursion_result.Settings

TITLE = "The recursion of layer Hessians"
SUMMARY = "the factors of each MLP layer's Hessian: inputs, slopes, pre-activation Hessian"
READING = {
    "": (
        "A dense layer's Hessian is made of its input a and of the Hessian with respect to its "
        "output h. For each such layer of the MLPs: the squared norm of a, the eigenvalue of "
        "largest magnitude of the Hessian with respect to h, the share of neurons whose "
        "activation function passes something on, and what the two factors bound: the largest "
        "eigenvalue of the block of the layer's weight."
    ),
    "recursion": (
        "From top to bottom: ‖a‖² of a sample, all tokens together; |λ| of the Hessian of a "
        "sample's loss with respect to h; the share of neurons with |f'(h)| > 0.1; |λ| of the "
        "weight's block, and dotted the bound ‖A‖²|λ| on it. Filled marks are the layers before "
        "an activation function, open ones those after it, diamonds the head. Bars are standard "
        "errors over samples."
    ),
}
# Residuals of the reported eigenvalues, which themselves are much closer.
TOLERANCE = 1e-3
# The tolerance of blocks is a hundredth of the residuals they are held to.
BLOCK_TOLERANCE = 1e-5


def compute(
    objective: Objective, settings: Settings | None = None, work: Work = IN_MEMORY
) -> Recursion:
    """Measure inputs and slopes over the whole sample, Hessians on a few samples of it.

    Raises NotMeasurableError for a model without a dense layer that can be measured.
    """
    settings = settings or Settings()
    started = time.perf_counter()
    layers, left_out = dense_layers(objective)
    for path, reason in left_out.items():
        message(f"{path} is left out: {reason}")
    means = _means(objective, layers)
    generator = torch.Generator().manual_seed(settings.seed)
    few = few_samples(objective, settings.recursion_samples, generator)
    found = preactivation_eigenvalues(few, layers, generator, tolerance=TOLERANCE)
    factors = [found[layer.path] for layer in layers]
    blocks = _blocks(few, layers, generator)
    return Recursion(
        label=objective.origin.get("label", ""),
        settings=settings,
        provenance=objective.provenance(time.perf_counter() - started),
        layers=tuple(layer.path for layer in layers),
        roles=tuple(layer.role for layer in layers),
        inputs=means[:, 0],
        tokens=means[:, 1],
        active=means[:, 2],
        slopes=means[:, 3],
        eigenvalues=_table([one.eigenvalues for one in factors]),
        residuals=_table([one.residuals for one in factors]),
        gains=_table([one.gains for one in factors]),
        blocks=blocks[:, 0],
        block_residuals=blocks[:, 1],
        block_stderr=blocks[:, 2],
    )


def _means(objective: Objective, layers: Sequence[DenseLayer]) -> NDArray[np.float64]:
    """Means over the sample and standard errors of four quantities, of shape (L, 4, 2)."""
    found: dict[str, list[Tensor]] = defaultdict(list)

    def look(layer: DenseLayer, x: Tensor, output: Tensor) -> Tensor:
        squares = x.double().square().reshape(len(x), -1).sum(1)
        tokens = x[0].numel() / x.shape[-1]
        active = slopes = torch.full_like(squares, torch.nan)
        if layer.activation is not None:
            slope = layer.slopes(output).double().reshape(len(x), -1)
            active, slopes = (slope.abs() > ACTIVE).double().mean(1), slope.square().mean(1)
        found[layer.path].append(torch.stack([squares, squares / tokens, active, slopes]))
        return output

    task = f"recursion of {objective.origin.get('label', 'model')} (batches)"
    with watch_dense(objective.module, layers, look):
        for _ in track(objective.outputs(), task, total=len(objective.batches)):
            pass
    values = [torch.cat(found[layer.path], 1) for layer in layers]
    for layer, one in zip(layers, values, strict=True):
        if one.shape[1] != objective.num_samples:
            raise NotMeasurableError(
                f"{layer.path} is passed by {one.shape[1]} of {objective.num_samples} samples; "
                "expected all of them"
            )
    return np.stack([moments(one.cpu().numpy()) for one in values])


def _blocks(
    few: Objective, layers: Sequence[DenseLayer], generator: torch.Generator
) -> NDArray[np.float64]:
    """Each weight's leading eigenvalue, its residual and sampling error, (L, 3); nan if frozen."""
    numbers = {name: number for number, name in enumerate(few.layout.names)}
    groups = {
        layer.path: tensors_group(few.layout, [numbers[layer.weight]])
        for layer in layers
        if layer.weight in numbers
    }
    operator = CurvatureOperator(few)
    pairs = block_eigenvalues(operator, groups, generator, tolerance=BLOCK_TOLERANCE)
    requests = [Request(one.vectors, groups[path]) for path, one in pairs.items()]
    errors = dict(zip(pairs, sampling_errors(few, requests), strict=True))
    found = np.full((len(layers), 3), np.nan)
    for n, layer in enumerate(layers):
        if layer.path in pairs:
            one = pairs[layer.path]
            found[n] = one.eigenvalues.item(), one.residuals.item(), errors[layer.path]
    return found


def _table(rows: Sequence[Tensor]) -> NDArray[np.float64]:
    return torch.stack(list(rows)).cpu().numpy()


def tabulate(results: Sequence[Recursion]) -> dict[str, list[dict[str, str]]]:
    """A row for each checkpoint, of its first MLP layer and of its last one."""
    return {
        "First MLP layer": [_row(result, result.ends[0]) for result in results],
        "Last MLP layer": [_row(result, result.ends[1]) for result in results],
    }


def _row(result: Recursion, n: int) -> dict[str, str]:
    from analyses.style import with_error, with_residual

    def mean(values: NDArray[np.float64], scale: float = 1.0) -> str:
        return with_error(scale * float(values[n, 0]), scale * float(values[n, 1]))

    block, residual, error = (
        float(values[n]) for values in (result.blocks, result.block_residuals, result.block_stderr)
    )
    return {
        "checkpoint": result.label,
        "layer": result.layers[n],
        "‖a‖² ± standard error": mean(result.inputs),
        "of a token": mean(result.tokens),
        "|f'| > 0.1, % ± standard error": (
            "no activation" if np.isnan(result.active[n, 0]) else mean(result.active, 100.0)
        ),
        "|λ|(ℋ), mean ± standard error": mean(result.magnitudes),
        "largest residual": f"{result.residuals[n].max():.0e}",
        "λ of the weight's block ± sampling error (residual)": (
            "frozen"
            if np.isnan(block)
            else with_residual(block, residual, residual <= TOLERANCE, error)
        ),
        "bound ± standard error": mean(result.bounds),
        "samples": f"{result.eigenvalues.shape[1]} of {result.provenance.num_samples}",
    }


def draw(results: Sequence[Recursion], look: Look | None = None) -> dict[str, Figure]:
    """The factors by layer, a column for each kind of MLP."""
    from analyses.recursion_figures import factors_by_layer

    return {"recursion": factors_by_layer(results)}

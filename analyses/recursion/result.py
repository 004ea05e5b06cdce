"""The result of the recursion of layer Hessians: the factors of each layer's Hessian."""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from analyses.recursion.settings import Settings
from landscape.curvature.sampling import SLICES
from landscape.estimates import mean_and_stderr
from landscape.results.provenance import Provenance
from landscape.results.result import Array, Result

# A neuron is active if its |f'(h)| is larger; for ReLU these are the neurons that are on.
ACTIVE = 0.1
# The largest relative residual of an eigenvalue that counts as converged; its error is far smaller.
TOLERANCE = 1e-3


@dataclass(frozen=True)
class Recursion(Result):
    """Factors of the Hessians of L dense layers in the order of the forward pass.

    Arrays of shape (L, 2) hold a mean over the whole sample and its standard error. The others are
    of S of its samples.

    Args:
        layers: the paths of the layers.
        roles: their roles, of :data:`landscape.hooks.dense_layers.ROLES`.
        inputs: (L, 2), the squared norm of a layer's input, summed over a sample's tokens.
        tokens: (L, 2), the same for one token.
        active: (L, 2), the share of neurons with |f'(h)| > 0.1; nan without an activation function.
        slopes: (L, 2), f'(h)^2; nan without an activation function.
        eigenvalues: (L, S), the eigenvalue of largest magnitude of Hc of each sample.
        residuals: (L, S), the relative residuals of these.
        gains: (L, S), ||A||_2^2 of the inputs.
        blocks: (L,), the eigenvalue of largest magnitude of the Hessian with respect to the layer's
            weight; nan for a frozen weight, as are the next two.
        block_residuals: (L,), the relative residuals of these.
        block_stderr: (L,), their sampling errors.
    """

    layers: tuple[str, ...]
    roles: tuple[str, ...]
    inputs: NDArray[np.float64]
    tokens: NDArray[np.float64]
    active: NDArray[np.float64]
    slopes: NDArray[np.float64]
    eigenvalues: NDArray[np.float64]
    residuals: NDArray[np.float64]
    gains: NDArray[np.float64]
    blocks: NDArray[np.float64]
    block_residuals: NDArray[np.float64]
    block_stderr: NDArray[np.float64]

    analysis: ClassVar[str] = "recursion"
    settings_type: ClassVar[type[Any]] = Settings
    coordinates: ClassVar[tuple[str, ...]] = ("layers",)

    def arrays(self) -> dict[str, Array]:
        """Every array by its name."""
        unit = self.provenance.loss_unit
        moments, samples = ("layer", "mean and standard error"), ("layer", "sample")
        return {
            "layers": Array(np.array(self.layers, dtype=object), "", ("layer",)),
            "roles": Array(np.array(self.roles, dtype=object), "", ("layer",)),
            "inputs": Array(self.inputs, "squared l2 norm", moments),
            "tokens": Array(self.tokens, "squared l2 norm", moments),
            "active": Array(self.active, "fraction", moments),
            "slopes": Array(self.slopes, "squared slope", moments),
            "eigenvalues": Array(self.eigenvalues, unit, samples),
            "residuals": Array(self.residuals, "relative", samples),
            "gains": Array(self.gains, "squared spectral norm", samples),
            "blocks": Array(self.blocks, unit, ("layer",)),
            "block_residuals": Array(self.block_residuals, "relative", ("layer",)),
            "block_stderr": Array(self.block_stderr, unit, ("layer",)),
        }

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, NDArray[Any]], label: str, settings: Any, provenance: Provenance
    ) -> Self:
        """The inverse of :meth:`arrays`."""
        fields: dict[str, Any] = dict(arrays)
        for name in ("layers", "roles"):
            fields[name] = tuple(map(str, arrays[name]))
        return cls(**fields, label=label, settings=settings, provenance=provenance)

    @property
    def magnitudes(self) -> NDArray[np.float64]:
        """The mean over the S samples of |lambda|(Hc) and its standard error, of shape (L, 2)."""
        return moments(np.abs(self.eigenvalues))

    @property
    def bounds(self) -> NDArray[np.float64]:
        """The mean over the S samples of ||A||_2^2 |lambda|(Hc) and its standard error, (L, 2).

        The mean bounds the magnitude of every eigenvalue of these samples' block.
        """
        return moments(self.gains * np.abs(self.eigenvalues))

    @property
    def dof(self) -> int:
        """The degrees of freedom of means over the whole sample."""
        return self.provenance.num_samples - 1

    @property
    def dof_of_hessians(self) -> int:
        """Those of means over the few samples whose Hessians were computed."""
        return int(self.eigenvalues.shape[1]) - 1

    @property
    def dof_of_blocks(self) -> int:
        """Those of the blocks' sampling errors, from as many slices as samples, up to a limit."""
        return min(self.dof_of_hessians, SLICES - 1)

    @property
    def ends(self) -> tuple[int, int]:
        """The indices of the first and last layer before an activation; of all if there is none."""
        with_activation = [n for n, role in enumerate(self.roles) if role in ("first", "between")]
        indices = with_activation or list(range(len(self.layers)))
        return indices[0], indices[-1]

    def headline(self) -> dict[str, Any]:
        """The factors by layer.

        ``layers`` has for each path its ``role``; the means ``input_squared_norm``,
        ``token_squared_norm``, ``active``, ``slope_squared``, ``preactivation_lambda`` (of the
        magnitude) and ``bound``, each with its standard error under ``NAME_stderr``; the largest
        ``preactivation_residual``; and ``block_lambda``, ``block_stderr`` and ``block_residual``.
        ``samples`` is the number of samples from ``preactivation_lambda`` on.
        """
        means = {
            "input_squared_norm": self.inputs,
            "token_squared_norm": self.tokens,
            "active": self.active,
            "slope_squared": self.slopes,
            "preactivation_lambda": self.magnitudes,
            "bound": self.bounds,
        }
        layers: dict[str, Any] = {}
        for n, path in enumerate(self.layers):
            layers[path] = {"role": self.roles[n]}
            for name, values in means.items():
                layers[path] |= {name: values[n, 0], f"{name}_stderr": values[n, 1]}
            layers[path] |= {
                "preactivation_residual": self.residuals[n].max(),
                "block_lambda": self.blocks[n],
                "block_stderr": self.block_stderr[n],
                "block_residual": self.block_residuals[n],
            }
        return {"layers": layers, "samples": self.eigenvalues.shape[1]}

    def headline_units(self) -> dict[str, str]:
        """The units of numbers that no array has."""
        unit = self.provenance.loss_unit
        return {
            **dict.fromkeys(("input_squared_norm", "token_squared_norm"), "squared l2 norm"),
            "active": "fraction",
            "slope_squared": "squared slope",
            **dict.fromkeys(("preactivation_lambda", "block_lambda"), unit),
            **dict.fromkeys(("preactivation_residual", "block_residual"), "relative"),
        }


def moments(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean and standard error along the last axis, of shape (..., 2); nan for one sample."""
    return np.stack(mean_and_stderr(values), -1)


def series(result: Recursion) -> dict[tuple[str, str], list[tuple[int, int]]]:
    """The layers that a curve connects.

    In a plain MLP, where layers stand between two activation functions, all layers are one series.
    A head comes after the last MLP, wherever there are any.

    Returns:
        By kind of MLP and role, the index of each layer and its position on the axis, from 1.
    """
    by_kind: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    is_chain = "between" in result.roles
    kind = ""
    for n, (path, role) in enumerate(zip(result.layers, result.roles, strict=True)):
        match = re.search(r"mlp(_tokens|_channels)?", path)
        if role != "head" or match:
            kind = match[0] if match else ""
        if is_chain and not kind:
            by_kind["", "between"].append((n, n + 1))
        elif role == "head":
            depths = [len(layers) for (mlp, _), layers in by_kind.items() if mlp == kind]
            by_kind[kind, role].append((n, max(depths, default=0) + 1))
        else:
            by_kind[kind, role].append((n, len(by_kind[kind, role]) + 1))
    return dict(by_kind)

"""What the recursion of layer Hessians came to, as a file."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from analyses.recursion.settings import Settings

if TYPE_CHECKING:
    pass


from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from landscape.results.provenance import Provenance
from landscape.results.result import Array, Result

# A neuron with a smaller |f'| counts as shut: of ReLU those that are off.
ACTIVE = 0.1


@dataclass(frozen=True)
class Recursion(Result):
    """Factors of the Hessians of L dense layers in the order of the forward pass.

    ``roles`` are of :data:`landscape.hooks.dense_layers.ROLES`. Of shape (L, 2), a mean over the
    whole sample and its standard error: ``inputs``, the squared norm of a layer's input summed over
    a sample's tokens; ``tokens``, the same for one token; ``active``, the share of neurons with
    |f'(h)| > 0.1; ``slopes``, f'(h)^2; these two nan without an activation function. Of S samples,
    of shape (L, S): the ``eigenvalues`` of largest magnitude of Hc, their relative ``residuals``,
    and ``gains``, ||A||_2^2 of the inputs. Over the same samples, of shape (L,): ``blocks``, the
    eigenvalue of largest magnitude of the Hessian with respect to the layer's weight,
    ``block_residuals`` and ``block_stderr``, the sampling error; nan for a frozen one.
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

    def arrays(self) -> dict[str, Array]:
        """Names and roles of layers, and their numbers."""
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
    def ends(self) -> tuple[int, int]:
        """The first and last layer that has an activation function, or of all if none has."""
        with_activation = [n for n, role in enumerate(self.roles) if role in ("first", "between")]
        places = with_activation or list(range(len(self.layers)))
        return places[0], places[-1]

    def headline(self) -> dict[str, Any]:
        """``layers``: for each by path its ``role``; ``input_squared_norm``, also of a token;
        ``active``, ``slope_squared``; ``preactivation_lambda`` (mean magnitude), ``bound``, each
        with its ``_stderr``; ``preactivation_residual`` (the largest); ``block_lambda``,
        ``block_stderr``, ``block_residual``. ``samples``: over how many those from
        ``preactivation_lambda`` on are."""
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


def moments(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean and standard error along the samples of (..., S), of shape (..., 2); nan for one."""
    count = values.shape[-1]
    mean = values.mean(-1)
    error = values.std(-1, ddof=1) / np.sqrt(count) if count > 1 else np.full_like(mean, np.nan)
    return np.stack([mean, error], -1)


# Residuals of the reported eigenvalues, which themselves are much closer.
TOLERANCE = 1e-3

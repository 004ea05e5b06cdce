"""Norms of weights by component and of activations by layer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from landscape.results.provenance import Provenance
from landscape.results.result import Array, Result

if TYPE_CHECKING:
    pass
from analyses.norms.settings import Settings


@dataclass(frozen=True)
class Norms(Result):
    """Parameter norms of C components (first the whole network), norms of the outputs of L layers.

    ``sizes`` and ``norms`` have shape (C,). ``is_block`` tells a block's output from that of an
    activation function. ``whole`` has the mean over samples of the norm of a sample's tensor and
    its standard error, shape (L, 2); ``token`` that of the root mean square over a sample's tokens
    of a token's norm. A token's vector is the last dimension, or dimension 1 of four.
    """

    parts: tuple[str, ...]
    sizes: NDArray[np.int64]
    norms: NDArray[np.float64]
    layers: tuple[str, ...]
    is_block: NDArray[np.bool_]
    whole: NDArray[np.float64]
    token: NDArray[np.float64]

    analysis: ClassVar[str] = "norms"
    settings_type: ClassVar[type[Any]] = Settings

    def arrays(self) -> dict[str, Array]:
        """Names, sizes and norms of components; names and norms of layers."""
        moments = ("layer", "mean and standard error")
        return {
            "parts": Array(np.array(self.parts, dtype=object), "", ("component",)),
            "sizes": Array(self.sizes, "parameters", ("component",)),
            "norms": Array(self.norms, "l2 norm", ("component",)),
            "layers": Array(np.array(self.layers, dtype=object), "", ("layer",)),
            "is_block": Array(self.is_block, "", ("layer",)),
            "whole": Array(self.whole, "l2 norm", moments),
            "token": Array(self.token, "l2 norm", moments),
        }

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, NDArray[Any]], label: str, settings: Any, provenance: Provenance
    ) -> Self:
        """The inverse of :meth:`arrays`."""
        fields: dict[str, Any] = {
            key: tuple(str(name) for name in arrays[key]) for key in ("parts", "layers")
        }
        fields |= {key: arrays[key] for key in ("sizes", "norms", "is_block", "whole", "token")}
        return cls(**fields, label=label, settings=settings, provenance=provenance)

    @property
    def rms(self) -> NDArray[np.float64]:
        """The root mean square of a component's parameters, of shape (C,)."""
        return np.asarray(self.norms / np.sqrt(self.sizes))

    @property
    def mlp_layers(self) -> list[int]:
        """The places of the MLPs' activations (channel mixing, not token mixing), or of all."""
        activations = [n for n, block in enumerate(self.is_block) if not block]
        pattern = re.compile(r"mlp(?!_tokens)")
        return [n for n in activations if pattern.search(self.layers[n])] or activations

    def post_activation(self, k: int) -> tuple[float, float]:
        """Mean norm of a sample's whole a_k and its standard error; k counts MLPs from 1."""
        if not 1 <= k <= len(self.mlp_layers):
            raise IndexError(f"layer {k} of {len(self.mlp_layers)}")
        mean, stderr = self.whole[self.mlp_layers[k - 1]]
        return float(mean), float(stderr)

    @property
    def first_middle_last(self) -> tuple[int, ...]:
        """The k of the first, middle and last layer: 1, 6 and 12 of twelve; none without any."""
        count = len(self.mlp_layers)
        return (1, (count + 1) // 2, count) if count else ()

    def headline(self) -> dict[str, Any]:
        """``parameters``: size, norm and rms by component; ``activations`` and ``blocks``: by
        layer ``norm``, ``token_norm`` and their standard errors."""
        sides: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
        for n, name in enumerate(self.layers):
            sides[int(self.is_block[n])][name] = {
                "norm": self.whole[n, 0],
                "norm_stderr": self.whole[n, 1],
                "token_norm": self.token[n, 0],
                "token_norm_stderr": self.token[n, 1],
            }
        return {
            "parameters": {
                name: {"size": self.sizes[n], "norm": self.norms[n], "rms": self.rms[n]}
                for n, name in enumerate(self.parts)
            },
            "activations": sides[0],
            "blocks": sides[1],
        }

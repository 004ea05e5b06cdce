"""The result of the norms analysis: weights by component and activations by layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from analyses.norms.settings import Settings
from landscape.hooks.layer_names import feature_mlps
from landscape.results.provenance import Provenance
from landscape.results.result import Array, Result


@dataclass(frozen=True)
class Norms(Result):
    """Parameter norms of C components and norms of the outputs of L layers.

    Args:
        components: their names; the first is the whole network.
        sizes: (C,), how many parameters each has.
        norms: (C,), the l2 norm of these.
        layers: the paths of the layers.
        is_block: (L,), whether the output is a block's and not an activation function's.
        whole: (L, 2), the mean over samples of the norm of a sample's whole output and its
            standard error.
        token: (L, 2), the same for the root mean square over a sample's tokens of a token's norm;
            a token's vector is the last dimension, or dimension 1 of an output of four dimensions.
    """

    components: tuple[str, ...]
    sizes: NDArray[np.int64]
    norms: NDArray[np.float64]
    layers: tuple[str, ...]
    is_block: NDArray[np.bool_]
    whole: NDArray[np.float64]
    token: NDArray[np.float64]

    analysis: ClassVar[str] = "norms"
    settings_type: ClassVar[type[Any]] = Settings
    coordinates: ClassVar[tuple[str, ...]] = ("parts", "layers")

    def arrays(self) -> dict[str, Array]:
        """Names, sizes and norms of components; names and norms of layers."""
        moments = ("layer", "mean and standard error")
        return {
            "parts": Array(np.array(self.components, dtype=object), "", ("component",)),
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
        return cls(
            components=tuple(map(str, arrays["parts"])),
            layers=tuple(map(str, arrays["layers"])),
            **{name: arrays[name] for name in ("sizes", "norms", "is_block", "whole", "token")},
            label=label,
            settings=settings,
            provenance=provenance,
        )

    @property
    def rms(self) -> NDArray[np.float64]:
        """The root mean square of each component's parameters, of shape (C,)."""
        return np.asarray(self.norms / np.sqrt(self.sizes))

    @property
    def mlp_layers(self) -> list[int]:
        """The indices of the MLPs' activations, token mixing excepted; of all if there are none."""
        activations = [n for n, is_block in enumerate(self.is_block) if not is_block]
        chosen = feature_mlps([self.layers[n] for n in activations])
        return [activations[k] for k in chosen]

    def post_activation(self, k: int) -> tuple[float, float]:
        """The mean norm of a sample's whole a_k and its standard error.

        Args:
            k: the number of the MLP, from 1.

        Raises:
            IndexError: if there is no such MLP.
        """
        if not 1 <= k <= len(self.mlp_layers):
            raise IndexError(f"k has to be from 1 to {len(self.mlp_layers)}, got {k}")
        mean, stderr = self.whole[self.mlp_layers[k - 1]]
        return float(mean), float(stderr)

    @property
    def first_middle_last(self) -> tuple[int, ...]:
        """The k of the first, middle and last MLP: 1, 6 and 12 of twelve; empty without MLPs."""
        count = len(self.mlp_layers)
        return (1, (count + 1) // 2, count) if count else ()

    def headline(self) -> dict[str, Any]:
        """The norms by component and by layer.

        ``parameters`` has ``size``, ``norm`` and ``rms`` by component; ``activations`` and
        ``blocks`` have ``norm``, ``token_norm`` and their standard errors by layer.
        """
        activations: dict[str, Any] = {}
        blocks: dict[str, Any] = {}
        for n, name in enumerate(self.layers):
            (blocks if self.is_block[n] else activations)[name] = {
                "norm": self.whole[n, 0],
                "norm_stderr": self.whole[n, 1],
                "token_norm": self.token[n, 0],
                "token_norm_stderr": self.token[n, 1],
            }
        return {
            "parameters": {
                name: {"size": self.sizes[n], "norm": self.norms[n], "rms": self.rms[n]}
                for n, name in enumerate(self.components)
            },
            "activations": activations,
            "blocks": blocks,
        }

    def headline_units(self) -> dict[str, str]:
        """The units of numbers that no array has."""
        norms = dict.fromkeys(("norm", "token_norm"), "l2 norm")
        return {**norms, "size": "parameters"}

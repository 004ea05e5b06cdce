"""Norms of the weights and of what the layers put out (Table 3 of Chen, Hsieh and Gong, 2022).

Parameter norms are ||w||_2 of the trainable parameters, whole and by component. An activation a_k
is what layer k puts out for one sample: its norm is over the whole tensor (all tokens or positions
and all features), or of one token's vector, as a root mean square over tokens.
"""

from __future__ import annotations

import math
import re
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from landscape.activations import watch_activations, watch_outputs
from landscape.components import block_paths, components
from landscape.objective import Objective
from landscape.progress import track
from landscape.provenance import Provenance
from landscape.results import Array, Result
from landscape.work import IN_MEMORY, Work

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from analyses.style import Look

TITLE = "Norms of weights and activations"
SUMMARY = "the norms of the weights by component, and of activations by layer"
READING = {
    "": (
        "The l2 norm of the trainable parameters, whole and by component, and the mean over the "
        "sample of the l2 norm of what a layer puts out."
    ),
    "norms": (
        "Left: the norm of each component's parameters; these are exact. Right: the mean norm of a "
        "sample's whole activation after each MLP's activation function, with its standard error "
        "over samples; all activation layers where no MLP is known."
    ),
}


@dataclass(frozen=True)
class Settings:
    """Nothing to choose."""


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
        return cls(label, settings, provenance, **fields)

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


def compute(
    objective: Objective, settings: Settings | None = None, work: Work = IN_MEMORY
) -> Norms:
    """Measure the weights, and in one forward pass the outputs of activations and blocks.

    A layer whose first dimension is not the samples is left out; of a block that is called more
    than once, the last call counts.
    """
    started = time.perf_counter()
    theta = objective.theta
    parts = {"whole network": theta}
    for name, group in components(objective.module, objective.layout).items():
        parts[name] = group.gather(theta)
    seen: dict[tuple[bool, str], Tensor] = {}
    found: dict[tuple[bool, str], list[Tensor]] = defaultdict(list)

    def look(is_block: bool, layer: str, output: Tensor) -> None:
        seen[is_block, layer] = _sample_norms(output)

    task = f"norms of {objective.origin.get('label', 'model')} (batches)"
    module = objective.module
    with (
        watch_activations(module, lambda layer, output: look(False, layer, output)),
        watch_outputs(module, block_paths(module), lambda path, output: look(True, path, output)),
    ):
        for batch, _ in track(objective.outputs(), task, total=len(objective.batches)):
            for key, norms in seen.items():
                if norms.shape[1] == batch.size:
                    found[key].append(norms)
            seen.clear()
    by_layer = {
        key: norms
        for key, pieces in found.items()
        if (norms := torch.cat(pieces, 1)).shape[1] == objective.num_samples
    }
    moments = np.array([_moments(norms) for norms in by_layer.values()]).reshape(-1, 2, 2)
    return Norms(
        label=objective.origin.get("label", ""),
        settings=settings or Settings(),
        provenance=objective.provenance(time.perf_counter() - started),
        parts=tuple(parts),
        sizes=np.array([part.numel() for part in parts.values()], dtype=np.int64),
        norms=np.array([part.double().norm().item() for part in parts.values()]),
        layers=tuple(layer for _, layer in by_layer),
        is_block=np.array([is_block for is_block, _ in by_layer], dtype=bool),
        whole=moments[:, 0],
        token=moments[:, 1],
    )


def _sample_norms(output: Tensor) -> Tensor:
    """Of each sample the norm of its tensor and the RMS of its tokens' norms, shape (2, n)."""
    if output.dim() == 0:
        return torch.empty(2, 0, dtype=torch.float64, device=output.device)
    whole = output.double().reshape(len(output), -1).norm(dim=1)
    features = output.shape[1 if output.dim() == 4 else -1] if output.dim() > 1 else 1
    tokens = output[0].numel() / features
    return torch.stack([whole, whole / math.sqrt(tokens)])


def _moments(norms: Tensor) -> NDArray[np.float64]:
    """Mean and standard error along the samples of (2, N), shape (2, 2); nan for one sample."""
    values = norms.cpu().numpy()
    count = values.shape[1]
    spread = values.std(1, ddof=1) / math.sqrt(count) if count > 1 else np.full(2, math.nan)
    return np.stack([values.mean(1), spread], 1)


def tabulate(results: Sequence[Norms]) -> dict[str, list[dict[str, str]]]:
    """A row of the report for each checkpoint."""
    from analyses.style import number, with_error

    rows = []
    for result in results:
        row = {
            "checkpoint": result.label,
            "parameters": str(result.sizes[0]),
            "norm of weights (exact)": number(float(result.norms[0]), 4),
            "RMS weight (exact)": number(float(result.rms[0])),
        }
        places = result.first_middle_last or (0, 0, 0)
        for name, k in zip(("first", "middle", "last"), places, strict=True):
            text = with_error(*result.post_activation(k)) if k else "none"
            row[f"norm of {name} activation ± standard error"] = text
        rows.append(row)
    return {"": rows}


def draw(results: Sequence[Norms], look: Look | None = None) -> dict[str, Figure]:
    """Norms of weights by component beside those of activations by layer."""
    from analyses.norms_figures import weights_and_activations

    return {"norms": weights_and_activations(results)}

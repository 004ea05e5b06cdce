"""Activation sparsity: the share of neurons that are active, layer by layer.

A neuron is active on an input if its value after the activation function is greater than 0 (the
paper's Figure 2, right). For GELU the sign of the output is that of the input.
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

from landscape.activations import watch_activations
from landscape.errors import NotMeasurableError
from landscape.objective import Objective
from landscape.progress import track
from landscape.provenance import Provenance
from landscape.results import Array, Result
from landscape.work import IN_MEMORY, Work

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from analyses.style import Look

TITLE = "Activation sparsity"
SUMMARY = "the share of active neurons in each layer"
READING = {
    "": (
        "For each activation layer, from the first to the last, the share of neurons whose "
        "value is greater than 0, averaged over the sample, tokens or pixels, and neurons. The "
        "lower a curve, the fewer neurons take part in each decision."
    )
}


@dataclass(frozen=True)
class Settings:
    """Nothing to choose."""


@dataclass(frozen=True)
class Sparsity(Result):
    """For L layers in the order of the forward pass: the active fraction and its standard error
    over the samples, each of shape (L,)."""

    layers: tuple[str, ...]
    active: NDArray[np.float64]
    stderr: NDArray[np.float64]

    analysis: ClassVar[str] = "sparsity"
    settings_type: ClassVar[type[Any]] = Settings

    def arrays(self) -> dict[str, Array]:
        """Layer names, active fractions and their standard errors."""
        return {
            "layers": Array(np.array(self.layers, dtype=object), "", ("layer",)),
            "active": Array(self.active, "fraction", ("layer",)),
            "stderr": Array(self.stderr, "fraction", ("layer",)),
        }

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, NDArray[Any]], label: str, settings: Any, provenance: Provenance
    ) -> Self:
        """The inverse of :meth:`arrays`."""
        layers = tuple(str(name) for name in arrays["layers"])
        return cls(label, settings, provenance, layers, arrays["active"], arrays["stderr"])

    @property
    def mean(self) -> float:
        """The mean over the layers, each counting alike."""
        return float(self.active.mean())

    def headline(self) -> dict[str, Any]:
        """Active fraction by layer, and the mean over layers."""
        return {
            "layers": dict(zip(self.layers, self.active, strict=True)),
            "stderr": dict(zip(self.layers, self.stderr, strict=True)),
            "mean": self.mean,
        }


def compute(
    objective: Objective, settings: Settings | None = None, work: Work = IN_MEMORY
) -> Sparsity:
    """Count the active neurons of every activation over the objective's sample.

    Raises NotMeasurableError if the model has no activation that can be watched.
    """
    started = time.perf_counter()
    # By layer, the active fraction of each sample.
    fractions: dict[str, list[Tensor]] = defaultdict(list)

    def count(layer: str, output: Tensor) -> None:
        fractions[layer].append((output > 0).double().reshape(len(output), -1).mean(1))

    task = f"sparsity of {objective.origin.get('label', 'model')} (batches)"
    with watch_activations(objective.module, count):
        for _ in track(objective.outputs(), task, total=len(objective.batches)):
            pass
    if not fractions:
        raise NotMeasurableError(
            f"{type(objective.module).__name__} has no activation function that can be watched: "
            "no module of torch.nn and no call of torch.nn.functional"
        )
    by_layer = {layer: torch.cat(values).cpu().numpy() for layer, values in fractions.items()}
    return Sparsity(
        label=objective.origin.get("label", ""),
        settings=settings or Settings(),
        provenance=objective.provenance(time.perf_counter() - started),
        layers=tuple(by_layer),
        active=np.array([values.mean() for values in by_layer.values()]),
        stderr=np.array(
            [
                values.std(ddof=1) / math.sqrt(len(values)) if len(values) > 1 else math.nan
                for values in by_layer.values()
            ]
        ),
    )


def series(result: Sparsity) -> dict[str, list[int]]:
    """Layers of one kind, by position: a Mixer's token and channel MLPs are two series."""
    kinds: dict[str, list[int]] = defaultdict(list)
    for position, layer in enumerate(result.layers):
        match = re.search(r"mlp(_tokens|_channels)?", layer)
        kinds[match[0] if match else "activation"].append(position)
    return dict(kinds)


def tabulate(results: Sequence[Sparsity]) -> dict[str, list[dict[str, str]]]:
    """A row of the report for each checkpoint."""
    from analyses.style import with_error

    return {
        "": [
            {
                "checkpoint": result.label,
                "layers": str(len(result.layers)),
                "mean active, %": f"{100 * result.mean:.1f}",
                "first layer, %, ± standard error": with_error(
                    100 * float(result.active[0]), 100 * float(result.stderr[0])
                ),
                "last layer, %, ± standard error": with_error(
                    100 * float(result.active[-1]), 100 * float(result.stderr[-1])
                ),
            }
            for result in results
        ]
    }


def draw(results: Sequence[Sparsity], look: Look | None = None) -> dict[str, Figure]:
    """The active share by layer, one panel for each architecture's set of layers."""
    from analyses.sparsity_figures import active_neurons

    return {"sparsity": active_neurons(results)}

"""The result of the sparsity analysis: active neurons and feature ranks by layer."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from analyses.sparsity.settings import Settings
from landscape.estimates import Proportion
from landscape.hooks.layer_names import feature_mlps, mlp_kind
from landscape.results.provenance import Provenance
from landscape.results.result import Array, Result

# Of the histogram of how often neurons are active.
BINS = 20
# Of samples, for the jackknife.
GROUPS = 8

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Sparsity(Result):
    """Active neurons and feature ranks of L layers, in the order of the forward pass.

    Args:
        layers: the names of the layers.
        active: (L,), the fraction of active neurons.
        stderr: (L,), its standard error over samples; 1 / n of n samples where none or all of the
            neurons are active (:class:`landscape.estimates.Proportion`).
        mean_stderr: the standard error over samples of the mean over layers.
        above: (T, L, 2), the fraction above each of T thresholds and its standard error.
        neurons: (L,), how many neurons a layer has.
        dead: (L,), the fraction of these that is active on no sample.
        histogram: (L, 20), how many neurons are active how often.
        rank: (L, 2), the effective rank of the features and its jackknife error.
        components: (L, 2), how many principal components hold 99 % of the variance, and its
            jackknife error.
    """

    layers: tuple[str, ...]
    active: Values
    stderr: Values
    mean_stderr: float
    above: Values
    neurons: NDArray[np.int64]
    dead: Values
    histogram: NDArray[np.int64]
    rank: Values
    components: Values

    analysis: ClassVar[str] = "sparsity"
    settings_type: ClassVar[type[Any]] = Settings
    coordinates: ClassVar[tuple[str, ...]] = ("layers",)

    def arrays(self) -> dict[str, Array]:
        """Every array by its name."""
        of_layer = ("layer",)
        estimate = ("layer", "value and error")
        return {
            "layers": Array(np.array(self.layers, dtype=object), "", of_layer),
            "active": Array(self.active, "fraction", of_layer),
            "stderr": Array(self.stderr, "fraction", of_layer),
            "mean_stderr": Array(np.float64(self.mean_stderr), "fraction"),
            "above": Array(self.above, "fraction", ("threshold", *estimate)),
            "neurons": Array(self.neurons, "neurons", of_layer),
            "dead": Array(self.dead, "fraction", of_layer),
            "histogram": Array(self.histogram, "neurons", ("layer", "share of the time active")),
            "rank": Array(self.rank, "dimensions", estimate),
            "components": Array(self.components, "dimensions", estimate),
        }

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, NDArray[Any]], label: str, settings: Any, provenance: Provenance
    ) -> Self:
        """The inverse of :meth:`arrays`.

        A file of an earlier version holds the active fractions alone. Its settings then have no
        threshold, so that their fingerprint differs from that of today's settings.
        """
        values: dict[str, Any] = {name: array for name, array in arrays.items() if name != "layers"}
        # Files of earlier versions have none.
        values["mean_stderr"] = float(arrays.get("mean_stderr", math.nan))
        if "dead" not in arrays:
            count, unknown = len(arrays["layers"]), np.full((len(arrays["layers"]), 2), math.nan)
            settings = replace(settings, thresholds=())
            values |= {
                "above": np.empty((0, count, 2)),
                "neurons": np.zeros(count, np.int64),
                "dead": np.full(count, math.nan),
                "histogram": np.zeros((count, BINS), np.int64),
                "rank": unknown,
                "components": unknown,
            }
        return cls(
            layers=tuple(map(str, arrays["layers"])),
            **values,
            label=label,
            settings=settings,
            provenance=provenance,
        )

    @property
    def mean(self) -> float:
        """The mean active fraction over layers, each of the same weight."""
        return float(self.active.mean())

    @property
    def mlp_layers(self) -> list[int]:
        """The indices of the MLPs' activations, token mixing excepted; of all if there are none."""
        return feature_mlps(self.layers)

    @property
    def mean_share(self) -> Proportion:
        """:attr:`mean` with its error over samples."""
        return Proportion(self.mean, self.mean_stderr, self._dof)

    @property
    def shares(self) -> list[Proportion]:
        """The active fraction of each layer with its error over samples."""
        return [
            Proportion(float(active), float(stderr), self._dof)
            for active, stderr in zip(self.active, self.stderr, strict=True)
        ]

    @property
    def jackknife_dof(self) -> float:
        """The degrees of freedom of the errors of ``rank`` and ``components``."""
        return float(min(GROUPS, self.provenance.num_samples) - 1)

    @property
    def _dof(self) -> float:
        return float(self.provenance.num_samples - 1)

    def headline(self) -> dict[str, Any]:
        """Active fractions, dead neurons and ranks by layer, and the mean active fraction."""

        def by_layer(values: Values) -> dict[str, float]:
            return dict(zip(self.layers, values.tolist(), strict=True))

        return {
            "layers": by_layer(self.active),
            "stderr": by_layer(self.stderr),
            "mean": self.mean,
            "mean_stderr": self.mean_stderr,
            "above": {
                f"{threshold:g}": by_layer(above[:, 0])
                for threshold, above in zip(self.settings.thresholds, self.above, strict=True)
            },
            "dead": by_layer(self.dead),
            "effective_rank": by_layer(self.rank[:, 0]),
            "effective_rank_stderr": by_layer(self.rank[:, 1]),
            "components_for_99_percent": by_layer(self.components[:, 0]),
            "neurons": by_layer(self.neurons.astype(np.float64)),
        }

    def headline_units(self) -> dict[str, str]:
        """The units of numbers that no array has."""
        return {
            **dict.fromkeys(("layers", "mean", "above", "dead"), "fraction"),
            **dict.fromkeys(("effective_rank", "components_for_99_percent"), "dimensions"),
            "neurons": "neurons",
        }


def series(result: Sparsity) -> dict[str, list[int]]:
    """The indices of the layers by kind: a Mixer's token and channel MLPs are two series."""
    kinds: dict[str, list[int]] = defaultdict(list)
    for position, layer in enumerate(result.layers):
        kinds[mlp_kind(layer) or "activation"].append(position)
    return dict(kinds)

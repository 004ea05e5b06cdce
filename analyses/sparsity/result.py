"""What the analysis of sparsity was asked and what it found."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from analyses.sparsity.settings import Settings

if TYPE_CHECKING:
    pass


from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

from landscape.results.provenance import Provenance
from landscape.results.result import Array, Result

BINS = 20
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Sparsity(Result):
    """For L layers in the order of the forward pass: the active fraction and its standard error
    over the samples, each of shape (L,).

    ``above`` (T, L, 2) is the fraction above each threshold and its error. Of ``neurons`` (L,) the
    fraction ``dead`` (L,) is active on no sample, and ``histogram`` (L, 20) counts them by how
    often they are active. ``rank`` (L, 2) is the effective rank of the features with its
    jackknife error, ``components`` (L, 2) the principal components that hold 99 % of the variance.
    """

    layers: tuple[str, ...]
    active: Values
    stderr: Values
    above: Values
    neurons: NDArray[np.int64]
    dead: Values
    histogram: NDArray[np.int64]
    rank: Values
    components: Values

    analysis: ClassVar[str] = "sparsity"
    settings_type: ClassVar[type[Any]] = Settings

    def arrays(self) -> dict[str, Array]:
        """Layer names, active fractions and what else is known of each layer."""
        of_layer = ("layer",)
        estimate = ("layer", "value and error")
        return {
            "layers": Array(np.array(self.layers, dtype=object), "", of_layer),
            "active": Array(self.active, "fraction", of_layer),
            "stderr": Array(self.stderr, "fraction", of_layer),
            "above": Array(self.above, "fraction", ("threshold", *estimate)),
            "neurons": Array(self.neurons, "", of_layer),
            "dead": Array(self.dead, "fraction", of_layer),
            "histogram": Array(self.histogram, "neurons", ("layer", "share of the time active")),
            "rank": Array(self.rank, "", estimate),
            "components": Array(self.components, "", estimate),
        }

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, NDArray[Any]], label: str, settings: Any, provenance: Provenance
    ) -> Self:
        """The inverse of :meth:`arrays`.

        A file of an earlier version knows the active fractions alone: its settings then have no
        threshold, so that it answers another question than is asked now.
        """
        layers = tuple(str(name) for name in arrays["layers"])
        plain = arrays["active"], arrays["stderr"]
        names = ("above", "neurons", "dead", "histogram", "rank", "components")
        if "dead" in arrays:
            return cls(
                layers,
                *plain,
                *(arrays[n] for n in names),
                label=label,
                settings=settings,
                provenance=provenance,
            )
        count, unknown = len(layers), np.full((len(layers), 2), math.nan)
        return cls(
            layers,
            *plain,
            above=np.empty((0, count, 2)),
            neurons=np.zeros(count, np.int64),
            dead=np.full(count, math.nan),
            histogram=np.zeros((count, BINS), np.int64),
            rank=unknown,
            components=unknown,
            label=label,
            settings=replace(settings, thresholds=()),
            provenance=provenance,
        )

    @property
    def mean(self) -> float:
        """The mean over the layers, each counting alike."""
        return float(self.active.mean())

    def headline(self) -> dict[str, Any]:
        """Active fraction by layer, and the mean over layers; dead units, ranks, thresholds."""

        def by_layer(values: Values) -> dict[str, float]:
            return dict(zip(self.layers, values.tolist(), strict=True))

        return {
            "layers": by_layer(self.active),
            "stderr": by_layer(self.stderr),
            "mean": self.mean,
            "above": {
                f"{threshold:g}": by_layer(found[:, 0])
                for threshold, found in zip(self.settings.thresholds, self.above, strict=True)
            },
            "dead": by_layer(self.dead),
            "effective_rank": by_layer(self.rank[:, 0]),
            "effective_rank_stderr": by_layer(self.rank[:, 1]),
            "components_for_99_percent": by_layer(self.components[:, 0]),
            "neurons": by_layer(self.neurons.astype(np.float64)),
        }


def series(result: Sparsity) -> dict[str, list[int]]:
    """Layers of one kind, by position: a Mixer's token and channel MLPs are two series."""
    kinds: dict[str, list[int]] = defaultdict(list)
    for position, layer in enumerate(result.layers):
        match = re.search(r"mlp(_tokens|_channels)?", layer)
        kinds[match[0] if match else "activation"].append(position)
    return dict(kinds)

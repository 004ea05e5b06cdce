"""The result of the attention analysis: entropies by layer and maps of a few pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from analyses.attention.settings import Settings
from landscape.results.provenance import Provenance
from landscape.results.result import Array, Result

# Whose attention a map shows.
CLASS_TOKEN, PATCHES = "class token", "mean over patches"


@dataclass(frozen=True)
class Maps:
    """Attention maps of P pictures by H heads over a grid of G x G patches.

    Args:
        indices: (P,), the pictures' numbers in the sample.
        classes: (P,), the names of their classes, "" where there are none.
        pixels: (P, height, width, channels), bytes.
        shown: how the pixels were made from the model's inputs.
        query: whose attention it is, :data:`CLASS_TOKEN` or :data:`PATCHES`.
        raw: (P, H, G, G), attention weights in the last layer.
        rolled: (P, G, G), attention rollout.
    """

    indices: NDArray[np.int64]
    classes: tuple[str, ...]
    pixels: NDArray[np.uint8]
    shown: str
    query: str
    raw: NDArray[np.float64]
    rolled: NDArray[np.float64]

    @property
    def mean(self) -> NDArray[np.float64]:
        """Attention weights in the last layer, the mean over heads, (P, G, G)."""
        return self.raw.mean(1)

    def arrays(self) -> dict[str, Array]:
        """The arrays of the result file, under ``maps/``."""
        grid = ("picture", "row", "column")
        return {
            "maps/indices": Array(self.indices, "", ("picture",)),
            "maps/classes": Array(np.array(self.classes, dtype=object), "", ("picture",)),
            "maps/pixels": Array(self.pixels, "of 255", ("picture", "height", "width", "channel")),
            "maps/shown": Array(np.array(self.shown, dtype=object)),
            "maps/query": Array(np.array(self.query, dtype=object)),
            "maps/raw": Array(self.raw, "fraction", ("picture", "head", *grid[1:])),
            "maps/rollout": Array(self.rolled, "fraction", grid),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """The inverse of :meth:`arrays`."""
        return cls(
            indices=arrays["maps/indices"],
            classes=tuple(map(str, arrays["maps/classes"])),
            pixels=arrays["maps/pixels"],
            shown=str(arrays["maps/shown"]),
            query=str(arrays["maps/query"]),
            raw=arrays["maps/raw"],
            rolled=arrays["maps/rollout"],
        )


@dataclass(frozen=True)
class Attention(Result):
    """Entropies in nats of L layers of up to H heads, and the maps of a few pictures.

    Args:
        layers: the paths of the modules that attend, in the order of the forward pass.
        heads: (L,), how many heads each has.
        keys: (L,), how many tokens can be looked at, the largest number in any batch.
        entropy: (L, H), the mean over queries and samples; nan beyond a layer's heads.
        entropy_stderr: (L, H), its standard error over samples.
        layer_stderr: (L,), the standard error of the mean over heads.
        class_entropy: (L, 2), the entropy of the class token's attention alone, the mean over heads
            and samples, and its standard error; nan where no class token is known.
        mean: (2,), the mean over layers and heads, and its standard error.
        maps: the maps, or None.
        why_no_maps: why there are no maps; "" where there are.
    """

    layers: tuple[str, ...]
    heads: NDArray[np.int64]
    keys: NDArray[np.int64]
    entropy: NDArray[np.float64]
    entropy_stderr: NDArray[np.float64]
    layer_stderr: NDArray[np.float64]
    class_entropy: NDArray[np.float64]
    mean: NDArray[np.float64]
    maps: Maps | None
    why_no_maps: str

    analysis: ClassVar[str] = "attention"
    settings_type: ClassVar[type[Any]] = Settings
    coordinates: ClassVar[tuple[str, ...]] = ("layers",)

    def arrays(self) -> dict[str, Array]:
        """Every array by its name; those of the maps only where there are any."""
        by_head, error = ("layer", "head"), "value and standard error"
        return {
            "layers": Array(np.array(self.layers, dtype=object), "", ("layer",)),
            "heads": Array(self.heads, "heads", ("layer",)),
            "keys": Array(self.keys, "tokens", ("layer",)),
            "entropy": Array(self.entropy, "nat", by_head),
            "entropy_stderr": Array(self.entropy_stderr, "nat", by_head),
            "layer_stderr": Array(self.layer_stderr, "nat", ("layer",)),
            "class_entropy": Array(self.class_entropy, "nat", ("layer", error)),
            "mean": Array(self.mean, "nat", (error,)),
            "why_no_maps": Array(np.array(self.why_no_maps, dtype=object)),
            **({} if self.maps is None else self.maps.arrays()),
        }

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, NDArray[Any]], label: str, settings: Any, provenance: Provenance
    ) -> Self:
        """The inverse of :meth:`arrays`."""
        return cls(
            layers=tuple(map(str, arrays["layers"])),
            heads=arrays["heads"],
            keys=arrays["keys"],
            entropy=arrays["entropy"],
            entropy_stderr=arrays["entropy_stderr"],
            layer_stderr=arrays["layer_stderr"],
            class_entropy=arrays["class_entropy"],
            mean=arrays["mean"],
            maps=Maps.from_arrays(arrays) if "maps/raw" in arrays else None,
            why_no_maps=str(arrays["why_no_maps"]),
            label=label,
            settings=settings,
            provenance=provenance,
        )

    @property
    def by_layer(self) -> NDArray[np.float64]:
        """The mean over heads in each layer, (L,), in nats."""
        return np.nanmean(self.entropy, axis=1)

    @property
    def maximum(self) -> NDArray[np.float64]:
        """log(keys), the largest possible entropy of each layer, (L,), in nats."""
        return np.log(self.keys)

    def headline(self) -> dict[str, Any]:
        """Entropies in nats by layer and head, their mean, and the largest possible ones.

        ``layers`` and ``class_token`` go by the layer's name, with their errors in ``stderr`` and
        ``class_token_stderr``; ``heads`` lists the heads of each layer. ``pictures`` are the
        numbers of the pictures in the sample.
        """

        def named(values: Any) -> dict[str, Any]:
            return dict(zip(self.layers, values, strict=True))

        return {
            "mean": self.mean[0],
            "mean_stderr": self.mean[1],
            "layers": named(self.by_layer),
            "stderr": named(self.layer_stderr),
            "heads": named(row[:n] for row, n in zip(self.entropy, self.heads, strict=True)),
            "class_token": named(self.class_entropy[:, 0]),
            "class_token_stderr": named(self.class_entropy[:, 1]),
            "maximum": named(self.maximum),
            "query": None if self.maps is None else self.maps.query,
            "pictures": None if self.maps is None else self.maps.indices,
            "why_no_maps": self.why_no_maps or None,
        }

    def headline_units(self) -> dict[str, str]:
        """The units of numbers that no array has."""
        return dict.fromkeys(("mean", "layers", "heads", "class_token", "maximum"), "nat")

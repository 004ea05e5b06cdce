"""Similarity of layers and weights, and sharpness under rescaling: files and comparisons."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from analyses.similarity.settings import Settings
from landscape.measures.cka import cka, cka_error
from landscape.results.provenance import Provenance
from landscape.results.result import Array, Result

MEASURES = {
    "λ_max": "the largest Hessian eigenvalue",
    "noise": "mean rise under noise for all weights alike",
    "‖g‖": "the gradient's norm, SAM's first-order sharpness",
    "filter noise": "mean rise under noise relative to filters",
    "‖|w| g‖": "ASAM's first-order sharpness",
}


@dataclass(frozen=True)
class Similarity(Result):
    """Features of layers, weights against a reference, and sharpness before and after rescaling.

    Attributes:
        layers: the names of the L layers.
        grams: their centred Gram matrices over n samples, each of norm 1, shape (L, n, n).
        components: the names of the whole network and its components (``parts`` in files).
        weights: for each of these the cosine with the reference's weights, the distance from
            them, and that relative to their norm, shape (C, 3); nan without a reference.
        symmetries: the number of rescalings by kind.
        before: the M :data:`MEASURES` with their errors before rescaling, shape (M, 2); nan
            without a symmetry, as are the following.
        after: the same after rescaling.
        ratios: after / before with its error, shape (M, 2).
    """

    layers: tuple[str, ...]
    grams: NDArray[np.float32]
    components: tuple[str, ...]
    weights: NDArray[np.float64]
    symmetries: Mapping[str, int]
    before: NDArray[np.float64]
    after: NDArray[np.float64]
    ratios: NDArray[np.float64]

    analysis: ClassVar[str] = "similarity"
    settings_type: ClassVar[type[Any]] = Settings
    coordinates: ClassVar[tuple[str, ...]] = ("layers", "parts", "symmetries", "measures")

    def arrays(self) -> dict[str, Array]:
        """The arrays by name."""
        measure_axes, unit = ("measure", "value and error"), self.provenance.loss_unit
        return {
            "layers": Array(np.array(self.layers, dtype=object), "", ("layer",)),
            "grams": Array(self.grams, "", ("layer", "sample", "sample")),
            "parts": Array(np.array(self.components, dtype=object), "", ("component",)),
            "weights": Array(self.weights, "", ("component", "cosine, distance, relative")),
            "symmetries": Array(np.array(list(self.symmetries), dtype=object), "", ("kind",)),
            "symmetry_counts": Array(np.array(list(self.symmetries.values()), int), "", ("kind",)),
            "measures": Array(np.array(list(MEASURES), dtype=object), "", ("measure",)),
            "before": Array(self.before, unit, measure_axes),
            "after": Array(self.after, unit, measure_axes),
            "ratios": Array(self.ratios, "relative", measure_axes),
        }

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, NDArray[Any]], label: str, settings: Any, provenance: Provenance
    ) -> Self:
        """The inverse of :meth:`arrays`."""
        counts = map(int, arrays["symmetry_counts"])
        return cls(
            layers=tuple(map(str, arrays["layers"])),
            grams=arrays["grams"],
            components=tuple(map(str, arrays["parts"])),
            weights=arrays["weights"],
            symmetries=dict(zip(map(str, arrays["symmetries"]), counts, strict=True)),
            before=arrays["before"],
            after=arrays["after"],
            ratios=arrays["ratios"],
            label=label,
            settings=settings,
            provenance=provenance,
        )

    @property
    def has_reference(self) -> bool:
        """Whether weights were compared."""
        return bool(np.isfinite(self.weights).all())

    def headline(self) -> dict[str, Any]:
        """CKA of the first with the last layer, weights by component, ratios by measure."""
        value, error = layer_cka(self, self, 0, -1)
        return {
            "layers": self.layers,
            "cka_of_first_and_last_layer": value,
            "cka_of_first_and_last_layer_stderr": error,
            "weights": {
                component: {"cosine": row[0], "distance": row[1], "relative_distance": row[2]}
                for component, row in zip(self.components, self.weights, strict=True)
            },
            "symmetries": self.symmetries,
            "ratios": {
                measure: {"ratio": row[0], "error": row[1]}
                for measure, row in zip(MEASURES, self.ratios, strict=True)
            },
        }


def are_comparable(first: Similarity, second: Similarity) -> bool:
    """Whether both were measured on the same samples."""
    same = first.provenance.sample_sha256 == second.provenance.sample_sha256
    return same and first.grams.shape[1] == second.grams.shape[1]


def layer_cka(first: Similarity, second: Similarity, k: int, j: int) -> tuple[float, float]:
    """CKA of layer k of the first network with layer j of the second, and its standard error."""
    grams = first.grams[k].astype(np.float64), second.grams[j].astype(np.float64)
    return cka(*grams), cka_error(*grams)


def cka_map(first: Similarity, second: Similarity) -> NDArray[np.float64]:
    """CKA of all layers of the first network with all of the second, of shape (L, L')."""
    return np.array(
        [
            [cka(a.astype(np.float64), b.astype(np.float64)) for b in second.grams]
            for a in first.grams
        ]
    )


def map_pairs(results: Sequence[Similarity]) -> list[tuple[Similarity, Similarity]]:
    """Each result with the one that its map compares it with.

    That is the first one of the same architecture if it was measured on the same samples, and
    otherwise the result itself.
    """
    firsts: dict[str, Similarity] = {}
    pairs = []
    for result in results:
        origin = result.provenance.origin
        architecture = f"{origin.get('model')} {origin.get('model_args')} {result.layers}"
        first = firsts.setdefault(architecture, result)
        pairs.append((result, first if are_comparable(result, first) else result))
    return pairs

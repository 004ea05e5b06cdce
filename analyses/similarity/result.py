"""What the analysis of similarity was asked and what it found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from analyses.similarity.settings import Settings

if TYPE_CHECKING:
    pass


from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

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
    """For L layers the centred Gram matrices of n samples' features, of norm 1, (L, n, n).

    ``parts`` (C,) name the whole network and its components; ``weights`` (C, 3) are the cosine
    with the reference's weights, the distance from them, and that relative to their norm: nan
    without a reference. ``symmetries`` count the rescalings by kind; ``before`` and ``after``
    (M, 2) are :data:`MEASURES` with their errors, ``ratios`` (M, 2) after / before and its error:
    nan without a symmetry.
    """

    layers: tuple[str, ...]
    grams: NDArray[np.float32]
    parts: tuple[str, ...]
    weights: NDArray[np.float64]
    symmetries: Mapping[str, int]
    before: NDArray[np.float64]
    after: NDArray[np.float64]
    ratios: NDArray[np.float64]

    analysis: ClassVar[str] = "similarity"
    settings_type: ClassVar[type[Any]] = Settings

    def arrays(self) -> dict[str, Array]:
        """Every array by its name."""
        found = ("measure", "value and error")
        return {
            "layers": Array(np.array(self.layers, dtype=object), "", ("layer",)),
            "grams": Array(self.grams, "", ("layer", "sample", "sample")),
            "parts": Array(np.array(self.parts, dtype=object), "", ("component",)),
            "weights": Array(self.weights, "", ("component", "cosine, distance, relative")),
            "symmetries": Array(np.array(list(self.symmetries), dtype=object), "", ("kind",)),
            "symmetry_counts": Array(np.array(list(self.symmetries.values()), int), "", ("kind",)),
            "measures": Array(np.array(list(MEASURES), dtype=object), "", ("measure",)),
            "before": Array(self.before, "", found),
            "after": Array(self.after, "", found),
            "ratios": Array(self.ratios, "", found),
        }

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, NDArray[Any]], label: str, settings: Any, provenance: Provenance
    ) -> Self:
        """The inverse of :meth:`arrays`."""
        counts = map(int, arrays["symmetry_counts"])
        fields: dict[str, Any] = {
            key: arrays[key] for key in ("grams", "weights", "before", "after", "ratios")
        }
        fields |= {key: tuple(map(str, arrays[key])) for key in ("layers", "parts")}
        fields["symmetries"] = dict(zip(map(str, arrays["symmetries"]), counts, strict=True))
        return cls(**fields, label=label, settings=settings, provenance=provenance)

    @property
    def has_reference(self) -> bool:
        """Whether weights were compared."""
        return bool(np.isfinite(self.weights).all())

    def headline(self) -> dict[str, Any]:
        """CKA of the first with the last layer, weights by component, ratios by measure."""
        value, error = of_layers(self, self, 0, -1)
        return {
            "layers": self.layers,
            "cka_of_first_and_last_layer": value,
            "cka_of_first_and_last_layer_stderr": error,
            "weights": {
                part: {"cosine": row[0], "distance": row[1], "relative_distance": row[2]}
                for part, row in zip(self.parts, self.weights, strict=True)
            },
            "symmetries": self.symmetries,
            "ratios": {
                measure: {"ratio": row[0], "error": row[1]}
                for measure, row in zip(MEASURES, self.ratios, strict=True)
            },
        }


def are_comparable(one: Similarity, other: Similarity) -> bool:
    """Whether both saw the same samples."""
    same = one.provenance.sample_sha256 == other.provenance.sample_sha256
    return same and one.grams.shape[1] == other.grams.shape[1]


def of_layers(one: Similarity, other: Similarity, k: int, j: int) -> tuple[float, float]:
    """CKA of layer k of one network with layer j of another, and its standard error."""
    grams = one.grams[k].astype(np.float64), other.grams[j].astype(np.float64)
    return cka(*grams), cka_error(*grams)


def cka_map(one: Similarity, other: Similarity) -> NDArray[np.float64]:
    """CKA of all layers of one network with all of another, of shape (L, L')."""
    return np.array(
        [[cka(a.astype(np.float64), b.astype(np.float64)) for b in other.grams] for a in one.grams]
    )


def first_of_each(results: Sequence[Similarity]) -> list[tuple[Similarity, Similarity]]:
    """Each result with the one its map compares it with: the first of its kind, or itself."""
    firsts: dict[str, Similarity] = {}
    pairs = []
    for one in results:
        made = one.provenance.origin
        kind = f"{made.get('model')} {made.get('model_args')} {one.layers}"
        first = firsts.setdefault(kind, one)
        pairs.append((one, first if are_comparable(one, first) else one))
    return pairs

"""The report's tables of similarity."""

from collections.abc import Sequence
from pathlib import Path

from analyses.drawing.numbers import number, with_error
from analyses.similarity.result import MEASURES, Similarity, are_comparable, layer_cka

# A ratio with a smaller error is exact but for rounding.
ROUNDING = 1e-9


def tabulate(results: Sequence[Similarity]) -> dict[str, list[dict[str, str]]]:
    """CKA within each network and with the first one, weights, and the rescaling."""
    return {
        "Layers (CKA ± jackknife error over samples)": [
            _layers(result, results[0]) for result in results
        ],
        "Weights, compared with a reference (exact)": [_weights(result) for result in results],
        "Sharpness after rescalings that leave the function as it is, relative to before": [
            _rescaling(result) for result in results
        ],
    }


def _layers(result: Similarity, first: Similarity) -> dict[str, str]:
    if result is first:
        with_first = "itself"
    elif are_comparable(result, first):
        with_first = with_error(*layer_cka(result, first, -1, -1))
    else:
        with_first = "other samples"
    return {
        "checkpoint": result.label,
        "layers": str(len(result.layers)),
        "CKA, first and last layer": with_error(*layer_cka(result, result, 0, -1)),
        f"CKA of the last layer with that of {first.label}": with_first,
    }


def _weights(result: Similarity) -> dict[str, str]:
    cosine, distance, relative = (
        [number(value) for value in result.weights[0]] if result.has_reference else ["–"] * 3
    )
    reference = result.settings.reference
    return {
        "checkpoint": result.label,
        "reference": str(Path(reference)) if reference else "none of its kind before it",
        "cosine with its weights": cosine,
        "distance": distance,
        "distance / its norm": relative,
    }


def _rescaling(result: Similarity) -> dict[str, str]:
    kinds = ", ".join(f"{count} of {kind}" for kind, count in result.symmetries.items())
    ratios = {
        measure: _ratio(*map(float, row)) if result.symmetries else "–"
        for measure, row in zip(MEASURES, result.ratios, strict=True)
    }
    return {"checkpoint": result.label, "rescaled": kinds or "no symmetry found", **ratios}


def _ratio(value: float, error: float) -> str:
    return with_error(value, error) if error > ROUNDING else number(value).within("{} (exact)")

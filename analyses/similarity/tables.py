"""The report's tables of similarity."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from analyses.drawing.numbers import number, with_error
from analyses.similarity.result import MEASURES, Similarity, are_comparable, of_layers


def tabulate(results: Sequence[Similarity]) -> dict[str, list[dict[str, str]]]:
    """CKA within and with the first network, weights, and the rescaling."""

    def layers(one: Similarity) -> dict[str, str]:
        row = {
            "checkpoint": one.label,
            "layers": str(len(one.layers)),
            "CKA, first and last layer": with_error(*of_layers(one, one, 0, -1)),
        }
        first = results[0]
        title = f"CKA of the last layer with that of {first.label}"
        if one is first:
            row[title] = "itself"
        elif are_comparable(one, first):
            row[title] = with_error(*of_layers(one, first, -1, -1))
        else:
            row[title] = "other samples"
        return row

    def weights(one: Similarity) -> dict[str, str]:
        cosine, distance, relative = (
            [number(value) for value in one.weights[0]] if one.has_reference else ["–"] * 3
        )
        reference = Path(one.settings.reference)
        return {
            "checkpoint": one.label,
            "reference": str(reference) if one.settings.reference else "none of its kind before it",
            "cosine with its weights": cosine,
            "distance": distance,
            "distance / its norm": relative,
        }

    def ratio(value: float, error: float) -> str:
        return with_error(value, error) if error > 1e-9 else f"{number(value)} (exact)"

    def rescaling(one: Similarity) -> dict[str, str]:
        kinds = ", ".join(f"{count} of {kind}" for kind, count in one.symmetries.items())
        ratios = {
            measure: ratio(*map(float, row)) if one.symmetries else "–"
            for measure, row in zip(MEASURES, one.ratios, strict=True)
        }
        return {"checkpoint": one.label, "rescaled": kinds or "no symmetry found", **ratios}

    return {
        "Layers (CKA ± jackknife error over samples)": [layers(one) for one in results],
        "Weights, compared with a reference (exact)": [weights(one) for one in results],
        "Sharpness after rescalings that leave the function as it is, relative to before": [
            rescaling(one) for one in results
        ],
    }

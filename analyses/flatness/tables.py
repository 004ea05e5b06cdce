"""The report's table of flatness."""

from __future__ import annotations

from collections.abc import Sequence

from analyses.drawing.numbers import estimate_text, fixed, number, with_error
from analyses.flatness.result import Flatness, reference
from analyses.flatness.settings import BALLS
from landscape.runtime.choices import NOISES

CAPTIONS = {
    "fixed": "L^N, fixed",
    "filter": "L^N, filter",
    "adaptive": "L^N, adaptive",
    "l2": "worst, l2",
    "adaptive-l2": "worst, adaptive l2",
    "adaptive-linf": "worst, adaptive l∞",
}


def tabulate(results: Sequence[Flatness]) -> dict[str, list[dict[str, str]]]:
    """One table with a row for each checkpoint, at one sigma and one radius of each."""
    kinds = [kind for kind in NOISES if any(kind in result.average for result in results)]
    balls = [ball for ball in BALLS if any(ball in result.worst for result in results)]
    return {
        "": [
            {
                "checkpoint": result.label,
                "L, ± sampling error": with_error(
                    result.loss, result.loss_stderr, result.provenance.num_samples - 1
                ),
                **{f"{CAPTIONS[kind]}, ± standard error": _noise(result, kind) for kind in kinds},
                **{f"{CAPTIONS[ball]}, at least": _worst(result, ball) for ball in balls},
                "draws": str(result.settings.draws),
                "seconds": fixed(result.provenance.seconds, 1),
            }
            for result in results
        ]
    }


def _noise(result: Flatness, kind: str) -> str:
    average = result.average.get(kind)
    if average is None:
        return "not measured"
    k = reference(kind, average.sigmas)
    at = f"(σ = {average.sigmas[k]:g})"
    if average.diverged[k]:
        return f"{average.diverged[k]} of {average.losses.shape[1]} draws not finite {at}"
    mean = average.estimates[k]
    return estimate_text(mean).within(f"{{}} {at}")


def _worst(result: Flatness, ball: str) -> str:
    worst = result.worst.get(ball)
    if worst is None:
        return "not measured"
    k = reference(ball, worst.radii)
    diverged = f", {worst.diverged[k]} points not finite" if worst.diverged[k] else ""
    highest = number(float(worst.losses[k]))
    return highest.within(f"{{}} (ρ = {worst.radii[k]:g}{diverged})")

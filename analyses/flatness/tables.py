"""The report's table of flatness."""

from __future__ import annotations

from collections.abc import Sequence

from analyses.drawing.numbers import number, with_error
from analyses.flatness.result import Flatness, reference

_CAPTIONS = {
    "fixed": "L^N, fixed",
    "filter": "L^N, filter",
    "adaptive": "L^N, adaptive",
    "l2": "worst, l2",
    "adaptive-l2": "worst, adaptive l2",
    "adaptive-linf": "worst, adaptive l∞",
}


def tabulate(results: Sequence[Flatness]) -> dict[str, list[dict[str, str]]]:
    """A row of the report for each checkpoint, at one sigma and one radius of each."""
    kinds = [kind for kind in ("fixed", "filter", "adaptive") if _any_has(results, kind)]
    balls = [ball for ball in ("l2", "adaptive-l2", "adaptive-linf") if _any_has(results, ball)]
    return {
        "": [
            {
                "checkpoint": one.label,
                "L, ± sampling error": with_error(one.loss, one.loss_stderr),
                **{f"{_CAPTIONS[kind]}, ± standard error": _noise(one, kind) for kind in kinds},
                **{f"{_CAPTIONS[ball]}, at least": _worst(one, ball) for ball in balls},
                "draws": str(one.settings.draws),
                "seconds": f"{one.provenance.seconds:.1f}",
            }
            for one in results
        ]
    }


def _any_has(results: Sequence[Flatness], name: str) -> bool:
    return any(name in one.average or name in one.worst for one in results)


def _noise(result: Flatness, kind: str) -> str:
    one = result.average.get(kind)
    if one is None:
        return "not measured"
    k = reference(kind, one.sigmas)
    at = f"(σ = {one.sigmas[k]:g})"
    if one.diverged[k]:
        return f"{one.diverged[k]} of {one.losses.shape[1]} draws not finite {at}"
    return f"{with_error(float(one.mean[k]), float(one.stderr[k]))} {at}"


def _worst(result: Flatness, ball: str) -> str:
    one = result.worst.get(ball)
    if one is None:
        return "not measured"
    k = reference(ball, one.radii)
    lost = f", {one.diverged[k]} points not finite" if one.diverged[k] else ""
    return f"{number(float(one.losses[k]))} (ρ = {one.radii[k]:g}{lost})"

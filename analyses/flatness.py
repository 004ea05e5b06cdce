"""Flatness: the loss about the weights, on average under noise and at its worst in a ball.

The average is L^N = E L(w + eps) with eps ~ N(0, sigma^2 I) of Chen, Hsieh and Gong ("When vision
transformers outperform ResNets without pre-training or strong data augmentations", ICLR 2022,
Table 1), whose sigma the paper does not state. The worst case is max L(w + eps) over a ball
||eps|| <= rho, what SAM minimises (Foret et al., ICLR 2021). Both also relative to the weights:
where these are rescaled without changing the function, only the adaptive ones stay what they are
(Kwon et al., ICML 2021; Andriushchenko et al., "A modern look at the relationship between
sharpness and generalization", ICML 2023).
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from analyses.flatness_result import AverageCase, Flatness, WorstCase, reference
from analyses.flatness_settings import Settings
from landscape.errors import NotMeasurableError
from landscape.objective import Objective
from landscape.perturbation import Ball, noise_draws, noise_scale, worst_points
from landscape.progress import track
from landscape.work import IN_MEMORY, Work

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from analyses.style import Look

TITLE = "Flatness"
SUMMARY = "the loss under random noise on the weights, and at its worst in a ball around them"
READING = {
    "": (
        "How far the loss rises about the weights: on average under Gaussian noise (L^N), and at "
        "the highest point found in a ball, which bounds the true maximum from below. Noise and "
        "balls are of one size for all weights, relative to the norm of each filter, or relative "
        "to each weight; only the last does not depend on how a network's weights are scaled. "
        "What is flatter does not for that reason generalise better."
    ),
    "flatness": (
        "Top: the mean loss under noise by its size, with the standard error over draws as a "
        "band. Bottom: the highest loss found in a ball by its radius, with a small cross for "
        "SAM's single step. A curve that ends early has draws without a finite loss further on."
    ),
}
_CAPTIONS = {
    "fixed": "L^N, fixed",
    "filter": "L^N, filter",
    "adaptive": "L^N, adaptive",
    "l2": "worst, l2",
    "adaptive-l2": "worst, adaptive l2",
    "adaptive-linf": "worst, adaptive l∞",
}

__all__ = [
    "READING",
    "SUMMARY",
    "TITLE",
    "Flatness",
    "Settings",
    "compute",
    "draw",
    "tabulate",
]


def compute(
    objective: Objective, settings: Settings | None = None, work: Work = IN_MEMORY
) -> Flatness:
    """Losses under noise and in balls around the weights, over the objective's sample.

    A draw whose loss is not finite is kept as such. Raises NotMeasurableError if the loss at the
    weights themselves is not finite.
    """
    settings = settings or Settings()
    started = time.perf_counter()
    here = objective.evaluate()
    if not math.isfinite(here.loss):
        raise NotMeasurableError(
            f"flatness is measured around weights of finite loss; the loss is {here.loss}"
        )
    average = _average_case(objective, settings)
    worst = _worst_case(objective, settings)
    return Flatness(
        label=objective.origin.get("label", ""),
        settings=settings,
        provenance=objective.provenance(time.perf_counter() - started),
        loss=here.loss,
        loss_stderr=here.loss_stderr,
        average=average,
        worst=worst,
    )


def _average_case(objective: Objective, settings: Settings) -> dict[str, AverageCase]:
    theta = objective.theta
    scales = {
        kind: noise_scale(kind, objective.layout, theta, settings.filter_policy)
        for kind in settings.noise
    }
    losses = {
        kind: np.empty((len(settings.sigmas_of(kind)), settings.draws)) for kind in settings.noise
    }
    task = f"noise on {objective.origin.get('label', 'model')} (draws)"
    noises = noise_draws(objective, settings.draws, settings.seed)
    for number, noise in enumerate(track(noises, task, total=settings.draws)):
        for kind, scale in scales.items():
            step = scale * noise
            for k, sigma in enumerate(settings.sigmas_of(kind)):
                losses[kind][k, number] = objective.loss(torch.add(theta, step, alpha=sigma))
    return {
        kind: AverageCase(np.array(settings.sigmas_of(kind), dtype=np.float64), values)
        for kind, values in losses.items()
    }


def _worst_case(objective: Objective, settings: Settings) -> dict[str, WorstCase]:
    theta = objective.theta
    balls = {
        "l2": Ball(torch.ones_like(theta)),
        "adaptive-l2": Ball(theta.abs()),
        "adaptive-linf": Ball(theta.abs(), math.inf),
    }
    found = {}
    for name, radii in settings.balls.items():
        points = worst_points(objective, balls[name], radii, settings.ascent_steps, settings.seed)
        task = f"worst case of {objective.origin.get('label', 'model')}, {name} (radii)"
        # A point holds a vector as long as theta; only its numbers are kept.
        rows = [
            (one.loss, one.one_step, one.alignment, one.diverged)
            for one in track(points, task, total=len(radii))
        ]
        losses, one_step, alignment, diverged = np.array(rows, dtype=np.float64).T.copy()
        found[name] = WorstCase(
            np.array(radii, dtype=np.float64),
            losses,
            one_step,
            alignment,
            diverged.astype(np.int64),
        )
    return found


def tabulate(results: Sequence[Flatness]) -> dict[str, list[dict[str, str]]]:
    """A row of the report for each checkpoint, at one sigma and one radius of each."""
    from analyses.style import with_error

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
    from analyses.style import with_error

    one = result.average.get(kind)
    if one is None:
        return "not measured"
    k = reference(kind, one.sigmas)
    at = f"(σ = {one.sigmas[k]:g})"
    if one.diverged[k]:
        return f"{one.diverged[k]} of {one.losses.shape[1]} draws not finite {at}"
    return f"{with_error(float(one.mean[k]), float(one.stderr[k]))} {at}"


def _worst(result: Flatness, ball: str) -> str:
    from analyses.style import number

    one = result.worst.get(ball)
    if one is None:
        return "not measured"
    k = reference(ball, one.radii)
    lost = f", {one.diverged[k]} points not finite" if one.diverged[k] else ""
    return f"{number(float(one.losses[k]))} (ρ = {one.radii[k]:g}{lost})"


def draw(results: Sequence[Flatness], look: Look | None = None) -> dict[str, Figure]:
    """Curves over sigma and over rho, a panel for each kind of noise and each ball."""
    from analyses.flatness_figures import curves

    return {"flatness": curves(results)}

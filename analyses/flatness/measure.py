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

import numpy as np
import torch

from analyses.flatness.result import AverageCase, Flatness, WorstCase
from analyses.flatness.settings import Settings
from analyses.run_context import RunContext
from landscape.errors import NotMeasurableError
from landscape.measures.perturbation import Ball, noise_draws, noise_scale, worst_points
from landscape.objective.objective import Objective
from landscape.runtime.progress import track


def measure(objective: Objective, settings: Settings, context: RunContext) -> Flatness:
    """Losses under noise and in balls around the weights, over the objective's sample.

    A draw whose loss is not finite is kept as such. Raises NotMeasurableError if the loss at the
    weights themselves is not finite.
    """
    here = objective.evaluate()
    if not math.isfinite(here.loss):
        raise NotMeasurableError(
            f"flatness is measured around weights of finite loss; the loss is {here.loss}"
        )
    average = _average_case(objective, settings)
    worst = _worst_case(objective, settings)
    return Flatness(
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

"""Flatness: the loss around the weights, on average under noise and at its worst in a ball.

The average is L^N = E L(w + eps) with eps ~ N(0, sigma^2 I) of Chen, Hsieh and Gong ("When vision
transformers outperform ResNets without pre-training or strong data augmentations", ICLR 2022,
Table 1), whose sigma the paper does not state. The worst case is max L(w + eps) over a ball
||eps|| <= rho, what SAM minimises (Foret et al., ICLR 2021). Both are also measured relative to the
weights: only the adaptive ones are invariant to rescalings that keep the function (Kwon et al.,
ICML 2021; Andriushchenko et al., "A modern look at the relationship between sharpness and
generalization", ICML 2023).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from analyses.flatness.result import AverageCase, Flatness, WorstCase
from analyses.flatness.settings import Settings
from analyses.run_context import RunContext
from landscape.errors import NotMeasurableError
from landscape.measures.contributions import loss_contributions
from landscape.measures.crossed_effects import CrossedMean
from landscape.measures.perturbation import Ball, noise_draws, noise_scale, worst_points
from landscape.objective.objective import Objective
from landscape.runtime.progress import track


def measure(objective: Objective, settings: Settings, context: RunContext) -> Flatness:
    """Measure the loss under noise and in balls around the weights, over the objective's sample.

    Args:
        objective: the loss to measure.
        settings: the noise and the balls.
        context: not used.

    Returns:
        The losses; non-finite losses of draws are kept in it.

    Raises:
        NotMeasurableError: if the loss at the weights themselves is not finite.
    """
    center = objective.evaluate()
    if not math.isfinite(center.loss):
        raise NotMeasurableError(
            f"flatness is measured around weights of finite loss; the loss is {center.loss}"
        )
    return Flatness(
        loss=center.loss,
        loss_stderr=center.loss_stderr,
        average=_average_case(objective, settings),
        worst=_worst_case(objective, settings),
    )


def _average_case(objective: Objective, settings: Settings) -> dict[str, AverageCase]:
    """The losses under each kind of noise, all of the same draws."""
    theta = objective.theta
    scales = {
        kind: noise_scale(kind, objective.layout, theta, settings.filter_policy)
        for kind in settings.noise
    }
    losses = {
        kind: np.empty((len(settings.sigmas_of(kind)), settings.draws)) for kind in settings.noise
    }
    means = {kind: [CrossedMean() for _ in settings.sigmas_of(kind)] for kind in settings.noise}
    task = f"noise on {objective.label or 'model'} (draws)"
    noises = noise_draws(objective, settings.draws, settings.seed)
    for number, noise in enumerate(
        track(
            noises,
            task,
            total=settings.draws,
            less="lower --draws or --samples, or take fewer --sigmas",
        )
    ):
        for kind, scale in scales.items():
            step = scale * noise
            for k, sigma in enumerate(settings.sigmas_of(kind)):
                point = torch.add(theta, step, alpha=sigma)
                losses[kind][k, number], contributions = loss_contributions(objective, point)
                means[kind][k].add(contributions)
    return {
        kind: _with_errors(settings.sigmas_of(kind), losses[kind], means[kind])
        for kind in settings.noise
    }


def _with_errors(
    sigmas: Sequence[float], losses: NDArray[np.float64], means: Sequence[CrossedMean]
) -> AverageCase:
    """The losses of one kind of noise, (S, N), with the errors of their means at each sigma."""
    estimates = [mean.estimate() for mean in means]
    return AverageCase(
        sigmas=np.array(sigmas, dtype=np.float64),
        losses=losses,
        sampling_error=np.array([estimate.sampling_error for estimate in estimates]),
        stderr=np.array([estimate.total.stderr for estimate in estimates]),
        dof=np.array([estimate.total.dof for estimate in estimates]),
    )


def _worst_case(objective: Objective, settings: Settings) -> dict[str, WorstCase]:
    """The highest losses found in each ball."""
    theta = objective.theta
    balls = {
        "l2": Ball(torch.ones_like(theta)),
        "adaptive-l2": Ball(theta.abs()),
        "adaptive-linf": Ball(theta.abs(), math.inf),
    }
    worst = {}
    for name, radii in settings.balls.items():
        points = worst_points(objective, balls[name], radii, settings.ascent_steps, settings.seed)
        task = f"worst case of {objective.label or 'model'}, {name} (radii)"
        # A point holds a vector of the size of theta; only its numbers are kept.
        rows = [
            (point.loss, point.one_step, point.alignment, point.diverged)
            for point in track(
                points,
                task,
                total=len(radii),
                less="lower --ascent-steps or --samples, or take fewer radii",
            )
        ]
        losses, one_step, alignment, diverged = np.array(rows, dtype=np.float64).T.copy()
        worst[name] = WorstCase(
            np.array(radii, dtype=np.float64),
            losses,
            one_step,
            alignment,
            diverged.astype(np.int64),
        )
    return worst

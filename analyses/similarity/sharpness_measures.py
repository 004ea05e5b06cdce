"""Some measures of sharpness at given weights, of which rescalings change some and others not."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from analyses.hessian.result import Spectrum
from analyses.run_context import RunContext
from landscape.curvature.operators import CurvatureOperator
from landscape.eigen.lanczos import lanczos
from landscape.measures.perturbation import noise_draws, noise_scale
from landscape.objective.objective import Objective
from landscape.parameters.policies import Policy

Values = NDArray[np.float64]

TOLERANCE = 1e-2
DRAWS = 4
SIGMAS = {"fixed": 0.01, "filter": 0.1}


def spectrum_of(context: RunContext) -> Spectrum | None:
    """The plain Hessian's spectrum, if it was measured and its first eigenvalue converged."""
    known = context.known.get(Spectrum.analysis)
    if not isinstance(known, Spectrum):
        return None
    asked = known.settings
    is_plain = asked.matrix == "hessian" and not asked.l2 and bool(known.converged[0])
    return known if is_plain else None


@dataclass(frozen=True)
class Measures:
    """:data:`analyses.similarity.result.MEASURES` with their errors, (M, 2), and by kind of noise
    the rise of the loss at each draw."""

    table: Values
    rises: dict[str, Values]


def sharpness_measures(
    objective: Objective, theta: Tensor, seed: int, known: Spectrum | None = None
) -> Measures:
    """All measures at ``theta``; the same draws of noise everywhere.

    ``known`` is a spectrum at ``theta``, whose first eigenvalue then is not measured again.
    """
    gradient = objective.gradient(theta)
    plain = torch.linalg.vector_norm(gradient.double()).item()
    adaptive = torch.linalg.vector_norm((theta.abs() * gradient).double()).item()
    rises = {kind: _rises(objective, theta, kind, seed) for kind in SIGMAS}
    means = {kind: (one.mean(), one.std(ddof=1) / math.sqrt(DRAWS)) for kind, one in rises.items()}
    eigenvalue = _largest_eigenvalue(objective, theta, gradient, seed, known)
    rows = [eigenvalue, means["fixed"], (plain, 0.0), means["filter"], (adaptive, 0.0)]
    return Measures(np.array(rows, dtype=np.float64), rises)


def ratio_of(after: Measures, before: Measures) -> Values:
    """after / before with its error, (M, 2); that of noise by pairs of equal draws."""
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = after.table[:, 0] / before.table[:, 0]
        relative = [one.table[:, 1] / np.abs(one.table[:, 0]) for one in (after, before)]
        error = np.abs(ratio) * np.hypot(*relative)
        for row, kind in ((1, "fixed"), (3, "filter")):
            rest = after.rises[kind] - ratio[row] * before.rises[kind]
            spread = rest.std(ddof=1) / math.sqrt(DRAWS)
            error[row] = spread / abs(before.table[row, 0])
    return np.stack([ratio, error], axis=1)


def _largest_eigenvalue(
    objective: Objective, theta: Tensor, gradient: Tensor, seed: int, known: Spectrum | None
) -> tuple[float, float]:
    """The eigenvalue of largest magnitude, and how far its residual lets the true one be."""
    if known is not None:
        value = float(known.eigenvalues[0])
        return value, float(known.residuals[0]) * abs(value)
    pairs = lanczos(
        CurvatureOperator(objective, theta),
        1,
        torch.Generator().manual_seed(seed),
        tolerance=TOLERANCE,
        hint=gradient,
        multiplicity=False,
    )
    value = pairs.eigenvalues[0].item()
    return value, pairs.residuals[0].item() * abs(value)


def _rises(objective: Objective, theta: Tensor, kind: str, seed: int) -> Values:
    """The rise of the loss at each of a few draws of noise."""
    scale = SIGMAS[kind] * noise_scale(kind, objective.layout, theta, Policy.named("all"))
    base = objective.loss(theta)
    draws = noise_draws(objective, DRAWS, seed)
    return np.array([objective.loss(theta + scale * noise) - base for noise in draws])

"""Measures of sharpness at given weights, some of which rescaling changes."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from analyses.hessian.result import Spectrum
from analyses.run_context import RunContext
from landscape.curvature.operators import CurvatureOperator
from landscape.eigen.lanczos import lanczos
from landscape.estimates import Estimate
from landscape.measures.perturbation import noise_draws, noise_scale
from landscape.objective.objective import Objective
from landscape.parameters.policies import Policy

Values = NDArray[np.float64]

TOLERANCE = 1e-2
DRAWS = 4
SIGMAS = {"fixed": 0.01, "filter": 0.1}


def known_spectrum(context: RunContext) -> Spectrum | None:
    """The plain Hessian's spectrum, if it was measured and its first eigenvalue converged."""
    known = context.known.get(Spectrum.analysis)
    if not isinstance(known, Spectrum):
        return None
    is_plain = known.settings.matrix == "hessian" and not known.settings.l2
    return known if is_plain and bool(known.converged[0]) else None


@dataclass(frozen=True)
class Measures:
    """The sharpness at one place.

    ``table`` holds :data:`analyses.similarity.result.MEASURES` with their errors, shape (M, 2);
    ``rises`` the rise of the loss at each draw, by kind of noise.
    """

    table: Values
    rises: dict[str, Values]


def sharpness_measures(
    objective: Objective, theta: Tensor, seed: int, known: Spectrum | None = None
) -> Measures:
    """Take all measures at ``theta``, with the same draws of noise everywhere.

    ``known`` is a spectrum at ``theta``; its first eigenvalue is then not measured again.
    """
    gradient = objective.gradient(theta)
    plain = torch.linalg.vector_norm(gradient.double()).item()
    adaptive = torch.linalg.vector_norm((theta.abs() * gradient).double()).item()
    rises = {kind: _rises(objective, theta, kind, seed) for kind in SIGMAS}
    fixed, relative = (Estimate.of(rises[kind]) for kind in ("fixed", "filter"))
    rows = [
        _largest_eigenvalue(objective, theta, gradient, seed, known),
        (fixed.value, fixed.stderr),
        (plain, 0.0),
        (relative.value, relative.stderr),
        (adaptive, 0.0),
    ]
    return Measures(np.array(rows, dtype=np.float64), rises)


def ratio_of(after: Measures, before: Measures) -> Values:
    """after / before with its error, (M, 2); that of noise from pairs of equal draws."""
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = after.table[:, 0] / before.table[:, 0]
        relative = [each.table[:, 1] / np.abs(each.table[:, 0]) for each in (after, before)]
        error = np.abs(ratio) * np.hypot(*relative)
        for row, kind in ((1, "fixed"), (3, "filter")):
            rest = after.rises[kind] - ratio[row] * before.rises[kind]
            error[row] = Estimate.of(rest).stderr / abs(before.table[row, 0])
    return np.stack([ratio, error], axis=1)


def _largest_eigenvalue(
    objective: Objective, theta: Tensor, gradient: Tensor, seed: int, known: Spectrum | None
) -> tuple[float, float]:
    """The eigenvalue of largest magnitude, and its residual, which bounds its error."""
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

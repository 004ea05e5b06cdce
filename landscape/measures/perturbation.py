"""Perturbed weights: Gaussian noise of three scales, and the worst point of a ball.

A perturbation is s * u, entry by entry: u has the same scale for all weights, and s gives each
weight its own. With s = 1 all weights move alike; with s = |w| a perturbation is relative to the
weight, and does not change when two layers are rescaled against each other (ASAM: Kwon et al.,
ICML 2021).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from landscape.errors import InputError
from landscape.objective.objective import Objective
from landscape.parameters.layout import ParameterLayout
from landscape.parameters.policies import Policy, filters
from landscape.runtime.choices import NOISES

# Relative to the radius: where a step this short finds no higher loss, the ascent ends.
SHORTEST_STEP = 1e-4


def noise_scale(
    kind: str, layout: ParameterLayout, theta: Tensor, policy: Policy | None = None
) -> Tensor:
    """The standard deviation of each weight's noise at sigma = 1.

    Args:
        kind: ``fixed`` for 1, ``adaptive`` for |w|, or ``filter`` for the same number for all
            weights of a filter, such that the expected norm of the noise is that of the filter.
        layout: the tensors of theta.
        theta: the weights, of shape (P,).
        policy: for ``filter``, which tensors move and what a filter of each is.

    Returns:
        The standard deviations, of shape (P,).

    Raises:
        InputError: for an unknown kind, and for a policy that copies weights.
    """
    if kind == "fixed":
        return torch.ones_like(theta)
    if kind == "adaptive":
        return theta.abs()
    if kind != "filter":
        raise InputError(f"unknown noise {kind!r}; expected one of {', '.join(NOISES)}")
    policy = policy or Policy.named()
    treatments = policy.of(layout)
    if "copy" in treatments or policy.statistics == "copy":
        raise InputError(
            "noise can't copy weights; treat the tensors as zero, rows, vectors or whole"
        )
    scale = torch.zeros_like(theta)
    pieces = zip(layout.views(scale), layout.views(theta), treatments, strict=True)
    for s, w, treatment in pieces:
        if treatment == "zero" or not w.numel():
            continue
        weights = filters(w, treatment)
        norms = torch.linalg.vector_norm(weights.double(), dim=1, keepdim=True)
        filters(s, treatment).add_(norms / expected_norm(weights.shape[1]))
    return scale


def expected_norm(size: int) -> float:
    """E ||z|| of ``size`` standard normal numbers, which is the mean of a chi distribution."""
    return math.sqrt(2) * math.exp(math.lgamma((size + 1) / 2) - math.lgamma(size / 2))


def noise_draws(objective: Objective, count: int, seed: int) -> Iterator[Tensor]:
    """``count`` standard normal vectors of shape (P,), the same for a seed on every device."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(count):
        # Drawn in float32, so that a seed gives the same noise in every precision.
        draw = torch.randn(objective.num_parameters, generator=generator, dtype=torch.float32)
        yield draw.to(objective.theta)


@dataclass(frozen=True)
class Ball:
    """The perturbations s * u with ||u|| <= rho.

    Attributes:
        scale: s, of shape (P,); weights where it is 0 don't move.
        order: of the norm, 2 or infinity.
    """

    scale: Tensor
    order: float = 2.0

    def steepest(self, slope: Tensor) -> Tensor:
        """The u of norm 1 that has the largest product with ``slope``; 0 for a slope of 0."""
        if self.order == math.inf:
            return slope.sign()
        largest = slope.abs().max()
        if not largest > 0:
            return torch.zeros_like(slope)
        slope = slope / largest  # squares of a tiny slope would vanish
        return slope / torch.linalg.vector_norm(slope)

    def project(self, u: Tensor, radius: float) -> Tensor:
        """The nearest point with norm at most ``radius``."""
        if self.order == math.inf:
            return u.clamp(-radius, radius)
        norm = torch.linalg.vector_norm(u)
        return u * (radius / norm) if norm > radius else u

    def alignment(self, u: Tensor, radius: float, slope: Tensor) -> float:
        """The slope along u relative to the steepest within the ball, at most 1."""
        u, slope = u.double(), slope.double()
        steepest = float(slope @ self.steepest(slope))
        return float(slope @ u) / (radius * steepest) if steepest > 0 else 0.0


@dataclass(frozen=True)
class WorstPoint:
    """The highest loss found in a ball, a lower bound of the maximum.

    Attributes:
        loss: the highest loss.
        one_step: the loss after SAM's single step, in the same ball.
        alignment: 1 where the slope at the highest point leaves the ball, so that no first-order
            change within the ball raises the loss.
        diverged: how many points were tried whose loss was not finite; they are ignored.
        point: u at the highest loss, of shape (P,).
    """

    loss: float
    one_step: float
    alignment: float
    diverged: int
    point: Tensor


def worst_points(
    objective: Objective, ball: Ball, radii: Sequence[float], steps: int, seed: int = 0
) -> Iterator[WorstPoint]:
    """The worst point of the ball of each radius, by projected gradient ascent.

    The first step is SAM's: along the steepest direction at w, to the surface of the ball. Each
    further step goes along the steepest direction and is projected back into the ball. If the loss
    is higher there, the step is accepted and the next one is twice as long; else the next one is a
    quarter as long. Long steps suit convex functions, where they become the (generalised) power
    method. The ascent of each radius also tries the worst point of the radius before it, so the
    losses do not decrease.

    Args:
        objective: the loss, at its own weights w.
        ball: its shape.
        radii: in increasing order.
        steps: how many steps for each radius.
        seed: of the random first direction at a stationary point.

    Yields:
        The worst point for each radius.
    """
    base, first_slope = objective.loss(), ball.scale * objective.gradient()
    stationary = not bool(first_slope.any())
    if stationary:
        first_slope = next(noise_draws(objective, 1, seed)) * (ball.scale != 0)
    first = ball.steepest(first_slope)
    climb = _Climb(objective, ball, base)
    before = 0.0
    for radius in radii:
        climb.diverged = 0
        outer = climb.point * (radius / before) if before else None
        one_step = climb.try_point(radius * first)
        if outer is not None and bool(outer.any()):
            climb.try_point(outer)
        # If w has a higher loss than SAM's step, that was too long: begin with a short one.
        length = 2.0 if bool(climb.point.any()) else 0.25
        slope = climb.slope()
        for _ in range(steps - 1):
            step = length * radius * ball.steepest(slope)
            highest = climb.loss
            climb.try_point(ball.project(climb.point + step, radius))
            if climb.loss > highest:
                length *= 2
                slope = climb.slope()
            elif (length := min(length, 2.0) / 4) < SHORTEST_STEP:
                break
        yield WorstPoint(
            loss=climb.loss,
            one_step=base if stationary else one_step,
            alignment=ball.alignment(climb.point, radius, slope),
            diverged=climb.diverged,
            point=climb.point,
        )
        before = radius


class _Climb:
    """The highest finite loss among the points that were tried, and its place."""

    def __init__(self, objective: Objective, ball: Ball, base: float) -> None:
        self.loss = base
        self.point = torch.zeros_like(objective.theta)
        self.diverged = 0
        self._objective = objective
        self._scale = ball.scale

    def try_point(self, u: Tensor) -> float:
        """Evaluate the loss at u, and make u the highest point if it is."""
        loss = self._objective.loss(self._objective.theta + self._scale * u)
        if not math.isfinite(loss):
            self.diverged += 1
        elif loss > self.loss:
            self.loss, self.point = loss, u
        return loss

    def slope(self) -> Tensor:
        """The gradient with respect to u, at the highest point."""
        theta = self._objective.theta + self._scale * self.point
        return self._scale * self._objective.gradient(theta)

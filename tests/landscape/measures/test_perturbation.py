"""Noise and worst points against closed forms, on quadratics and small networks."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from landscape.errors import InputError
from landscape.measures.perturbation import (
    Ball,
    expected_norm,
    noise_draws,
    noise_scale,
    worst_points,
)
from landscape.objective.objective import Objective
from landscape.parameters.layout import ParameterLayout
from landscape.parameters.policies import Policy
from tests.oracles.cases import BY_NAME
from tests.profile import repeats

RADII = (0.1, 0.4, 1.5)


class Point(nn.Module):
    """The network is its weights: L(w) = 1/2 (w - c)' A (w - c), for inputs that are A."""

    def __init__(self, weights):
        super().__init__()
        self.weight = nn.Parameter(weights.clone())

    def forward(self, x):
        return self.weight.expand(len(x), -1)


def quadratic(matrix, weights, centre):
    def loss(outputs, targets):
        away = outputs - centre
        return 0.5 * torch.einsum("ni,ij,nj->n", away, matrix, away).mean()

    data = torch.zeros(3, 1, dtype=torch.float64), torch.zeros(3, dtype=torch.float64)
    return Objective(Point(weights), data, loss, device="cpu", dtype=torch.float64)


def problem(seed, size=6, shift=0.0):
    """A random symmetric matrix, weights and centre; ``shift`` makes it definite or not."""
    generator = torch.Generator().manual_seed(seed)
    root = torch.randn(size, size, generator=generator, dtype=torch.float64)
    weights = torch.randn(size, generator=generator, dtype=torch.float64)
    centre = torch.randn(size, generator=generator, dtype=torch.float64)
    return root @ root.T / size - shift * torch.eye(size, dtype=torch.float64), weights, centre


def secular(matrix, slope, radius):
    """max slope'e + 1/2 e'Ae over |e| <= radius on the sphere, by bisection for the multiplier."""
    values, vectors = torch.linalg.eigh(matrix)
    coefficients = vectors.T @ slope
    low = max(values[-1].item(), 0.0)
    high = low + coefficients.norm().item() / radius + 1.0
    for _ in range(200):
        middle = 0.5 * (low + high)
        if (coefficients / (middle - values)).norm() > radius:
            low = middle
        else:
            high = middle
    step = vectors @ (coefficients / (high - values))
    return (slope @ step + 0.5 * step @ matrix @ step).item()


# --------------------------------------------------------------------------------------- noise


@pytest.mark.parametrize("size", [1, 2, 3, 1000, 10**7])
def test_expected_norm(size):
    # Exact for 1, 2, 3; sqrt(n) (1 - 1/4n + 1/32n^2) further out.
    series = math.sqrt(size) * (1 - 1 / (4 * size) + 1 / (32 * size**2))
    known = {1: math.sqrt(2 / math.pi), 2: math.sqrt(math.pi / 2), 3: 2 * math.sqrt(2 / math.pi)}
    assert expected_norm(size) == pytest.approx(known.get(size, series), rel=1e-7)


@pytest.mark.parametrize("preset", ["li2018", "transformer", "all"])
def test_filter_noise_has_the_norm_of_each_filter(preset):
    model = BY_NAME["vit"].model()
    layout = ParameterLayout.of(model)
    theta = torch.cat([p.detach().reshape(-1) for p in model.parameters()])
    policy = Policy.named(preset)
    scale = noise_scale("filter", layout, theta, policy)
    draws = 4000
    generator = torch.Generator().manual_seed(0)
    noise = scale * torch.randn(draws, len(theta), generator=generator, dtype=torch.float64)
    start = 0
    pieces = zip(layout.names, layout.shapes, layout.kinds, policy.of(layout), strict=True)
    for name, shape, kind, treatment in pieces:
        stop = start + shape.numel()
        drawn, weights = noise[:, start:stop], theta[start:stop]
        start = stop
        if treatment == "zero":
            assert not drawn.any(), name
            continue
        count = 1 if treatment == "whole" else shape[0]
        if treatment == "vectors":
            count = shape.numel() // shape[-1]
        norms = drawn.reshape(draws, count, -1).norm(dim=2)
        error = norms.std(0) / math.sqrt(draws)
        filter_norms = weights.reshape(count, -1).norm(dim=1)
        assert ((norms.mean(0) - filter_norms).abs() < 5 * error).all(), (name, kind)
    assert start == len(theta)


def test_fixed_and_adaptive_scales():
    layout = ParameterLayout.of(nn.Linear(2, 1))
    theta = torch.tensor([-2.0, 0.0, 0.5])
    assert noise_scale("fixed", layout, theta).tolist() == [1, 1, 1]
    assert noise_scale("adaptive", layout, theta).tolist() == [2, 0, 0.5]
    assert noise_scale("filter", layout, torch.zeros(3)).tolist() == [0, 0, 0]


def test_what_is_no_noise_is_refused():
    layout, theta = ParameterLayout.of(nn.Linear(2, 1)), torch.ones(3)
    with pytest.raises(InputError, match="unknown noise 'loud'; expected one of fixed, filter"):
        noise_scale("loud", layout, theta)
    for word in ("kernel=copy", "statistics=copy"):
        with pytest.raises(InputError, match="noise can't copy weights"):
            noise_scale("filter", layout, theta, Policy.named("all", [word]))


def test_a_seed_means_the_same_draws_in_any_precision():
    model = nn.Linear(3, 2)
    data = torch.randn(4, 3), torch.tensor([0, 1, 1, 0])
    single = Objective(model, data, device="cpu")
    double = Objective(model, data, device="cpu", dtype=torch.float64)
    first, second = list(noise_draws(single, 2, 5))
    assert not torch.equal(first, second)
    for draw, same_draw in zip((first, second), noise_draws(double, 2, 5), strict=True):
        assert same_draw.dtype == torch.float64
        assert torch.equal(draw.double(), same_draw)
    assert not torch.equal(first, next(noise_draws(single, 1, 6)))


# ---------------------------------------------------------------------------------- worst case


@pytest.mark.parametrize("shift", [0.0, 1.0, 4.0])
@pytest.mark.parametrize("seed", range(3))
def test_the_euclidean_ball_reaches_the_trust_region_maximum(seed, shift):
    matrix, weights, centre = problem(seed, shift=shift)
    objective = quadratic(matrix, weights, centre)
    base, slope = objective.loss(), matrix @ (weights - centre)
    points = worst_points(objective, Ball(torch.ones_like(weights)), RADII, 60)
    for radius, point in zip(RADII, points, strict=True):
        rise = secular(matrix, slope, radius)
        if shift == 4.0 and radius == RADII[-1]:
            # All curvatures are negative: the maximum may lie inside of the ball.
            inside = torch.linalg.solve(-matrix, slope)
            if inside.norm() < radius:
                rise = 0.5 * (slope @ inside).item()
        assert point.loss - base == pytest.approx(rise, rel=1e-3)
        assert point.loss - base <= rise * (1 + 1e-9)
        assert point.point.norm() <= radius * (1 + 1e-12)
        place = weights + point.point - centre
        assert point.loss == pytest.approx((0.5 * place @ matrix @ place).item(), rel=1e-12)
        step = weights + radius * slope / slope.norm() - centre
        assert point.one_step == pytest.approx((0.5 * step @ matrix @ step).item(), rel=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_the_adaptive_ball_by_substitution(seed):
    # In u = e / |w| it is a Euclidean ball with the matrix |w| A |w|.
    matrix, weights, centre = problem(seed)
    objective = quadratic(matrix, weights, centre)
    scale = weights.abs()
    inner, slope = scale[:, None] * matrix * scale, scale * (matrix @ (weights - centre))
    points = worst_points(objective, Ball(scale), RADII, 60)
    for radius, point in zip(RADII, points, strict=True):
        rise = point.loss - objective.loss()
        assert rise == pytest.approx(secular(inner, slope, radius), rel=1e-3)
        assert point.alignment == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("seed", range(4))
def test_the_maximum_norm_ball_of_a_separable_function(seed):
    matrix, weights, centre = problem(seed)
    diagonal = matrix.diagonal()
    objective = quadratic(diagonal.diag(), weights, centre)
    points = worst_points(objective, Ball(weights.abs(), math.inf), RADII, 5)
    for radius, point in zip(RADII, points, strict=True):
        # Convex in each weight: each goes to its own further end.
        ends = (weights - centre).abs() + radius * weights.abs()
        assert point.loss == pytest.approx(0.5 * (diagonal * ends**2).sum().item(), rel=1e-12)
        assert point.one_step == point.loss
        assert point.alignment == pytest.approx(1, rel=1e-12)
        assert point.point.abs().max() <= radius * (1 + 1e-12)


def test_the_maximum_norm_ball_of_a_convex_function_ends_no_lower_than_its_slopes_say():
    # At the highest corner found no first-order change raises the loss, and 2^6 corners are all.
    matrix, weights, centre = problem(1)
    objective = quadratic(matrix, weights, centre)
    signs = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0], dtype=torch.float64)] * 6)
    (point,) = worst_points(objective, Ball(weights.abs(), math.inf), [0.3], 30)
    corners = weights + 0.3 * weights.abs() * signs - centre
    highest = 0.5 * torch.einsum("ni,ij,nj->n", corners, matrix, corners).max().item()
    assert point.one_step <= point.loss <= highest * (1 + 1e-12)
    assert point.alignment == pytest.approx(1, rel=1e-12)


def test_at_a_minimum_it_climbs_the_steepest_axis():
    diagonal = torch.tensor([0.5, 3.0, 1.0], dtype=torch.float64)
    weights = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    objective = quadratic(diagonal.diag(), weights, weights)
    (point,) = worst_points(objective, Ball(torch.ones_like(weights)), [0.2], 30, seed=3)
    assert point.loss == pytest.approx(0.5 * 3.0 * 0.2**2, rel=1e-6)
    assert point.one_step == 0  # SAM has no direction there
    assert point.point[1].abs() == pytest.approx(0.2, rel=1e-4)


def test_at_a_maximum_there_is_nothing_higher():
    weights = torch.tensor([1.0, -2.0], dtype=torch.float64)
    objective = quadratic(-torch.eye(2, dtype=torch.float64), weights, weights)
    (point,) = worst_points(objective, Ball(weights.abs()), [0.5], 10)
    assert point.loss == point.one_step == objective.loss() == 0
    assert not point.point.any()


@given(
    seed=st.integers(0, 10**6),
    shift=st.floats(0, 3),
    steps=st.integers(1, 12),
    ball=st.sampled_from(["l2", "adaptive", "maximum"]),
    radii=st.lists(st.floats(1e-3, 3), min_size=1, max_size=4, unique=True),
)
@settings(max_examples=repeats(10, 60), deadline=None)
def test_order_of_the_bounds(seed, shift, steps, ball, radii):
    matrix, weights, centre = problem(seed, size=4, shift=shift)
    objective = quadratic(matrix, weights, centre)
    scale = torch.ones_like(weights) if ball == "l2" else weights.abs()
    kind = Ball(scale, math.inf if ball == "maximum" else 2.0)
    radii = sorted(radii)
    points = list(worst_points(objective, kind, radii, steps))
    losses = [objective.loss(), *(point.loss for point in points)]
    assert losses == sorted(losses)
    for radius, point in zip(radii, points, strict=True):
        assert point.loss >= point.one_step
        assert point.alignment <= 1 + 1e-9
        norm = torch.linalg.vector_norm(point.point, kind.order)
        assert norm <= radius * (1 + 1e-12)
        assert point.loss == objective.loss(objective.theta + scale * point.point)
    assert torch.equal(objective.live_weights, objective.theta)


def test_losses_that_are_not_finite_are_counted_and_not_the_highest():
    def wall(outputs, targets):
        value = outputs.square().sum(1).mean()
        return torch.where(value > 1.5, math.inf, value)

    data = torch.zeros(2, 1, dtype=torch.float64), torch.zeros(2, dtype=torch.float64)
    weights = torch.tensor([1.0, 0.0], dtype=torch.float64)
    objective = Objective(Point(weights), data, wall, device="cpu", dtype=torch.float64)
    near, far = worst_points(objective, Ball(torch.ones_like(weights)), [0.1, 1.0], 30)
    assert near.diverged == 0
    assert near.loss == pytest.approx(1.1**2, rel=1e-9)
    assert far.diverged > 0
    assert far.one_step == math.inf
    assert far.loss == pytest.approx(1.5, rel=1e-2)


def test_rescaling_a_relu_network_leaves_the_adaptive_balls_and_changes_the_euclidean():
    def objective(factor):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3)).double()
        with torch.no_grad():
            model[0].weight *= factor
            model[0].bias *= factor
            model[2].weight /= factor
        data = torch.randn(9, 4, dtype=torch.float64), torch.arange(9) % 3
        return Objective(model, data, F.cross_entropy, device="cpu", dtype=torch.float64)

    original, rescaled = objective(1.0), objective(5.0)
    assert rescaled.loss() == pytest.approx(original.loss(), rel=1e-13)
    for order in (2.0, math.inf):
        before, after = (
            [p.loss for p in worst_points(o, Ball(o.theta.abs(), order), [0.05, 0.2], 6)]
            for o in (original, rescaled)
        )
        assert after == pytest.approx(before, rel=1e-10)
    before, after = (
        next(worst_points(o, Ball(torch.ones_like(o.theta)), [0.2], 6)).loss
        for o in (original, rescaled)
    )
    assert abs(after - before) > 0.01 * (before - original.loss())

"""Edges of stability, against torch's own optimizers on a parabola."""

import numpy as np
import pytest
import torch

from landscape.curvature.stability import gradient_descent_edge, sam_edge

RATE = 0.1


def spectral_radius(curvature, momentum, nesterov):
    """Of a step of torch's SGD on curvature / 2 x^2, from where its buffer is beta v + g.

    Two independent states, each after one step and after two, show the 2x2 matrix.
    """
    states = []
    for start in (1.0, -0.3):
        x = torch.nn.Parameter(torch.tensor(start, dtype=torch.float64))
        optimizer = torch.optim.SGD([x], RATE, momentum=momentum, nesterov=nesterov)
        path = []
        for step in range(3):
            optimizer.zero_grad()
            (0.5 * curvature * x**2).backward()
            if step == 0 and start < 0:
                x.grad += 0.7  # a kick, so that the states are independent
            optimizer.step()
            velocity = optimizer.state[x].get("momentum_buffer", torch.zeros(()))
            path.append([x.item(), velocity.item()])
        states.append(path)
    before = np.array([path[0] for path in states]).T
    after = np.array([path[1] for path in states]).T
    return np.abs(np.linalg.eigvals(after @ np.linalg.inv(before))).max()


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("momentum", [0.2, 0.5, 0.9, 0.99])
def test_steps_of_torch_are_stable_up_to_the_edge_and_not_beyond(momentum, nesterov):
    edge = gradient_descent_edge(RATE, momentum, nesterov=nesterov)
    assert spectral_radius(0.999 * edge, momentum, nesterov) < 1
    assert spectral_radius(1.001 * edge, momentum, nesterov) > 1
    # Nothing below is unstable, either.
    below = np.linspace(0.01, 0.99, 30) * edge
    assert max(spectral_radius(curvature, momentum, nesterov) for curvature in below) < 1


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("rho", [0.05, 1e-4])
def test_the_ascent_step_raises_the_curvature_that_the_step_sees(rho, nesterov):
    edge = sam_edge(RATE, rho, 0.5, 0.9, nesterov=nesterov)
    seen = edge * (1 + rho * edge / 0.5)
    assert seen == pytest.approx(gradient_descent_edge(RATE, 0.9, nesterov=nesterov))


def test_a_radius_near_0_changes_nothing():
    assert sam_edge(RATE, 1e-18, 1.0) == pytest.approx(20.0, rel=1e-12)

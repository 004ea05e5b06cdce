"""Losses under noise and in balls: in closed form, and what they do not depend on."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from analyses import flatness
from analyses.flatness.settings import Settings
from landscape.objective.objective import Objective
from landscape.parameters.layout import flatten
from tests.analyses.flatness.problems import SMALL, case_objective, measured
from tests.analyses.problems import network, objective, samples
from tests.oracles.cases import BY_NAME

NO_BALLS = {"radii": (0.0,), "adaptive_radii": (0.0,), "linf_radii": (0.0,)}


@pytest.mark.parametrize("kind", ["fixed", "filter", "adaptive"])
def test_noise_on_a_quadratic(kind):
    # A linear model with squared error has one Hessian everywhere: draw by draw the rise is
    # s'g + s'Hs/2, and on average sum_i scale_i^2 H_ii / 2.
    case, problem = BY_NAME["linear regression"], case_objective("linear regression")
    hessian, gradient, theta = case.hessian(), case.gradient(), problem.theta
    rows, bias = theta[:10].reshape(2, 5), theta[10:]
    mean_norm = 8 / 3 * math.sqrt(2 / math.pi)  # of five standard normal numbers
    scale = {
        "fixed": torch.ones_like(theta),
        "filter": torch.cat(
            [(rows.norm(dim=1, keepdim=True) / mean_norm).expand(2, 5).reshape(-1), 0 * bias]
        ),
        "adaptive": theta.abs(),
    }[kind]
    sigmas = (0.1, 0.2, 0.4)
    settings = Settings(
        noise=(kind,), sigmas=sigmas, relative_sigmas=sigmas, draws=400, seed=2, **NO_BALLS
    )
    result = flatness.compute(problem, settings)
    assert result.worst == {}
    generator = torch.Generator().manual_seed(2)
    draws = [torch.randn(12, generator=generator).double() * scale for _ in range(400)]
    average = result.average[kind]
    for k, sigma in enumerate(sigmas):
        exact = [result.loss + sigma * (d @ gradient) + 0.5 * sigma**2 * (d @ hessian @ d)
                 for d in draws]  # fmt: skip
        np.testing.assert_allclose(average.losses[k], torch.stack(exact).numpy(), rtol=1e-6)
        rise = 0.5 * sigma**2 * (scale.square() * hessian.diagonal()).sum().item()
        assert abs(average.mean[k] - result.loss - rise) < 4 * average.noise_error[k]
        expected = np.std(average.losses[k], ddof=1) / math.sqrt(400)
        assert average.noise_error[k] == pytest.approx(expected, rel=1e-12)
        mean = result.average_at(kind, sigma)
        assert mean.value == pytest.approx(average.losses[k].sum() / 400, rel=1e-12)
        assert mean.stderr == average.stderr[k]


def test_every_sigma_has_the_same_draws_and_kinds_do_not_depend_on_each_other():
    both = measured()
    alone = measured(settings=replace(SMALL, noise=("adaptive",)))
    fewer = measured(settings=replace(SMALL, relative_sigmas=(0.3,), draws=2))
    np.testing.assert_array_equal(both.average["adaptive"].losses, alone.average["adaptive"].losses)
    np.testing.assert_array_equal(
        both.average["adaptive"].losses[1:2, :2], fewer.average["adaptive"].losses
    )


def test_the_same_bits_for_a_seed_and_others_for_another():
    first, second = (flatness.compute(objective(dtype=torch.float64), SMALL) for _ in range(2))
    again = measured(settings=replace(SMALL, seed=10))
    for name, array in first.arrays().items():
        np.testing.assert_array_equal(array.values, second.arrays()[name].values)
    assert not np.array_equal(first.average["fixed"].losses, again.average["fixed"].losses)


def test_uneven_batches_give_the_same_as_one():
    inputs, targets = samples()
    first, second = (
        flatness.compute(
            Objective(
                network(), (inputs, targets), batch_size=size, device="cpu", dtype=torch.float64
            ),
            SMALL,
        )
        for size in (7, 25)
    )
    for name, array in first.arrays().items():
        np.testing.assert_allclose(array.values, second.arrays()[name].values, rtol=1e-9)


def test_rescaling_a_relu_network_changes_only_what_is_not_adaptive():
    # Of a ReLU network w1 a, b1 a, w2 / a is the same function; a power of two keeps every bit.
    def of(factor):
        model = network()
        with torch.no_grad():
            model[0].weight *= factor
            model[0].bias *= factor
            model[2].weight /= factor
        problem = Objective(model, samples(), device="cpu", dtype=torch.float64)
        return flatness.compute(problem, SMALL)

    first, second, uneven = of(1.0), of(4.0), of(3.7)
    np.testing.assert_array_equal(
        first.average["adaptive"].losses, second.average["adaptive"].losses
    )
    for ball in ("adaptive-l2", "adaptive-linf"):
        np.testing.assert_allclose(uneven.worst[ball].losses, first.worst[ball].losses, rtol=1e-6)
    assert not np.allclose(first.average["fixed"].losses, second.average["fixed"].losses, rtol=1e-3)
    assert not np.allclose(first.worst["l2"].losses, second.worst["l2"].losses, rtol=1e-3)


@pytest.mark.parametrize("name", ["vit", "resnet with batch norm", "mlp with tied weights"])
def test_any_model_is_left_as_it_was(name):
    problem = case_objective(name, batch_size=3)
    before = flatten(problem.module.parameters()).detach().clone()
    statistics = problem.live_statistics.clone()
    result = flatness.compute(problem, SMALL)
    assert torch.equal(flatten(problem.module.parameters()).detach(), before)
    assert torch.equal(problem.live_statistics, statistics)
    assert result.loss == problem.loss()
    for worst in result.worst.values():
        assert (np.diff([result.loss, *worst.losses]) >= 0).all()
        assert (worst.losses >= worst.one_step).all()


def test_a_model_of_two_inputs():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.left, self.right = nn.Linear(3, 4), nn.Linear(2, 4)

        def forward(self, a, b):
            return self.left(a) * self.right(b)

    torch.manual_seed(0)
    batches = [((torch.randn(n, 3), torch.randn(n, 2)), torch.arange(n) % 4) for n in (5, 3)]
    result = flatness.compute(Objective(Two(), batches, F.cross_entropy, device="cpu"), SMALL)
    assert (result.average["fixed"].diverged == 0).all()
    assert result.worst["l2"].losses[-1] > result.loss


def test_the_error_holds_both_samples_and_draws():
    """Of a linear model L^N can be drawn anew many times; the claim is its spread over these."""
    weight = torch.tensor([[0.3, -0.2, 0.5]], dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    settings = Settings(noise=("fixed",), sigmas=(0.3,), draws=6, **NO_BALLS)
    means, errors = [], []
    for seed in range(60):
        inputs = torch.randn(12, 3, generator=generator, dtype=torch.float64)
        targets = torch.randn(12, 1, generator=generator, dtype=torch.float64)
        model = nn.Linear(3, 1, bias=False).double()
        model.weight.data.copy_(weight)
        problem = Objective(
            model,
            (inputs, targets),
            F.mse_loss,
            device="cpu",
            dtype=torch.float64,
            verify=False,
        )
        average = flatness.compute(problem, replace(settings, seed=seed)).average["fixed"]
        means.append(average.mean[0])
        errors.append((average.stderr[0], average.sampling_error[0], average.noise_error[0]))
    claimed = np.sqrt(np.square(errors).mean(0))
    # The spread of 60 numbers is itself uncertain by 9 %.
    assert claimed[0] == pytest.approx(np.std(means, ddof=1), rel=0.27)
    assert claimed[0] > 1.02 * claimed[1] > claimed[2]
    truth = weight.square().sum().item() + 1 + 0.3**2 * 3
    intervals = [truth - mean for mean in means] / np.array(errors)[:, 0]
    assert np.mean(np.abs(intervals) < 2) == pytest.approx(0.93, abs=0.06)

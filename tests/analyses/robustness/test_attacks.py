"""Accuracies under attacks, and that batches do not matter."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from analyses import robustness
from analyses.robustness.settings import Settings
from landscape.objective.objective import Objective
from tests.analyses.robustness.problems import COLOURS, QUICK, answers, objective, source, trained


def test_attacks_against_a_loop_in_pixels():
    """FGSM by hand; PGD's pictures are checked where the attack is."""
    samples = source()
    problem = objective(samples, dtype=torch.float64)
    result = robustness.compute(
        problem, Settings(corruptions="none", attack_radius=(2.0, 12.0, 40.0))
    )
    pixels = (samples.inputs.double() / 255).requires_grad_()
    mean, std = (torch.tensor(v).double().view(3, 1, 1) for v in (COLOURS.mean, COLOURS.std))
    loss = F.cross_entropy(problem.module((pixels - mean) / std), samples.targets)
    slope = torch.autograd.grad(loss, pixels)[0].sign()
    for k, radius in enumerate((2, 12, 40)):
        moved = (pixels.detach() + radius / 255 * slope).clamp(0, 1)
        right = answers(problem, (moved - mean) / std) == samples.targets.numpy()
        np.testing.assert_array_equal(result.fgsm[:, k], right)
    assert result.fgsm[:, 2].mean() < result.correct.mean()


def test_the_length_of_a_step():
    assert Settings().step_of(4.0) == 0.25  # the paper's, as far as it is known
    assert Settings().step_of(8.0) == 0.5
    assert Settings(attack_step=1.5).step_of(8.0) == 1.5
    weak, strong = (
        robustness.compute(
            objective(),
            Settings(corruptions="none", attack_radius=(24.0,), attack_step=step),
        ).pgd.mean()
        for step in (0.01, 6.0)
    )
    assert strong < weak


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_batches_of_any_size_give_the_same(dtype):
    first, *others = (
        robustness.compute(objective(source(140), batch_size=size, dtype=dtype), QUICK)
        for size in (140, 1, 32)
    )
    for other in others:
        for name in ("correct", "corrupted", "fgsm", "pgd"):
            np.testing.assert_array_equal(getattr(other, name), getattr(first, name))
        assert other.loss == pytest.approx(first.loss, rel=1e-6)


def test_batches_of_an_iterable_of_uneven_sizes():
    samples = source(140)
    inputs = samples.fetch(torch.arange(140))
    sizes = [1, 100, 39]
    batches = list(zip(inputs.split(sizes), samples.targets.split(sizes), strict=True))
    uneven = Objective(trained(), batches, device="cpu", source=samples)
    even = robustness.compute(objective(samples), QUICK)
    result = robustness.compute(uneven, QUICK)
    for name in ("correct", "corrupted", "fgsm", "pgd"):
        np.testing.assert_array_equal(getattr(result, name), getattr(even, name))

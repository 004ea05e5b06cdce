"""FGSM and PGD against their published formulas, written anew, and against closed forms."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from landscape.data.samples import Normalization, TensorSamples
from landscape.robustness.attacks import Ball, fast_gradient_sign, projected_gradient_descent
from landscape.robustness.evaluator import Attack, Evaluator
from tests.profile import repeats

MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)
COLOURS = Normalization(MEAN, STD)
CPU = torch.device("cpu")
LABELS = torch.tensor([0, 1, 2, 0, 1])


def pictures(count=5, seed=0, low=0.0, high=1.0):
    """Pixels (n, 3, 4, 5) in float64."""
    drawn = np.random.default_rng(seed).uniform(low, high, (count, 3, 4, 5))
    return torch.from_numpy(drawn)


def network(classes=3, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        layers = nn.Flatten(), nn.Linear(60, 8), nn.Tanh(), nn.Linear(8, classes)
        return nn.Sequential(*layers).double().eval()


def evaluator(model, inputs, targets, normalization=COLOURS, **options):
    samples = TensorSamples(inputs, targets)
    return Evaluator(model, samples, CPU, normalization, torch.float64, **options)


def pixel_gradient(model, pixels, targets):
    """Of the loss with respect to pixels, through the normalisation."""
    at = pixels.clone().requires_grad_()
    mean, std = (torch.tensor(values, dtype=torch.float64).view(3, 1, 1) for values in (MEAN, STD))
    loss = F.cross_entropy(model((at - mean) / std), targets, reduction="sum")
    return torch.autograd.grad(loss, at)[0]


@pytest.mark.parametrize("batch_size", [2, 5])
@pytest.mark.parametrize(("radius", "steps", "length"), [(4, 10, 0.25), (16, 7, 4.0), (40, 3, 30)])
def test_pgd_is_the_published_iteration_in_pixels(radius, steps, length, batch_size):
    """Madry et al., equation 3: project(x + a sign(grad)), pixel by pixel, with a random start."""
    model, pixels = network(), pictures()
    noise = torch.rand(pixels.shape, generator=torch.Generator().manual_seed(7)).double()
    x0 = pixels.numpy()
    x = np.clip(x0 + radius / 255 * (2 * noise.numpy() - 1), 0, 1)
    for _ in range(steps):
        slope = pixel_gradient(model, torch.from_numpy(x), LABELS).numpy()
        x = x + length / 255 * np.sign(slope)
        x = np.clip(x, x0 - radius / 255, x0 + radius / 255)
        x = np.clip(x, 0, 1)
    inputs = COLOURS(pixels)
    attacked = evaluator(model, inputs, LABELS, batch_size=batch_size).attacked(
        Attack(radius / 255, steps, length / 255),
        inputs,
        LABELS,
        torch.Generator().manual_seed(7),
    )
    np.testing.assert_allclose(COLOURS.undo(attacked).numpy(), x, rtol=0, atol=1e-12)


def test_fgsm_is_one_signed_step_from_the_picture_itself():
    model, pixels, radius = network(), pictures(), 8 / 255
    expected = (pixels + radius * pixel_gradient(model, pixels, LABELS).sign()).clamp(0, 1)
    inputs = COLOURS(pixels)
    untouched = torch.Generator().manual_seed(3)
    attacked = evaluator(model, inputs, LABELS).attacked(Attack(radius), inputs, LABELS, untouched)
    torch.testing.assert_close(COLOURS.undo(attacked), expected, rtol=0, atol=1e-13)
    assert torch.equal(untouched.get_state(), torch.Generator().manual_seed(3).get_state())


def test_fgsm_of_a_linear_loss_is_the_worst_case():
    """Over the ball w.x grows by radius ||w||_1, and nothing in the ball does more."""
    weights = torch.from_numpy(np.random.default_rng(1).normal(size=(3, 4, 5)))
    pixels, radius = pictures(low=0.2, high=0.8), 16 / 255
    attacked = fast_gradient_sign(lambda x: weights.expand_as(x), pixels, Ball(radius, None))
    gain = ((attacked - pixels) * weights).sum((1, 2, 3))
    torch.testing.assert_close(gain, torch.full((5,), radius * weights.abs().sum().item()).double())


def two_classes(seed=2):
    """A linear network of two classes and how far each picture's answer is from changing."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(60, 2)).double()
    weights = torch.from_numpy(np.random.default_rng(seed).normal(size=(2, 60)))
    with torch.no_grad():
        model[1].weight.copy_(weights)
        model[1].bias.copy_(-0.5 * weights.sum(1))  # grey is on the border
    pixels = pictures(300, seed, 0.45, 0.55)
    scores = model(pixels).detach()
    answers = scores.argmax(1)
    margin = (scores[:, 0] - scores[:, 1]).abs() / (weights[0] - weights[1]).abs().sum()
    return model, pixels, answers, margin


@pytest.mark.parametrize("attack", ["fgsm", "pgd"])
def test_a_linear_network_falls_at_its_margin(attack):
    """Pictures far from black and white: what falls is what is nearer than radius ||w||_1."""
    model, pixels, answers, margin = two_classes()
    radii = [0.0005, 0.002, 0.005, 0.01, 0.02]
    # Forty steps of a tenth of the radius reach the corner from any start.
    attacks = [Attack(r) if attack == "fgsm" else Attack(r, 40, r / 10) for r in radii]
    correct = evaluator(model, pixels, answers, None).correct_attacked(attacks)
    expected = torch.stack([margin > radius for radius in radii], 1)
    assert torch.equal(correct, expected)
    shares = correct.double().mean(0)
    assert (shares.diff() <= 0).all()
    assert shares[-1] < 0.1 < 0.5 < shares[0]


@settings(max_examples=repeats(10, 25), deadline=None)
@given(
    radius=st.floats(0.001, 0.5),
    length=st.floats(0.001, 1.0),
    steps=st.integers(1, 4),
    seed=st.integers(0, 99),
)
def test_attacks_stay_in_the_ball_and_in_the_range(radius, length, steps, seed):
    model, pixels = network(seed=seed), pictures(seed=seed)
    inputs = COLOURS(pixels)
    for attack in (Attack(radius), Attack(radius, steps, length)):
        moved = evaluator(model, inputs, LABELS).attacked(
            attack, inputs, LABELS, torch.Generator().manual_seed(seed)
        )
        attacked = COLOURS.undo(moved)
        assert (attacked - pixels).abs().max() <= radius + 1e-12
        assert attacked.min() >= -1e-12
        assert attacked.max() <= 1 + 1e-12
        assert not torch.equal(attacked, pixels)


def test_the_start_of_pgd_is_random():
    pixels, ball = pictures(), Ball(0.1, None)

    def after_no_gradient(seed):
        generator = torch.Generator().manual_seed(seed)
        return projected_gradient_descent(torch.zeros_like, pixels, ball, generator, steps=1)

    assert torch.equal(after_no_gradient(0), after_no_gradient(0))
    assert not torch.equal(after_no_gradient(0), after_no_gradient(1))
    moved = (after_no_gradient(0) - pixels).abs()
    assert 0.03 < moved.mean() < 0.06  # 0.05 where pixels allow it

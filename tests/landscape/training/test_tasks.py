"""Adversarial and contrastive training, losses, and training on from other weights."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from landscape.checkpoints.run import LAST, RunDirectory
from landscape.checkpoints.transfer import resample_positions, transfer_weights
from landscape.data.samples import Normalization, balanced_share
from landscape.errors import InputError
from landscape.models.probe import find_classifier
from landscape.robustness.attacks import FAST_STEP, Ball, projected_gradient_descent
from landscape.training.loop import train
from landscape.training.passes import Task
from landscape.training.step import Stepper
from landscape.training.tasks.contrastive import (
    Projected,
    nearest_centroid_accuracy,
    nearest_other_is_wrong,
    supervised_contrastive_loss,
)
from landscape.training.tasks.losses import TRAINING_LOSSES, sigmoid_cross_entropy
from tests.landscape.training.runs import PLAIN, make

COLOURS = Normalization((0.4, 0.5, 0.6), (0.2, 0.25, 0.3))


def pictures(n=4, side=6):
    return COLOURS(torch.rand(n, 3, side, side))


def test_the_sigmoid_loss_is_a_sum_over_classes_and_a_mean_over_samples():
    logits, targets = torch.randn(5, 7, dtype=torch.float64), torch.randint(7, (5,))
    p = torch.sigmoid(logits)
    hot = F.one_hot(targets, 7)
    by_hand = -(hot * p.log() + (1 - hot) * (1 - p).log()).sum(1).mean()
    torch.testing.assert_close(sigmoid_cross_entropy(logits, targets), by_hand)
    torch.testing.assert_close(sigmoid_cross_entropy(logits, hot.double()), by_hand)


@pytest.mark.parametrize("name", sorted(TRAINING_LOSSES))
def test_a_loss_of_shares_is_the_mixture_of_losses(name):
    """Both losses are linear in the target."""
    logits = torch.randn(3, 4, dtype=torch.float64)
    first, second = torch.tensor([0, 1, 2]), torch.tensor([3, 3, 0])
    shares = 0.3 * F.one_hot(first, 4).double() + 0.7 * F.one_hot(second, 4).double()
    loss = TRAINING_LOSSES[name]
    expected = 0.3 * loss(logits, first) + 0.7 * loss(logits, second)
    torch.testing.assert_close(loss(logits, shares), expected)


@settings(max_examples=30, deadline=None)
@given(radius=st.floats(0.001, 0.5), length=st.floats(0.001, 1.0), seed=st.integers(0, 99))
def test_attacks_stay_in_the_ball_and_in_the_range_of_pixels(radius, length, seed):
    generator = torch.Generator().manual_seed(seed)
    inputs, ball = pictures(), Ball(radius, COLOURS)
    start = ball.random(inputs, generator)
    moved = ball.step(inputs, start, torch.randn(inputs.shape), length)
    for attacked in (start, moved):
        pixels, before = COLOURS.undo(attacked), COLOURS.undo(inputs)
        assert (pixels - before).abs().max() <= radius + 1e-5
        assert pixels.min() >= -1e-5
        assert pixels.max() <= 1 + 1e-5
    assert not torch.equal(start, inputs)


def test_pgd_of_a_linear_loss_is_known():
    """The steepest point of the ball is its corner, wherever pixels allow it."""
    slope = torch.randn(4, 3, 6, 6)
    inputs, radius = pictures(), 4 / 255
    generator = torch.Generator().manual_seed(0)
    attacked = projected_gradient_descent(
        lambda _: slope, inputs, Ball(radius, COLOURS), generator, steps=40, length=0.25 / 255
    )
    corner = (COLOURS.undo(inputs) + radius * slope.sign()).clamp(0, 1)
    torch.testing.assert_close(COLOURS.undo(attacked), corner, rtol=0, atol=1e-5)


@pytest.mark.parametrize("rho", [0.0, 0.1])
def test_a_step_of_fast_adversarial_training(rho):
    """One backward pass gives the ascent in weights and in pixels; the step is taken from both."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(108, 9), nn.Tanh(), nn.Linear(9, 5)).double()
    inputs, targets = pictures().double(), torch.randint(5, (4,))
    ball = Ball(4 / 255, COLOURS)
    starts = []

    class Noting(Ball):
        def random(self, inputs, generator):
            starts.append(ball.random(inputs, generator))
            return starts[-1]

    weights = [p.detach().clone() for p in model.parameters()]
    task = Task(F.cross_entropy, lambda o, t: o.argmax(1) != t, Noting(4 / 255, COLOURS))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    Stepper(model, optimizer, task, replace(PLAIN, rho=rho)).step(inputs, targets, 0, rho, 3)

    def loss(at, x):
        return F.cross_entropy(
            torch.func.functional_call(model, dict(zip(names, at, strict=True)), x), targets
        )

    names = [name for name, _ in model.named_parameters()]
    at = [w.clone().requires_grad_() for w in weights]
    x = starts[0].clone().requires_grad_()
    *g, slope = torch.autograd.grad(loss(at, x), [*at, x])
    norm = torch.stack([t.norm() for t in g]).norm()
    attacked = ball.step(inputs, starts[0], slope, FAST_STEP * ball.radius)
    moved = [(w + rho * t / norm).requires_grad_() for w, t in zip(weights, g, strict=True)]
    sharp = torch.autograd.grad(loss(moved, attacked), moved)
    for p, w, t in zip(model.parameters(), weights, sharp, strict=True):
        torch.testing.assert_close(p.detach(), w - 0.1 * t, rtol=0, atol=1e-12)


def test_the_contrastive_loss_by_hand():
    z = F.normalize(torch.randn(6, 3, dtype=torch.float64), dim=1)
    targets, temperature = torch.tensor([0, 0, 1, 1, 1, 2]), 0.3
    terms = []
    for i in range(6):
        positives = [p for p in range(6) if p != i and targets[p] == targets[i]]
        rest = [a for a in range(6) if a != i]
        below = sum(math.exp(z[i] @ z[a] / temperature) for a in rest)
        if positives:
            logs = [math.log(math.exp(z[i] @ z[p] / temperature) / below) for p in positives]
            terms.append(-np.mean(logs))
    loss = supervised_contrastive_loss(z, targets, temperature).item()
    assert loss == pytest.approx(np.mean(terms), rel=1e-12)


def test_neighbours_and_centroids():
    z = F.normalize(torch.tensor([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.7, 0.3]]), dim=1)
    targets = torch.tensor([0, 0, 1, 1])
    assert nearest_other_is_wrong(z, targets).tolist() == [False, False, False, True]
    assert nearest_centroid_accuracy(z, targets, z, targets) == 75.0


def test_a_projected_model_trains_all_but_its_head():
    model = make("vit-tiny", depth=1)
    projected = Projected(model, find_classifier(model, torch.randn(2, 1, 8, 8)))
    inputs = torch.randn(3, 1, 8, 8)
    embeddings = projected(inputs)
    torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(3))
    features = projected.features(inputs)
    torch.testing.assert_close(model.head(features), model(inputs))
    frozen = {name for name, p in projected.named_parameters() if not p.requires_grad}
    assert frozen == {"model.head.weight", "model.head.bias"}


def test_the_classifier_is_the_layer_whose_output_is_the_models():
    example = torch.randn(2, 1, 8, 8)
    assert find_classifier(make("resnet-tiny"), example) == "fc"
    assert find_classifier(make("mixer-tiny", depth=1), example) == "head"
    with pytest.raises(InputError, match="has no dense layer"):
        find_classifier(nn.Sequential(nn.Flatten(), nn.Linear(64, 5), nn.Tanh()), example)


def test_pre_training_then_a_head_on_what_it_learned(data, tmp_path):
    first = RunDirectory(tmp_path / "first")
    first.path.mkdir()
    start = make("vit-tiny", depth=1)
    before = {name: p.detach().clone() for name, p in start.named_parameters()}
    train(start, *data, replace(PLAIN, task="contrastive", augment="crop-flip"), first)
    learned = first.load(LAST)["model"]
    assert set(learned) == set(before)
    assert torch.equal(learned["head.weight"], before["head.weight"])
    assert not torch.equal(learned["blocks.0.attn.qkv.weight"], before["blocks.0.attn.qkv.weight"])

    second = RunDirectory(tmp_path / "second")
    second.path.mkdir()
    model = make("vit-tiny", depth=1, seed=5)
    said = transfer_weights(model, "head", first.path / LAST)
    assert said == ["the weights are those under model (not averaged)"]
    train(model, *data, replace(PLAIN, train="head", lr=0.1), second)
    after = second.load(LAST)["model"]
    changed = {name for name in after if not torch.equal(after[name], learned[name])}
    assert changed == {"head.weight", "head.bias"}


def test_a_frozen_network_keeps_its_statistics(data, run):
    model = make("resnet-tiny")
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    train(model, *data, replace(PLAIN, train="head", epochs=1), run)
    changed = {n for n, t in model.state_dict().items() if not torch.equal(t, before[n])}
    assert changed == {"fc.weight", "fc.bias"}


def test_other_classes_and_sizes(tmp_path):
    source = make("vit-tiny", depth=1)
    torch.save({"model": source.state_dict()}, tmp_path / "source.pt")
    model = make("vit-tiny", depth=1, seed=3, num_classes=4, image_size=12, patch_size=2)
    fresh = model.head.weight.detach().clone()
    nn.init.normal_(model.head.weight)
    drawn = model.head.weight.detach().clone()
    changes = transfer_weights(model, "head", tmp_path / "source.pt")
    assert changes[1:] == [
        "head.weight is drawn anew: 4 classes, not 10",
        "head.bias is drawn anew: 4 classes, not 10",
        "pos_embed is resampled from 17 tokens to 37",
    ]
    assert not torch.equal(drawn, fresh)
    assert torch.equal(model.head.weight, drawn)
    assert torch.equal(model.pos_embed[:, 0], source.pos_embed[:, 0])
    assert torch.equal(model.patch_embed.proj.weight, source.patch_embed.proj.weight)
    with pytest.raises(InputError, match="wrong shapes"):
        transfer_weights(make("vit-tiny", depth=1, dim=32), "head", tmp_path / "source.pt")


def test_positions():
    constant = torch.ones(1, 16, 5)
    torch.testing.assert_close(resample_positions(constant, 49), torch.ones(1, 49, 5))
    grid = torch.randn(1, 16, 5)
    assert torch.equal(resample_positions(grid, 16), grid)
    with pytest.raises(InputError, match="can't become one of 12"):
        resample_positions(constant, 12)


@settings(max_examples=25, deadline=None)
@given(share=st.floats(0.01, 1.0), seed=st.integers(0, 9))
def test_a_share_of_the_data_is_balanced_and_nested(share, seed):
    targets = torch.tensor([0] * 40 + [1] * 10 + [2] * 25)
    chosen = balanced_share(targets, share, seed)
    assert chosen.tolist() == sorted(set(chosen.tolist()))
    for number, size in ((0, 40), (1, 10), (2, 25)):
        count = int((targets[chosen] == number).sum())
        assert count == max(1, round(share * size))
    assert set(balanced_share(targets, share / 2, seed).tolist()) <= set(chosen.tolist())


def test_training_on_a_share(data, run):
    rows = train(make(depth=1), *data, replace(PLAIN, train_fraction=0.5, epochs=1), run)
    assert rows[0]["images_per_second"] * rows[0]["seconds"] == pytest.approx(16)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train_fraction": 0.0}, "--train-fraction has to be above 0"),
        ({"attack": 0.0}, "--attack has to be positive"),
        ({"task": "contrastive", "mixup": 0.5}, "no --mixup"),
        ({"task": "contrastive", "accumulate": 2}, "no --accumulate"),
        ({"task": "contrastive", "train": "head"}, "leave --train out"),
        ({"task": "adversarial", "mixup": 0.5}, "no --mixup"),
        ({"ema": 1.0}, "--ema has to be"),
        ({"accumulate": 0}, "--accumulate has to be positive"),
        ({"randaugment": (1.5, 10.0)}, "--randaugment takes a whole number of layers"),
        ({"randaugment": (1.0,)}, "--randaugment takes .* such as 2 15, got 1$"),
        ({"randaugment": (1.0, 2.0, 3.0)}, "--randaugment takes .* got 1 2 3$"),
    ],
)
def test_refusals(changes, message):
    with pytest.raises(InputError, match=message):
        replace(PLAIN, **changes)

"""Steps with SAM: batch statistics, dropout, and the paper's algorithm written by hand."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from landscape.models.resnet import ResNet
from landscape.models.vit import VisionTransformer
from landscape.training.optimizer import make_optimizer
from landscape.training.passes import Task
from landscape.training.sam.ascent import frozen_batch_statistics
from landscape.training.settings import TrainSettings
from landscape.training.step import Stepper
from landscape.training.tasks.losses import TRAINING_LOSSES


def digits_like(n=12):
    return torch.randn(n, 1, 8, 8), torch.randint(5, (n,))


def small_vit(dropout=0.0):
    return VisionTransformer(
        image_size=8,
        patch_size=4,
        dim=8,
        depth=2,
        heads=2,
        mlp_dim=16,
        num_classes=5,
        channels=1,
        dropout=dropout,
    )


def small_resnet():
    return ResNet(layers=(1, 1), block="basic", width=4, stem="small", num_classes=5, channels=1)


def step(model, settings, inputs, targets, *, seed=5, optimizer=None):
    model.train()
    optimizer = optimizer or make_optimizer(model, settings)
    task = Task(TRAINING_LOSSES["softmax"], lambda outputs, targets: outputs.argmax(1) != targets)
    stepper = Stepper(model, optimizer, task, settings)
    return stepper.step(inputs, targets, 0, settings.rho, seed)


def test_batch_statistics_are_those_of_one_plain_forward_pass():
    model, (inputs, targets) = small_resnet(), digits_like()
    plain = copy.deepcopy(model).train()
    plain(inputs)
    step(model, TrainSettings(opt="sgd", rho=0.5), inputs, targets)
    names = [name for name, _ in plain.named_buffers()]
    assert sum("running_mean" in name for name in names) == 6
    for name, expected in plain.named_buffers():
        assert torch.equal(dict(model.named_buffers())[name], expected), name
    assert all(
        buffer.item() == 1 for name, buffer in model.named_buffers() if "num_batches" in name
    )


def test_frozen_statistics_normalise_by_the_batch_and_thaw_whatever_happens():
    model, (inputs, _) = small_resnet().train(), digits_like()
    expected = copy.deepcopy(model)(inputs)
    before = [buffer.clone() for buffer in model.buffers()]
    with frozen_batch_statistics(model):
        assert torch.equal(model(inputs), expected)
    assert all(torch.equal(a, b) for a, b in zip(before, model.buffers(), strict=True))
    with pytest.raises(ZeroDivisionError), frozen_batch_statistics(model):
        _ = 1 / 0
    model(inputs)
    assert model.bn1.num_batches_tracked.item() == 1
    assert not torch.equal(before[0], model.bn1.running_mean)


def test_norms_that_never_tracked_statistics_stay_so():
    model = nn.Sequential(nn.BatchNorm1d(3, track_running_stats=False))
    with frozen_batch_statistics(model):
        model(torch.randn(4, 3))
    assert model[0].track_running_stats is False


def test_both_passes_drop_the_same_units():
    model, (inputs, targets) = small_vit(dropout=0.5), digits_like()
    with torch.no_grad():
        model.head.weight.normal_()
    kept = []

    def record(module, _inputs, output):
        kept.append((output != 0).clone())

    dropouts = [module for module in model.modules() if isinstance(module, nn.Dropout)]
    for module in dropouts:
        module.register_forward_hook(record)
    step(model, TrainSettings(rho=0.1), inputs, targets)
    count = len(dropouts)
    assert len(kept) == 2 * count
    for first, second in zip(kept[:count], kept[count:], strict=True):
        assert torch.equal(first, second)
    assert 0.3 < kept[0].float().mean().item() < 0.7  # units were dropped at all
    assert any(not torch.equal(kept[0], mask) for mask in kept[1:count])


def test_other_seeds_drop_other_units():
    model, (inputs, targets) = small_vit(dropout=0.5), digits_like()
    kept = []
    model.drop.register_forward_hook(lambda _m, _i, output: kept.append((output != 0).clone()))
    for seed in (1, 1, 2):
        step(model, TrainSettings(), inputs, targets, seed=seed)
    assert torch.equal(kept[0], kept[1])
    assert not torch.equal(kept[0], kept[2])


@pytest.mark.parametrize("opt", ["adamw", "sgd"])
@pytest.mark.parametrize("rho", [0.0, 0.1])
@pytest.mark.parametrize("clip", [0.0, 0.5])
def test_steps_equal_those_written_by_hand(opt, rho, clip):
    """Three steps of ours against the paper's; rho = 0 is the plain optimizer.

    No parameter of this network has a gradient that is 0 but for rounding, as a key's bias has,
    for Adam would magnify the rounding.
    """
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(64, 9), nn.LayerNorm(9), nn.Tanh(), nn.Linear(9, 5)
    ).double()
    theirs = copy.deepcopy(model).train()
    settings = TrainSettings(opt=opt, rho=rho, lr=0.03, weight_decay=0.2, clip=clip)
    optimizer = make_optimizer(model, settings)
    reference = hand_written_optimizer(theirs, opt)
    for _ in range(3):
        inputs, targets = digits_like()
        inputs = inputs.double()
        loss, error, norm, _ = step(model, settings, inputs, targets, optimizer=optimizer).tolist()

        outputs = theirs(inputs)
        plain_loss = F.cross_entropy(outputs, targets)
        gradients = torch.autograd.grad(plain_loss, list(theirs.parameters()))
        plain_norm = sum(g.square().sum() for g in gradients).sqrt()
        if rho:
            shifted = copy.deepcopy(theirs)
            with torch.no_grad():
                for p, g in zip(shifted.parameters(), gradients, strict=True):
                    p += rho * g / plain_norm
            shifted_loss = F.cross_entropy(shifted(inputs), targets)
            gradients = torch.autograd.grad(shifted_loss, list(shifted.parameters()))
        if clip:
            size = sum(g.square().sum() for g in gradients).sqrt()
            gradients = [g * (clip / (size + 1e-6)).clamp(max=1) for g in gradients]
        for p, g in zip(theirs.parameters(), gradients, strict=True):
            p.grad = g
        reference.step()

        assert loss == pytest.approx(plain_loss.item(), rel=1e-12)
        assert error == pytest.approx((outputs.argmax(1) != targets).double().mean().item())
        assert norm == pytest.approx(plain_norm.item(), rel=1e-12)
    for (name, ours), expected in zip(model.named_parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(ours, expected, rtol=0, atol=1e-12, msg=name)


def hand_written_optimizer(model, opt):
    decayed = {"1.weight", "4.weight"}
    groups = [
        {"params": [p], "weight_decay": 0.2 if name in decayed else 0.0}
        for name, p in model.named_parameters()
    ]
    if opt == "adamw":
        return torch.optim.AdamW(groups, lr=0.03, foreach=False)
    return torch.optim.SGD(groups, lr=0.03, momentum=0.9, foreach=False)

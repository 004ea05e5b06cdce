"""One pass over the training data."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from landscape.data.feed import batches, epoch_order, steps_per_epoch, stream_seed
from landscape.data.samples import Samples
from landscape.training.augmentation import Augmentation
from landscape.training.step import Stepper


def train_epoch(
    stepper: Stepper,
    samples: Samples,
    augmentation: Augmentation,
    epoch: int,
    records: list[Tensor],
    after_step: Callable[[], object] = lambda: None,
) -> None:
    """One pass over the data, from step ``len(records)`` on, to which each step's is added.

    Every random draw depends on (seed, epoch, step) alone.
    """
    settings, team = stepper.settings, stepper.team
    device = stepper.parameters[0].device
    views = 2 if settings.task == "contrastive" else 1
    steps, first = steps_per_epoch(samples, settings.batch_size), len(records)
    order = epoch_order(samples, settings.seed, epoch)[: steps * settings.batch_size]
    parts = [team.part(whole) for whole in order.split(settings.batch_size)][first:]

    def fetch(indices: Tensor, number: int) -> Tensor:
        step = first + number
        return torch.cat([augmentation.fetch(indices, epoch, step, v) for v in range(views)])

    _train_mode(stepper.model)
    for k, (inputs, targets) in enumerate(batches(samples, parts, device, fetch), start=first):
        number = epoch * steps + k
        for group in stepper.optimizer.param_groups:
            group["lr"] = settings.rate_at(number, steps)
        seen = [
            augmentation.pictures(part, epoch, k, view)
            for view, part in enumerate(inputs.chunk(views))
        ]
        inputs, targets = augmentation.mix(torch.cat(seen), targets.repeat(views), epoch, k)
        if settings.channels_last and inputs.dim() == 4:
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        radius = settings.radius_at(number, steps)
        seed = stream_seed(settings.seed, epoch, 2, k)
        records.append(stepper.step(inputs, targets, number, radius, seed))
        after_step()


def _train_mode(model: nn.Module) -> None:
    """Parts without a trainable parameter stay as they are in use: no dropout, fixed statistics."""
    model.train()
    for module in model.modules():
        own = list(module.parameters())
        if own and not any(p.requires_grad for p in own):
            module.eval()

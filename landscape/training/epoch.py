"""One pass over the training data."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from landscape.data.feed import batches, epoch_order, steps_per_epoch, stream_seed
from landscape.data.samples import Samples
from landscape.training.augmentation.augment import Augmentation
from landscape.training.step import Stepper


def train_epoch(
    stepper: Stepper, samples: Samples, augmentation: Augmentation, epoch: int, first: int = 0
) -> Iterator[Tensor]:
    """Take the steps of an epoch, yielding the record of each, of shape (4,), once it is taken.

    Every random draw is a function of seed, epoch and step.

    Args:
        stepper: Takes the steps.
        samples: The training data.
        augmentation: Reads and augments them.
        epoch: The number of the epoch, from 0.
        first: The step of the epoch to start with.
    """
    settings, group, device = stepper.settings, stepper.group, stepper.device
    views = 2 if settings.task == "contrastive" else 1
    steps = steps_per_epoch(samples, settings.batch_size)
    order = epoch_order(samples, settings.seed, epoch)[: steps * settings.batch_size]
    shares = [group.share_of(batch) for batch in order.split(settings.batch_size)][first:]

    def fetch(indices: Tensor, number: int) -> Tensor:
        step = first + number
        return torch.cat([augmentation.fetch(indices, epoch, step, view) for view in range(views)])

    _enter_training_mode(stepper.model)
    for step, (inputs, targets) in enumerate(batches(samples, shares, device, fetch), start=first):
        number = epoch * steps + step
        for param_group in stepper.optimizer.param_groups:
            param_group["lr"] = settings.rate_at(number, steps)
        augmented = [
            augmentation.pictures(pictures, epoch, step, view)
            for view, pictures in enumerate(inputs.chunk(views))
        ]
        inputs, targets = augmentation.mix(torch.cat(augmented), targets.repeat(views), epoch, step)
        if settings.channels_last and inputs.dim() == 4:
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        rho = settings.radius_at(number, steps)
        seed = stream_seed(settings.seed, epoch, 2, step)
        yield stepper.step(inputs, targets, number, rho, seed)


def _enter_training_mode(model: nn.Module) -> None:
    """Put ``model`` into training mode, but for modules whose parameters are all frozen.

    These stay in evaluation mode: no dropout, fixed statistics.
    """
    model.train()
    for module in model.modules():
        parameters = list(module.parameters())
        if parameters and not any(p.requires_grad for p in parameters):
            module.eval()

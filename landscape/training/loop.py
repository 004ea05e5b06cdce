"""Training, read from top to bottom: :func:`train` sets up, runs the epochs and saves each."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from landscape.checkpoints.run import BEST, LAST, RunDirectory
from landscape.data.augment import crop_and_flip
from landscape.data.samples import Samples
from landscape.devices import resolve_device
from landscape.errors import DivergenceError
from landscape.progress import is_live, message, track
from landscape.training.feed import (
    batches,
    epoch_order,
    steps_per_epoch,
    stream_seed,
    to_device,
)
from landscape.training.sam import SharpnessAware, frozen_batch_statistics, gradient_norm
from landscape.training.settings import TrainSettings

EVAL_BATCH = 512
# Reading a loss waits for the device; on CUDA it is done for so many steps at once.
CHECK_EVERY = {"cpu": 1, "cuda": 50}


@dataclass(frozen=True)
class EpochMeans:
    """Means over one epoch's steps, taken at the weights before each step."""

    loss: float
    error: float
    grad_norm: float


def train(
    model: nn.Module,
    training: Samples,
    validation: Samples,
    settings: TrainSettings,
    run: RunDirectory,
    *,
    resume: bool = False,
    name: str = "model",
) -> list[dict[str, float]]:
    """Train ``model`` and leave last.pt, best.pt, metrics.csv and kept epochs in ``run``.

    With ``resume`` it goes on after the last finished epoch; the result is the same to the bit,
    on the CPU, as that of a run that was never stopped. Returns the rows of metrics.csv. Raises
    DivergenceError, with the last finished epoch still in last.pt, if the loss leaves the reals.
    """
    device = resolve_device(settings.device)
    model.to(device)
    dtype = next((p.dtype for p in model.parameters() if p.is_floating_point()), torch.float32)
    training, validation = (to_device(part, device, dtype) for part in (training, validation))
    optimizer = make_optimizer(model, settings)
    rows: list[dict[str, float]] = []
    run.sweep()
    if resume:
        rows = _load_state(run, model, optimizer)
        run.write_metrics(rows)
    if not rows and settings.keeps(0):
        run.save_epoch(0, model.state_dict())
    best = max((row["val_accuracy"] for row in rows), default=-math.inf)
    kind = f"SAM rho={settings.rho:g}" if settings.rho else "plain"
    task = f"training {name} ({settings.opt}, {kind})"
    message(f"{task}: {settings.epochs} epochs of {len(training):,} samples on {device}")

    steps = steps_per_epoch(training, settings.batch_size)
    with track(None, task, total=settings.epochs * steps, done=len(rows) * steps) as bar:
        for epoch in range(len(rows), settings.epochs):
            started = time.perf_counter()
            means = train_epoch(model, optimizer, training, settings, epoch, device, bar.update)
            val_loss, val_accuracy = evaluate(model, validation, device)
            if not math.isfinite(val_loss):  # broken by the last step, after its training loss
                rate = optimizer.param_groups[0]["lr"]
                raise DivergenceError(_diverged("validation", val_loss, (epoch + 1) * steps, rate))
            rows.append(
                {
                    "epoch": epoch + 1,
                    "train_loss": means.loss,
                    "train_error": means.error,
                    "val_loss": val_loss,
                    "val_accuracy": val_accuracy,
                    "lr": optimizer.param_groups[0]["lr"],
                    "grad_norm": means.grad_norm,
                    "seconds": time.perf_counter() - started,
                }
            )
            if val_accuracy > best:
                best = val_accuracy
                run.save(BEST, {"model": model.state_dict(), "epoch": epoch + 1})
            # Before last.pt, after which nothing would come back to write it.
            if settings.keeps(epoch + 1):
                run.save_epoch(epoch + 1, model.state_dict())
            run.save(LAST, _state(model, optimizer, rows))
            run.write_metrics(rows)
            bar.set_postfix(epoch=epoch + 1, loss=f"{means.loss:.3f}", val=f"{val_accuracy:.1f}%")
            if not is_live() and (epoch + 1) % max(1, settings.epochs // 4) == 0:
                message(f"  epoch {epoch + 1}: loss {means.loss:.4f}, val {val_accuracy:.1f}%")
    return rows


def train_epoch(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    samples: Samples,
    settings: TrainSettings,
    epoch: int,
    device: torch.device,
    after_step: Callable[[], object] = lambda: None,
) -> EpochMeans:
    """One pass over the data; every random draw depends on (seed, epoch, step) alone."""
    steps = steps_per_epoch(samples, settings.batch_size)
    order = epoch_order(samples, settings.seed, epoch)[: steps * settings.batch_size]
    sam = SharpnessAware(model.parameters(), settings.rho) if settings.rho else None
    augmentation = torch.Generator().manual_seed(stream_seed(settings.seed, epoch, 1))
    records: list[Tensor] = []
    checked = 0
    model.train()
    for k, (inputs, targets) in enumerate(batches(samples, order, settings.batch_size, device)):
        step = epoch * steps + k
        for group in optimizer.param_groups:
            group["lr"] = settings.rate_at(step, steps)
        if settings.augment == "crop-flip":
            inputs = crop_and_flip(inputs, augmentation)
        dropout_seed = stream_seed(settings.seed, epoch, 2, k)
        records.append(
            train_step(model, optimizer, sam, inputs, targets, settings.clip, dropout_seed)
        )
        if len(records) - checked >= CHECK_EVERY.get(device.type, 1) or k == steps - 1:
            _check_finite(records[checked:], step, settings, steps)
            checked = len(records)
        after_step()
    loss, error, norm = torch.stack(records).double().mean(0).tolist()
    return EpochMeans(loss, 100 * error, norm)


def train_step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    sam: SharpnessAware | None,
    inputs: Tensor,
    targets: Tensor,
    clip: float,
    dropout_seed: int,
) -> Tensor:
    """One step of the optimizer; returns (loss, share of errors, gradient norm) before it.

    Both passes of SAM drop the same units, so that they see one function.
    """
    torch.manual_seed(dropout_seed)
    optimizer.zero_grad()
    outputs = model(inputs)
    loss = F.cross_entropy(outputs, targets)
    loss.backward()
    norm = gradient_norm(model.parameters())
    if sam is not None:
        sam.perturb()
        optimizer.zero_grad()
        torch.manual_seed(dropout_seed)
        with frozen_batch_statistics(model):
            F.cross_entropy(model(inputs), targets).backward()
        sam.restore()
    if clip > 0:
        nn.utils.clip_grad_norm_(model.parameters(), clip)
    optimizer.step()
    error = (outputs.detach().argmax(1) != targets).float().mean()
    return torch.stack([loss.detach(), error, norm])


def make_optimizer(model: nn.Module, settings: TrainSettings) -> torch.optim.Optimizer:
    """The base optimizer; only kernels decay."""
    kernels: list[nn.Parameter] = []
    rest: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            is_embedding = name.rpartition(".")[2] in ("cls_token", "pos_embed")
            (kernels if parameter.dim() > 1 and not is_embedding else rest).append(parameter)
    groups = [
        {"params": kernels, "weight_decay": settings.decay},
        {"params": rest, "weight_decay": 0.0},
    ]
    if settings.opt == "adamw":
        return torch.optim.AdamW(groups, lr=settings.peak_lr)
    return torch.optim.SGD(groups, lr=settings.peak_lr, momentum=settings.momentum)


@torch.no_grad()
def evaluate(model: nn.Module, samples: Samples, device: torch.device) -> tuple[float, float]:
    """Mean loss and accuracy in per cent over ``samples``, in eval mode."""
    model.eval()
    loss = torch.zeros((), dtype=torch.float64, device=device)
    correct = torch.zeros((), dtype=torch.int64, device=device)
    for inputs, targets in batches(samples, torch.arange(len(samples)), EVAL_BATCH, device):
        outputs = model(inputs)
        loss += F.cross_entropy(outputs, targets, reduction="sum").double()
        correct += (outputs.argmax(1) == targets).sum()
    return loss.item() / len(samples), 100.0 * correct.item() / len(samples)


def _check_finite(
    records: list[Tensor], last_step: int, settings: TrainSettings, steps_per_epoch: int
) -> None:
    """Look at the losses of the steps up to ``last_step``, in one wait for the device."""
    losses = torch.stack([record[0] for record in records])
    bad = (~losses.isfinite()).nonzero()
    if len(bad):
        first = int(bad[0])
        step = last_step - (len(losses) - 1 - first)
        rate = settings.rate_at(step, steps_per_epoch)
        raise DivergenceError(_diverged("training", losses[first].item(), step, rate))


def _diverged(which: str, loss: float, step: int, rate: float) -> str:
    return (
        f"the {which} loss became {loss} at step {step} (learning rate {rate:.3g}); "
        "lower --lr or --rho, or lengthen --warmup-epochs"
    )


def _state(
    model: nn.Module, optimizer: torch.optim.Optimizer, rows: list[dict[str, float]]
) -> dict[str, Any]:
    """What last.pt holds. No random state: it is a function of the seed and the epoch."""
    return {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "epoch": len(rows),
        "metrics": rows,
    }


def _load_state(
    run: RunDirectory, model: nn.Module, optimizer: torch.optim.Optimizer
) -> list[dict[str, float]]:
    """Continue where last.pt stopped; from the start if the run was killed before its first."""
    if not (run.path / LAST).is_file():
        return []
    state = run.load(LAST)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    return [dict(row) for row in state["metrics"]]

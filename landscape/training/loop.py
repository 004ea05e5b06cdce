"""The training loop: :func:`train` sets up, trains and validates epoch after epoch, and saves."""

import logging
import math
import time
from typing import Any

import torch
from torch import Tensor, nn

from landscape.checkpoints.run import RunDirectory
from landscape.data.feed import steps_per_epoch, to_device
from landscape.data.samples import Samples, balanced_share
from landscape.errors import DivergenceError
from landscape.results.lock import locked
from landscape.runtime.devices import resolve_device
from landscape.training.augmentation.augment import Augmentation
from landscape.training.display import Display
from landscape.training.ema import MovingAverage
from landscape.training.epoch import train_epoch
from landscape.training.evaluation import evaluate, evaluate_embedding
from landscape.training.interruption import StopRequest
from landscape.training.optimizer import make_optimizer
from landscape.training.outputs import Outputs
from landscape.training.prepare import prepare
from landscape.training.scale.data_parallel import SINGLE_PROCESS, DataParallelGroup
from landscape.training.scale.precision import float32_products
from landscape.training.settings import TrainSettings
from landscape.training.state import Row, TrainingState
from landscape.training.step import Stepper
from landscape.training.tasks.contrastive import Projected

LOGGER = logging.getLogger(__name__)

# Reading a loss waits for the device; on CUDA it is done for this many steps at once.
CHECK_EVERY = {"cpu": 1, "cuda": 50}


def train(
    model: nn.Module,
    training: Samples,
    validation: Samples,
    settings: TrainSettings,
    run: RunDirectory,
    *,
    resume: bool = False,
    name: str = "model",
    group: DataParallelGroup = SINGLE_PROCESS,
    request: StopRequest | None = None,
    log: Any = None,
) -> list[Row]:
    """Train a model, and leave last.pt, best.pt, metrics.csv and kept epochs in a run directory.

    Args:
        model: The model, which is trained in place.
        training: The samples to train with; their targets are class numbers.
        validation: The samples to validate with after every epoch.
        settings: How to train.
        run: The run directory, which has to exist.
        resume: Continue from last.pt. On the CPU the result equals that of a training that was
            never stopped, bit by bit.
        name: What progress messages call the model.
        group: The processes that train together.
        request: Asks the training to save and stop.
        log: Gets the metrics of every epoch: a logger with a method ``log_dict(metrics, step)``,
            ``log_metrics`` or ``log``, or a function of (metrics, step)
            (:class:`landscape.runtime.metric_log.MetricLog`).

    Returns:
        The rows of metrics.csv.

    Raises:
        InputError: The settings don't fit the model, the data or the number of processes.
        DivergenceError: A loss is not finite; last.pt still holds the last finished epoch.
        SaveError: A file can't be written; the one that was there is intact.
        InUseError: Another process writes to the run directory.
        StopRequested: The training has saved and stopped as ``request`` asked.

    Example:
        >>> run = RunDirectory(Path("mine"))
        >>> run.path.mkdir()
        >>> settings = TrainSettings(epochs=2, batch_size=512, rho=0.1)
        >>> rows = train(model, digits("train"), digits("test"), settings, run)
        >>> [row["epoch"] for row in rows]
        [1, 2]
    """
    request = request or StopRequest()
    with locked(run.path, ranks=group.ranks):
        current = Training(
            model, training, validation, settings, run, name, group, request, resume, log
        )
        with request.noted(), float32_products(settings), current.display.bar:
            while current.position.epoch < settings.epochs:
                current.run_epoch()
        return current.position.rows


class Training:
    """A training: what it works with, its state, its outputs and its display."""

    def __init__(
        self,
        model: nn.Module,
        training: Samples,
        validation: Samples,
        settings: TrainSettings,
        run: RunDirectory,
        name: str,
        group: DataParallelGroup,
        request: StopRequest,
        resume: bool,
        log: Any,
    ) -> None:
        if settings.train_fraction < 1:
            chosen = balanced_share(training.targets, settings.train_fraction, settings.seed)
            training = training.take(chosen)
        device = resolve_device(settings.device)
        prepared = prepare(model, training, settings, device, group)
        dtype = next((p.dtype for p in model.parameters() if p.is_floating_point()), torch.float32)
        self.model = model
        self.training = to_device(training, device, dtype)
        self.validation = to_device(validation, device, dtype)
        self.settings = settings
        self.group = group
        self.request = request
        self.device = device
        self.steps = steps_per_epoch(training, settings.batch_size)
        self.augmentation = Augmentation(
            settings, self.training, settings.seed, group.ranks.rank, group.ranks.world_size
        )
        self.stepper = Stepper(
            prepared.module,
            make_optimizer(prepared.module, settings),
            prepared.task,
            settings,
            group,
            compiled=prepared.compiled,
            some_unused=prepared.some_unused,
        )
        self.average = MovingAverage(model, settings.ema) if settings.ema else None
        state = TrainingState(model, self.stepper, self.average)
        if resume:
            state.load(run)
        self.position = state.position
        self.outputs = Outputs(run, state, settings, group, log)
        self.outputs.start(resume)
        method = f"{settings.sam.upper()} rho={settings.rho:g}" if settings.rho else "plain"
        purpose = f"training {name} ({settings.opt}, {method}, seed {settings.seed})"
        count = group.ranks.world_size
        where = str(device) if count == 1 else f"{count} processes, {device.type}"
        LOGGER.info(f"{purpose}: {settings.epochs} epochs of {len(training):,} samples on {where}")
        self.display = Display(purpose, settings, self.steps, self.position)

    def run_epoch(self) -> None:
        """Train for an epoch, or what is left of it, then validate and save."""
        position = self.position
        started = time.perf_counter() - position.seconds
        checked = len(position.records)
        records = train_epoch(
            self.stepper, self.training, self.augmentation, position.epoch, first=checked
        )
        for record in records:
            position.records.append(record)
            if self.average is not None:
                self.average.update(self.model)
            self.display.bar.update()
            is_last = len(position.records) == self.steps
            unchecked = position.records[checked:]
            if is_last or len(unchecked) >= CHECK_EVERY.get(self.device.type, 1):
                self.check_finite(unchecked)
                checked = len(position.records)
                position.seconds = time.perf_counter() - started
                self.display.show_steps(position)
                self.save_within_epoch(is_last)
        self.group.average_statistics(self.model)
        row = self.measure(started)
        position.finish_epoch(row)
        self.outputs.finish_epoch()
        self.display.show_epoch(row)
        is_over = position.epoch == self.settings.epochs
        if not is_over and self.group.any_of(self.request.came)[0]:
            self.request.stop()

    def check_finite(self, records: list[Tensor]) -> None:
        """Raise DivergenceError if the loss of one of the last steps is not finite."""
        losses = torch.stack([record[0] for record in records])
        diverged = (~losses.isfinite()).nonzero()  # the one wait for the device
        if len(diverged):
            number = int(diverged[0])
            first = self.position.epoch * self.steps + len(self.position.records) - len(losses)
            step = first + number
            rate = self.settings.rate_at(step, self.steps)
            raise _divergence("training", losses[number].item(), step, rate)

    def save_within_epoch(self, is_last: bool) -> None:
        """Save and stop if a rank was asked to; save if that is due and the epoch is not over."""
        stops, saves = self.group.any_of(self.request.came, self.outputs.is_due())
        if stops or (saves and not is_last):
            self.outputs.save()
        if stops:
            self.request.stop()

    def measure(self, started: float) -> Row:
        """The row of metrics.csv for the epoch that was just trained.

        Args:
            started: When the epoch started, by ``time.perf_counter``.
        """
        settings, epoch = self.settings, self.position.epoch
        means = torch.stack(self.position.records).mean(0)
        self.group.average([means])
        loss, error, norm, gap = means.tolist()
        val_loss, val_accuracy = self.validate()
        last_step = (epoch + 1) * self.steps - 1
        rate = settings.rate_at(last_step, self.steps)
        if not math.isfinite(val_loss):  # broken by the last step, after its training loss
            raise _divergence("validation", val_loss, last_step + 1, rate)
        seconds = time.perf_counter() - started
        row = {
            "epoch": epoch + 1,
            "train_loss": loss,
            "train_error": 100 * error,
            "val_loss": val_loss,
            "val_accuracy": val_accuracy,
            "lr": rate,
            "grad_norm": norm,
            "seconds": seconds,
            "rho": settings.radius_at(last_step, self.steps),
            "surrogate_gap": gap,
            "images_per_second": self.steps * settings.batch_size / seconds,
        }
        if self.average is not None and settings.task != "contrastive":
            row["ema_val_accuracy"] = self.evaluate(self.average.model)[1]
        return row

    def validate(self) -> tuple[float, float]:
        """The loss and the accuracy in per cent on the held-out samples."""
        module = self.stepper.model
        if isinstance(module, Projected):
            temperature = self.settings.temperature
            return evaluate_embedding(
                module, self.training, self.validation, self.device, temperature
            )
        return self.evaluate(self.model)

    def evaluate(self, model: nn.Module) -> tuple[float, float]:
        """The loss and the accuracy in per cent of a classifier on the held-out samples."""
        return evaluate(model, self.validation, self.device, self.stepper.task.loss, self.group)


def _divergence(which: str, loss: float, step: int, rate: float) -> DivergenceError:
    return DivergenceError(
        f"the {which} loss became {loss} at step {step} (learning rate {rate:.3g}); "
        "lower --lr or --rho, or lengthen --warmup-epochs"
    )

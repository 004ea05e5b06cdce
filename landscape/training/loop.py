"""Training, read from top to bottom: :func:`train` sets up, runs the epochs and saves each."""

import logging
import math
import time

import torch
from torch import Tensor, nn
from tqdm import tqdm

from landscape.checkpoints.run import BEST, EMA, LAST, RunDirectory
from landscape.data.feed import steps_per_epoch, to_device
from landscape.data.samples import Samples, balanced_share
from landscape.errors import DivergenceError
from landscape.runtime.devices import resolve_device
from landscape.runtime.progress import is_live, track
from landscape.training.augmentation import Augmentation
from landscape.training.data_parallel import ALONE, DataParallelGroup
from landscape.training.ema import MovingAverage
from landscape.training.epoch import train_epoch
from landscape.training.evaluation import evaluate, evaluate_embedding
from landscape.training.interruption import StopRequest, StopRequested
from landscape.training.optimizer import make_optimizer
from landscape.training.prepare import prepare
from landscape.training.settings import TrainSettings
from landscape.training.state import Position, Row, load_state, state_of
from landscape.training.step import Stepper
from landscape.training.tasks.contrastive import Projected
from landscape.training.tensorboard import TensorBoardLogger

LOGGER = logging.getLogger(__name__)

# Reading a loss waits for the device; on CUDA it is done for so many steps at once.
CHECK_EVERY = {"cpu": 1, "cuda": 50}
# Over so many steps the loss beside the bar is a mean.
SHOWN_STEPS = 50


def train(
    model: nn.Module,
    training: Samples,
    validation: Samples,
    settings: TrainSettings,
    run: RunDirectory,
    *,
    resume: bool = False,
    name: str = "model",
    team: DataParallelGroup = ALONE,
    request: StopRequest | None = None,
) -> list[Row]:
    """Train ``model`` and leave last.pt, best.pt, metrics.csv and kept epochs in ``run``.

    With ``resume`` it goes on where last.pt was saved; the result is the same to the bit, on the
    CPU, as that of a run that was never stopped. Returns the rows of metrics.csv.

    Raises DivergenceError, with the last finished epoch still in last.pt, if the loss leaves the
    reals; SaveError, with the file that was there intact, if one can't be written; and
    StopRequested, having saved, when ``request`` has come.
    """
    request = request or StopRequest()
    under_way = Training(model, training, validation, settings, run, name, team, request)
    under_way.start(resume)
    with request.noted(), settings.multiplication(), under_way.progress_bar():
        while under_way.epoch < settings.epochs:
            under_way.run_epoch()
    return under_way.position.rows


class Training:
    """A training under way: what it works with, and how far it is."""

    def __init__(
        self,
        model: nn.Module,
        training: Samples,
        validation: Samples,
        settings: TrainSettings,
        run: RunDirectory,
        name: str,
        team: DataParallelGroup,
        request: StopRequest,
    ) -> None:
        self.model, self.settings, self.run, self.team = model, settings, run, team
        self.device = device = resolve_device(settings.device)
        self.request = request
        if settings.train_fraction < 1:
            chosen = balanced_share(training.targets, settings.train_fraction, settings.seed)
            training = training.take(chosen)
        prepared = prepare(model, training, settings, device, team)
        dtype = next((p.dtype for p in model.parameters() if p.is_floating_point()), torch.float32)
        self.training, self.validation = (
            to_device(part, device, dtype) for part in (training, validation)
        )
        self.stepper = Stepper(
            prepared.module,
            make_optimizer(prepared.module, settings),
            prepared.task,
            settings,
            team,
            compiled=prepared.compiled,
            some_unused=prepared.some_unused,
        )
        self.augmentation = Augmentation(
            settings, self.training, settings.seed, team.rank, team.world_size
        )
        self.average = MovingAverage(model, settings.ema) if settings.ema else None
        self.steps = steps_per_epoch(training, settings.batch_size)
        self.position = Position()
        kind = f"{settings.sam.upper()} rho={settings.rho:g}" if settings.rho else "plain"
        self.purpose = f"training {name} ({settings.opt}, {kind})"
        self.saved_at = time.monotonic()

    @property
    def epoch(self) -> int:
        """How many epochs are finished: the number, from 0, of the one under way."""
        return len(self.position.rows)

    def start(self, resume: bool) -> None:
        """From last.pt or from the initial network, which is kept if epochs are."""
        settings, run = self.settings, self.run
        if resume:
            self.position = load_state(run, self.model, self.stepper, self.average)
        if self.team.is_first:
            run.sweep()
            if resume:
                run.write_metrics(self.position.rows)
            if self.epoch == 0 and settings.keeps(0):
                run.save_epoch(0, self.model.state_dict())
        wants_board = settings.tensorboard and self.team.is_first
        self.board = TensorBoardLogger(run.path / "tensorboard", wants_board, self.epoch)
        accuracies = [row["val_accuracy"] for row in self.position.rows]
        self.best = max(accuracies, default=-math.inf)
        count = self.team.world_size
        where = str(self.device) if count == 1 else f"{count} processes, {self.device.type}"
        LOGGER.info(
            f"{self.purpose}: {settings.epochs} epochs of {len(self.training):,} samples on {where}"
        )

    def progress_bar(self) -> "tqdm[None]":
        """The bar, for as long as it is entered."""
        done = self.epoch * self.steps + len(self.position.records)
        total = self.settings.epochs * self.steps
        self.bar = track(None, self.purpose, total=total, done=done)
        return self.bar

    def run_epoch(self) -> None:
        """Train, validate and save; what is under way is saved as well when that is due."""
        position = self.position
        # Time spent on this epoch before the process began counts.
        self.started = time.perf_counter() - position.seconds
        self.checked = len(position.records)
        train_epoch(
            self.stepper,
            self.training,
            self.augmentation,
            self.epoch,
            position.records,
            self.after_step,
        )
        self.team.average_statistics(self.model)
        row = self.measure()
        position.rows.append(row)
        position.records.clear()
        position.seconds = 0.0
        self.keep(row)
        self.save()
        if self.team.is_first:
            self.run.write_metrics(position.rows)
            self.board.write(row)
        shown = max(1, self.settings.epochs // 4)
        if not is_live() and self.epoch % shown == 0:
            LOGGER.info(
                f"  epoch {self.epoch}: loss {row['train_loss']:.4f}, "
                f"val {row['val_accuracy']:.1f}%, {row['images_per_second']:,.0f} images/s"
            )
        is_over = self.epoch == self.settings.epochs
        if not is_over and self.team.any_of(self.request.came)[0]:
            raise StopRequested(self.request.name)

    def after_step(self) -> None:
        """Look at the losses, at the clock, and for a request to stop."""
        records = self.position.records
        if self.average is not None:
            self.average.update(self.model)
        self.bar.update()
        is_last = len(records) == self.steps
        unchecked = records[self.checked :]
        if len(unchecked) < CHECK_EVERY.get(self.device.type, 1) and not is_last:
            return
        self.check_finite(unchecked)
        self.checked = len(records)
        self.position.seconds = time.perf_counter() - self.started
        if is_live():
            loss, error, *_ = torch.stack(records[-SHOWN_STEPS:]).mean(0).tolist()
            pace = len(records) * self.settings.batch_size / self.position.seconds
            self.bar.set_postfix_str(
                f"epoch {self.epoch + 1}, loss {loss:.3f}, accuracy {100 - 100 * error:.1f}%, "
                f"{pace:,.0f} images/s"
            )
        due = 60 * self.settings.save_minutes
        is_due = self.team.is_first and 0 < due <= time.monotonic() - self.saved_at
        stops, saves = self.team.any_of(self.request.came, is_due)
        if stops or (saves and not is_last):
            self.save()
        if stops:
            raise StopRequested(self.request.name)

    def measure(self) -> Row:
        """The row of the epoch just trained."""
        settings, position = self.settings, self.position
        means = torch.stack(position.records).mean(0)
        self.team.average([means])
        loss, error, norm, gap = means.tolist()
        val_loss, val_accuracy = self.validate()
        last_step = (self.epoch + 1) * self.steps - 1
        rate = settings.rate_at(last_step, self.steps)
        if not math.isfinite(val_loss):  # broken by the last step, after its training loss
            raise DivergenceError(_diverged("validation", val_loss, last_step + 1, rate))
        seconds = time.perf_counter() - self.started
        row = {
            "epoch": self.epoch + 1,
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
        """Loss and accuracy in per cent on the held-out samples."""
        trainable = self.stepper.model
        if isinstance(trainable, Projected):
            return evaluate_embedding(
                trainable,
                self.training,
                self.validation,
                self.device,
                self.settings.temperature,
            )
        return self.evaluate(self.model)

    def evaluate(self, model: nn.Module) -> tuple[float, float]:
        """The same of a classifier."""
        return evaluate(model, self.validation, self.device, self.stepper.task.loss, self.team)

    def keep(self, row: Row) -> None:
        """Write the weights that others than last.pt hold."""
        is_best = row["val_accuracy"] > self.best
        self.best = max(self.best, row["val_accuracy"])
        if not self.team.is_first:
            return
        if is_best:
            self.run.save(BEST, {"model": self.model.state_dict(), "epoch": self.epoch})
        if self.average is not None:
            self.run.save(EMA, {"model": self.average.model.state_dict(), "epoch": self.epoch})
        # Before last.pt, after which nothing would come back to write it.
        if self.settings.keeps(self.epoch):
            self.run.save_epoch(self.epoch, self.model.state_dict())

    def save(self) -> None:
        """Write last.pt; every rank has to take part."""
        self.team.average(self.position.records)
        if self.team.is_first:
            state = state_of(self.model, self.stepper, self.average, self.position)
            self.run.save(LAST, state)
        self.saved_at = time.monotonic()

    def check_finite(self, records: list[Tensor]) -> None:
        """DivergenceError if the loss of one of the last steps is not; one wait for the device."""
        losses = torch.stack([record[0] for record in records])
        bad = (~losses.isfinite()).nonzero()
        if len(bad):
            first = int(bad[0])
            step = self.epoch * self.steps + len(self.position.records) - len(losses) + first
            rate = self.settings.rate_at(step, self.steps)
            raise DivergenceError(_diverged("training", losses[first].item(), step, rate))


def _diverged(which: str, loss: float, step: int, rate: float) -> str:
    return (
        f"the {which} loss became {loss} at step {step} (learning rate {rate:.3g}); "
        "lower --lr or --rho, or lengthen --warmup-epochs"
    )

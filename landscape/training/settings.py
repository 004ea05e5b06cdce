"""The settings of a training run."""

import math
from dataclasses import dataclass

from landscape.errors import InputError
from landscape.options import option
from landscape.training.schedules import learning_rate

# What --lr and --weight-decay default to, by optimizer.
OPTIMIZER_DEFAULTS = {"adamw": (1e-3, 0.1), "sgd": (0.1, 5e-4)}


@dataclass(frozen=True)
class TrainSettings:
    """How a model is trained. Every random draw is a function of ``seed``, epoch and step."""

    opt: str = option("adamw", "base optimizer", choices=tuple(OPTIMIZER_DEFAULTS))
    rho: float = option(
        0.0, "radius of sharpness-aware minimisation; 0 is plain training", metavar="RADIUS"
    )
    epochs: int = option(20, "passes over the training data", metavar="N")
    batch_size: int = option(64, "images a step", short="-b", metavar="N")
    lr: float | None = option(
        None, "peak learning rate (default: 0.001 for adamw, 0.1 for sgd)", parse=float
    )
    weight_decay: float | None = option(
        None,
        "decay of kernels, not of biases, norms and embeddings of position and class "
        "(default: 0.1 for adamw, decoupled; 0.0005 for sgd)",
        parse=float,
    )
    momentum: float = option(0.9, "momentum of sgd")
    warmup_epochs: float = option(2.0, "epochs of linear warm-up from 0", metavar="N")
    schedule: str = option(
        "cosine", "learning rate after warm-up", choices=("cosine", "linear", "constant")
    )
    clip: float = option(
        0.0, "clip the norm of the gradient that is stepped along; 0: don't", metavar="NORM"
    )
    augment: str = option(
        "auto",
        "auto is crop-flip (shifts by up to an eighth, mirrored half the time) for imagefolder "
        "and none for other data",
        choices=("auto", "none", "crop-flip"),
    )
    seed: int = option(0, "seed of weights, order, augmentation and dropout")
    save_every: int = option(
        0,
        "keep the weights of every Nth epoch in RUN/epochs, and the initial and last; 0: don't",
        metavar="N",
    )
    device: str = option("auto", "auto, cpu, cuda or cuda:N")

    def __post_init__(self) -> None:
        """Raise InputError for values that can't be trained with."""
        positive = {"epochs": self.epochs, "batch_size": self.batch_size, "lr": self.lr}
        for name, value in positive.items():
            if value is not None and not 0 < value < math.inf:
                raise InputError(f"--{name.replace('_', '-')} has to be positive, got {value}")
        not_negative = {
            "rho": self.rho,
            "weight_decay": self.weight_decay,
            "warmup_epochs": self.warmup_epochs,
            "clip": self.clip,
            "momentum": self.momentum,
            "save_every": self.save_every,
        }
        for name, value in not_negative.items():
            if value is not None and not 0 <= value < math.inf:
                raise InputError(f"--{name.replace('_', '-')} can't be negative, got {value}")

    @property
    def peak_lr(self) -> float:
        """The learning rate after warm-up."""
        return OPTIMIZER_DEFAULTS[self.opt][0] if self.lr is None else self.lr

    @property
    def decay(self) -> float:
        """The weight decay in force."""
        default = OPTIMIZER_DEFAULTS[self.opt][1]
        return default if self.weight_decay is None else self.weight_decay

    def keeps(self, epoch: int) -> bool:
        """Whether the weights after so many epochs are kept; 0 is the initial network."""
        if self.save_every == 0:
            return False
        return epoch % self.save_every == 0 or epoch == self.epochs

    def rate_at(self, step: int, steps_per_epoch: int) -> float:
        """The learning rate of a step, counted from 0 over the whole run."""
        return learning_rate(
            step,
            peak=self.peak_lr,
            warmup=round(self.warmup_epochs * steps_per_epoch),
            total=self.epochs * steps_per_epoch,
            schedule=self.schedule,
        )

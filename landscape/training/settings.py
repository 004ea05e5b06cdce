"""The settings of a training run."""

import math
from dataclasses import dataclass
from typing import Any

from landscape.errors import InputError
from landscape.runtime.options import check_choices, check_numbers, option, refuse_negative
from landscape.training.augmentation.settings import AugmentSettings
from landscape.training.sam.settings import SamSettings
from landscape.training.scale.settings import ScaleSettings
from landscape.training.schedules import learning_rate
from landscape.training.tasks.settings import TaskSettings

# What --lr and --weight-decay default to, by optimizer.
OPTIMIZER_DEFAULTS = {"adamw": (1e-3, 0.1), "sgd": (0.1, 5e-4)}


@dataclass(frozen=True)
class OptimizerSettings:
    """The base optimizer, its schedule, and which weights are kept."""

    opt: str = option("adamw", "base optimizer", choices=tuple(OPTIMIZER_DEFAULTS))
    epochs: int = option(20, "passes over the training data", metavar="N")
    batch_size: int = option(
        64, "samples a step, over all processes together", short="-b", metavar="N"
    )
    lr: float | None = option(
        None, "peak learning rate (default: 0.001 for adamw, 0.1 for sgd)", parse=float
    )
    weight_decay: float | None = option(
        None,
        "decay of kernels, but not of biases, norms, position and class embeddings "
        "(default: 0.1 for adamw, decoupled; 0.0005 for sgd)",
        parse=float,
    )
    momentum: float = option(0.9, "momentum of sgd")
    nesterov: bool = option(False, "sgd: Nesterov's momentum, as in google-research/sam")
    warmup_epochs: float = option(2.0, "epochs of linear warm-up from 0", metavar="N")
    warmup_steps: int | None = option(
        None, "steps of linear warm-up, instead of --warmup-epochs", parse=int, metavar="N"
    )
    schedule: str = option(
        "cosine", "learning rate after warm-up", choices=("cosine", "linear", "constant")
    )
    clip: float = option(
        0.0, "clip the gradient to this norm before a step; 0: don't", metavar="NORM"
    )
    seed: int = option(0, "seed of initial weights, order of samples, augmentation and dropout")
    save_every: int = option(
        0,
        "keep the weights of every Nth epoch, the initial and the last in RUN/epochs; 0: don't",
        metavar="N",
    )
    device: str = option("auto", "auto, cpu, cuda or cuda:N")

    def __post_init__(self) -> None:
        """Raise InputError for invalid values."""
        check_choices(self)
        positive = {"epochs": self.epochs, "batch_size": self.batch_size, "lr": self.lr}
        for name, value in positive.items():
            if value is not None and not 0 < value < math.inf:
                raise InputError(f"--{name.replace('_', '-')} has to be positive, got {value}")
        refuse_negative(self, "weight_decay", "warmup_epochs", "warmup_steps", "clip")
        refuse_negative(self, "save_every")
        if not 0 <= self.momentum < 1:
            raise InputError(f"--momentum has to be at least 0 and below 1, got {self.momentum}")
        if self.nesterov and (self.opt != "sgd" or self.momentum == 0):
            given = f"--momentum {self.momentum:g}" if self.opt == "sgd" else f"--opt {self.opt}"
            raise InputError(
                f"--nesterov is a kind of momentum of sgd, got {given}; leave --nesterov out, or "
                "pass --opt sgd and a --momentum above 0"
            )
        check_numbers(self)

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
        """Whether the weights after ``epoch`` are kept; 0 is the initial network."""
        if self.save_every == 0:
            return False
        return epoch % self.save_every == 0 or epoch == self.epochs

    def rate_at(self, step: int, steps_per_epoch: int) -> float:
        """The learning rate at ``step``, counted from 0 over the whole run."""
        warmup = self.warmup_steps
        if warmup is None:
            warmup = round(self.warmup_epochs * steps_per_epoch)
        return learning_rate(
            step,
            peak=self.peak_lr,
            warmup=warmup,
            total=self.epochs * steps_per_epoch,
            schedule=self.schedule,
        )


@dataclass(frozen=True)
class TrainSettings(OptimizerSettings, SamSettings, TaskSettings, AugmentSettings, ScaleSettings):
    """How a model is trained.

    Every random draw of a training is a function of ``seed``, epoch and step.

    Raises:
        InputError: Values are invalid, or exclude each other.

    Example:
        >>> TrainSettings(opt="sgd", epochs=10, rho=0.05, sam="gsam").peak_lr
        0.1
    """

    def __post_init__(self) -> None:
        """Raise InputError for values that are invalid, each or together."""
        for section in SECTIONS.values():
            section.__post_init__(self)
        if self.accumulate > self.batch_size:
            raise InputError(
                f"--accumulate {self.accumulate} divides a batch into more parts than its "
                f"{self.batch_size} samples; lower it to --batch-size or less"
            )
        if self.task == "contrastive":
            excluded = {
                "--accumulate": self.accumulate > 1,
                "--sam-batch": self.sam_batch > 0,
                "--mixup": self.mixup > 0,
            }
            for flag in [flag for flag, is_given in excluded.items() if is_given]:
                raise InputError(
                    f"--task contrastive compares all samples of a batch with each other, so it "
                    f"takes no {flag}; leave {flag} out"
                )
        if self.task == "adversarial" and self.mixup:
            raise InputError(
                "--task adversarial attacks the class of a picture, so it takes no --mixup; leave "
                "--mixup out"
            )

    def radius_at(self, step: int, steps_per_epoch: int) -> float:
        """SAM's rho at ``step``, counted from 0 over the whole run; 0 for a plain step."""
        share = self.rate_at(step, steps_per_epoch) / self.peak_lr
        return self.rho_at(step, steps_per_epoch, self.epochs * steps_per_epoch, share)


# The settings by topic: the sections of --help.
SECTIONS: dict[str, Any] = {
    "training": OptimizerSettings,
    "sharpness-aware minimisation": SamSettings,
    "task": TaskSettings,
    "augmentation": AugmentSettings,
    "scale": ScaleSettings,
}

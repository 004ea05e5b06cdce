"""The settings of the task: what is learned, from which weights, on how much of the data."""

import math
from dataclasses import dataclass

from landscape.errors import InputError
from landscape.runtime.choices import TRAINING_LOSSES
from landscape.runtime.options import check_choices, check_numbers, option


@dataclass(frozen=True)
class TaskSettings:
    """The task; ``attack`` is used by adversarial training, ``temperature`` by contrastive."""

    task: str = option(
        "supervised",
        "supervised; adversarial: fast adversarial training (Wong et al. 2020); contrastive: "
        "supervised contrastive pre-training (Khosla et al. 2020), to be followed by --init and "
        "--train head",
        choices=("supervised", "adversarial", "contrastive"),
    )
    loss: str = option(
        "softmax",
        "cross-entropy after softmax, or after a sigmoid for each class, summed over classes",
        choices=TRAINING_LOSSES,
    )
    attack: float = option(
        4.0, "adversarial: radius of the l-infinity ball, in 255ths of a pixel", metavar="RADIUS"
    )
    temperature: float = option(0.1, "contrastive: temperature of the similarities")
    init: str = option(
        "",
        "start from the weights of a run or checkpoint file; the head is drawn anew for another "
        "number of classes, position embeddings are resampled for another size",
        metavar="CHECKPOINT",
    )
    weights_key: str = option(
        "",
        "where the weights are in the --init file, with dots for nested keys (default: wherever "
        "weights fit the model, averaged ones (EMA) first; a message says which)",
        metavar="KEY",
    )
    train: str = option(
        "all",
        "train all weights, or only the head of a frozen network",
        choices=("all", "head"),
    )
    train_fraction: float = option(
        1.0, "train on this share of the data, drawn class by class with --seed", metavar="SHARE"
    )

    def __post_init__(self) -> None:
        """Raise InputError for invalid values."""
        check_choices(self)
        if not 0 < self.train_fraction <= 1:
            raise InputError(
                f"--train-fraction has to be above 0 and at most 1, got {self.train_fraction}"
            )
        for name, value in {"attack": self.attack, "temperature": self.temperature}.items():
            if not 0 < value < math.inf:
                raise InputError(f"--{name} has to be positive, got {value}")
        if self.weights_key and not self.init:
            raise InputError(
                "--weights-key says what to take from the --init file; give --init too"
            )
        if self.train == "head" and self.task == "contrastive":
            raise InputError("--task contrastive trains all but the head; leave --train out")
        check_numbers(self)

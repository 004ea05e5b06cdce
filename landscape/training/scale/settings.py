"""The settings of how a training is carried out."""

from dataclasses import dataclass

from landscape.errors import InputError
from landscape.runtime.options import check_choices, check_numbers, option, refuse_negative


@dataclass(frozen=True)
class ScaleSettings:
    """What changes the time and memory of a training, and its numbers by rounding alone."""

    precision: str = option(
        "fp32",
        "arithmetic of forward and backward passes; weights and updates stay in fp32",
        choices=("fp32", "tf32", "bf16"),
    )
    compile: bool = option(False, "compile the model with torch.compile")
    channels_last: bool = option(
        True, "store pictures and convolution kernels with the channels last"
    )
    accumulate: int = option(
        1, "divide a batch into N parts that pass one after the other, to save memory", metavar="N"
    )
    recompute: bool = option(
        False,
        "save memory by computing blocks again in the backward pass (activation checkpointing)",
    )
    ema: float = option(
        0.0,
        "keep an exponential moving average of the weights in RUN/ema.pt; 0: don't",
        metavar="DECAY",
    )
    save_minutes: float = option(
        15.0, "also save within epochs, at this interval; 0: don't", metavar="MINUTES"
    )
    tensorboard: bool = option(False, "also write curves for TensorBoard to RUN/tensorboard")

    def __post_init__(self) -> None:
        """Raise InputError for invalid values."""
        check_choices(self)
        if self.accumulate < 1:
            raise InputError(f"--accumulate has to be positive, got {self.accumulate}")
        if not 0 <= self.ema < 1:
            raise InputError(f"--ema has to be at least 0 and below 1, got {self.ema}")
        refuse_negative(self, "save_minutes")
        check_numbers(self)

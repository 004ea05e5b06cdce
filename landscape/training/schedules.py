"""The learning rate as a function of the step."""

import math


def learning_rate(step: int, *, peak: float, warmup: int, total: int, schedule: str) -> float:
    """The rate of step 0, 1, ... ``total`` - 1.

    It rises linearly over the first ``warmup`` steps and reaches ``peak`` at step ``warmup``;
    then it falls to 0 at ``total`` along half a cosine or a line, or stays.
    """
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    return peak * decay((step - warmup) / max(total - warmup, 1), schedule)


def decay(progress: float, schedule: str) -> float:
    """From 1 at ``progress`` 0 to 0 at 1 along half a ``cosine`` or a line; else 1."""
    if schedule == "cosine":
        return 0.5 * (1 + math.cos(math.pi * progress))
    if schedule == "linear":
        return 1 - progress
    return 1.0

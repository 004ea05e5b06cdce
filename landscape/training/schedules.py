"""Schedules: the learning rate as a function of the step."""

import math


def learning_rate(step: int, *, peak: float, warmup: int, total: int, schedule: str) -> float:
    """The learning rate at a step.

    It rises linearly over the first ``warmup`` steps and reaches ``peak`` at step ``warmup``. Then
    it falls to 0 at step ``total``, along half a cosine or a line, or stays constant.

    Args:
        step: From 0 to ``total`` - 1.
        peak: The learning rate after warm-up.
        warmup: The number of warm-up steps.
        total: The number of steps of the whole run.
        schedule: ``cosine``, ``linear`` or ``constant``.
    """
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    return peak * decay((step - warmup) / max(total - warmup, 1), schedule)


def decay(progress: float, schedule: str) -> float:
    """A factor that falls from 1 at ``progress`` 0 to 0 at 1, or stays 1 if ``constant``."""
    if schedule == "cosine":
        return 0.5 * (1 + math.cos(math.pi * progress))
    if schedule == "linear":
        return 1 - progress
    return 1.0

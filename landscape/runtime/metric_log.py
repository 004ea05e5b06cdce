"""Passing metrics on to a logger of any kind, such as those of Lightning, wandb or MLflow."""

import logging
import math
from collections.abc import Callable, Mapping
from inspect import Parameter, signature
from typing import Any

from landscape.errors import InputError
from landscape.runtime.random_state import preserved_random_state

LOGGER = logging.getLogger(__name__)

# How loggers call the method that takes a mapping of metrics.
_METHODS = ("log_dict", "log_metrics", "log")


class MetricLog:
    """Passes metrics to a logger.

    The global random states are the same after it. A logger that fails at its first metrics fails
    the caller; a later failure is a warning, and the training goes on.

    Args:
        logger: Has a method ``log_dict(metrics, step)``, ``log_metrics(metrics, step)`` or
            ``log(metrics, step)``, or is a function of the two. Of several such methods the first
            that has a parameter ``step`` is called. One that takes no number of a step, such as
            ``LightningModule.log_dict``, gets the metrics alone. None logs nothing.

    Raises:
        InputError: The logger has no such method and can't be called.

    Example:
        >>> log = MetricLog(lambda metrics, step: print(step, metrics))
        >>> log.write({"epoch": 3, "loss": 0.5, "lr": math.nan})
        3 {'loss': 0.5}
    """

    def __init__(self, logger: Any) -> None:
        self._name = type(logger).__name__
        self._method = None if logger is None else _method_of(logger)
        self._has_written = False

    def write(self, row: Mapping[str, float]) -> None:
        """Log a row of metrics.csv: the step is its epoch, and nan is what was not measured."""
        if self._method is None:
            return
        call, takes = self._method
        metrics = {
            name: float(value)
            for name, value in row.items()
            if name != "epoch" and not math.isnan(value)
        }
        step = int(row["epoch"])
        try:
            with preserved_random_state():
                if takes == "keyword":
                    call(metrics, step=step)
                elif takes == "second":
                    call(metrics, step)
                else:
                    call(metrics)
        except Exception as error:  # whatever a logger raises
            if not self._has_written:
                raise
            LOGGER.warning(f"{self._name} does not take the metrics of {step}: {error}")
        self._has_written = True


def _method_of(logger: Any) -> tuple[Callable[..., Any], str]:
    """What is called with the metrics, and how it takes the step."""
    methods = [getattr(logger, name, None) for name in _METHODS]
    calls = [method for method in methods if callable(method)]
    if not calls and callable(logger):
        calls = [logger]
    if not calls:
        raise InputError(
            f"log has to be a function of (metrics, step), or a logger with one of the methods "
            f"{', '.join(_METHODS)}; got {type(logger).__name__}"
        )
    taken = [_takes_step(call) for call in calls]
    best = taken.index("keyword") if "keyword" in taken else 0
    return calls[best], taken[best]


def _takes_step(call: Callable[..., Any]) -> str:
    """How a function takes the number of the step: by ``keyword``, as its ``second``, or not."""
    try:
        parameters = signature(call).parameters
    except ValueError:  # some functions written in C have none
        return "second"
    if "step" in parameters:
        return "keyword"
    by_place = [
        parameter
        for parameter in parameters.values()
        if parameter.kind in (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    ]
    if any(p.kind is Parameter.VAR_POSITIONAL for p in parameters.values()):
        return "second"
    is_required = len(by_place) > 1 and by_place[1].default is Parameter.empty
    return "second" if is_required else ""

"""What an objective was asked for: checks of its options, and the choice of its loss."""

from collections.abc import Mapping, Sequence
from typing import Any

from landscape.data.batches import Batch
from landscape.errors import InputError
from landscape.objective.criterion import Criterion, Step, Weight
from landscape.objective.losses import LossFunction, default_loss
from landscape.objective.model_call import is_labelled, loss_of_model
from landscape.results.value_names import check_names

BATCHINGS = ("samples", "whole")


def check_options(
    loss: Any,
    step: Any,
    metrics: Mapping[str, LossFunction] | None,
    batching: str,
    batch_size: int,
    samples: int,
    extra_splits: Mapping[str, Any] | None,
    origin: Mapping[str, Any] | None,
) -> None:
    """Raise InputError for options of an objective that exclude each other or make no sense."""
    if loss is not None and step is not None:
        raise InputError("pass either loss=f(outputs, targets) or step=f(model, batch), not both")
    for name, function in (("loss", loss), ("step", step)):
        if isinstance(function, type):
            raise InputError(
                f"{name} has to be a function, got the class {function.__name__}; make an "
                f"instance of it: {function.__name__}()"
            )
        if function is not None and not callable(function):
            raise InputError(f"{name} has to be a function, got {type(function).__name__}")
    if step is not None and metrics:
        raise InputError("metrics take (outputs, targets), which step=f(model, batch) hides")
    if batching not in BATCHINGS:
        raise InputError(f"batching has to be {' or '.join(BATCHINGS)}, got {batching!r}")
    if batch_size < 0:
        raise InputError(f"the batch size has to be at least 1, or 0 (auto), got {batch_size}")
    if samples < 0:
        raise InputError(f"samples has to be at least 1, or 0 (all), got {samples}")
    check_names(metrics, extra_splits, origin)


def choose_criterion(
    loss: LossFunction | None, step: Step | None, weight: Weight | None, batches: Sequence[Batch]
) -> Criterion:
    """The loss asked for; else the model's own for labelled dicts, or the one of the targets."""
    if loss is None and step is None:
        is_own = is_labelled(batches[0].inputs)
        loss = loss_of_model if is_own else default_loss(batches[0].targets)
    return Criterion(loss, step, weight)

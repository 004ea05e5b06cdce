"""What the provenance of a result says about the function that was evaluated."""

from collections.abc import Mapping, Sequence
from typing import Any

from landscape.data.batches import Batch
from landscape.objective.criterion import Criterion
from landscape.objective.losses import LossFunction
from landscape.results.hashing import hash_batches
from landscape.results.result import plain


def describe_origin(
    origin: Mapping[str, Any],
    criterion: Criterion,
    precision: str,
    metrics: Mapping[str, LossFunction],
    extra_splits: Mapping[str, Sequence[Batch]],
    switched_off: Sequence[str],
) -> dict[str, Any]:
    """The caller's ``origin`` as JSON types, with the loss and what is evaluated besides it.

    ``precision`` is recorded where it differs from that of the weights. ``switched_off`` is what
    the caller had switched on and the measurement is made without, such as autocast.
    """
    facts: dict[str, Any] = plain({"loss": criterion.name, **origin})
    if switched_off:
        facts["switched_off"] = list(switched_off)
    if precision not in ("fp32", "fp64"):
        facts["evaluation"] = precision
    if metrics:
        facts["metrics"] = list(metrics)
    if extra_splits:
        facts["others"] = {split: hash_batches(batches) for split, batches in extra_splits.items()}
    return facts

"""What the provenance of a result says about the function that was evaluated."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from landscape.data.batches import Batch
from landscape.objective.criterion import Criterion
from landscape.objective.losses import LossFunction
from landscape.objective.reductions import is_logarithmic
from landscape.results.code import describe_function, describe_network
from landscape.results.hashing import hash_batches
from landscape.results.result import plain


def describe_origin(
    origin: Mapping[str, Any],
    model: nn.Module,
    criterion: Criterion,
    precision: str,
    metrics: Mapping[str, LossFunction],
    extra_splits: Mapping[str, Sequence[Batch]],
) -> dict[str, Any]:
    """The caller's ``origin`` as JSON types, with the loss and what is evaluated besides it.

    ``precision`` is recorded where it differs from that of the weights. ``code`` has hashes of what
    is computed; where the caller knows the files of a function, these are hashed in its place.
    """
    facts: dict[str, Any] = plain({"loss": criterion.name, **origin})
    facts["loss_unit"] = "nats" if is_logarithmic(criterion.loss) else ""
    facts["code"] = _code(model, criterion, metrics, facts)
    if precision not in ("fp32", "fp64"):
        facts["evaluation"] = precision
    if metrics:
        facts["metrics"] = list(metrics)
    if extra_splits:
        facts["others"] = {split: hash_batches(batches) for split, batches in extra_splits.items()}
    return facts


def _code(
    model: nn.Module,
    criterion: Criterion,
    metrics: Mapping[str, LossFunction],
    facts: Mapping[str, Any],
) -> dict[str, dict[str, str]]:
    """What the functions of an objective compute, by the names of its arguments.

    A model that has a name is described by that and by its sizes.
    """
    functions = {
        **{name: getattr(criterion, name) for name in ("loss", "step", "weight")},
        **{f"metric {name}": metric for name, metric in metrics.items()},
    }
    known: Mapping[str, dict[str, str]] = facts.get("code") or {}
    code = {
        role: known.get(role) or describe_function(function)
        for role, function in functions.items()
        if function is not None
    }
    if not facts.get("model"):
        code["model"] = describe_network(model)
    return {**known, **code}

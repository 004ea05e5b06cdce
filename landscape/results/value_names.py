"""The names of what is evaluated at a point, which are those of arrays in results."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from landscape.errors import InputError

OF_EACH_SPLIT = ("loss", "acc", "loss_stderr")
EIGENVALUES = ("min_eig", "max_eig", "eig_residual")


def is_of_a_loss(name: str) -> bool:
    """Whether a value is a loss or its sampling error, whose errors are relative if it is > 0."""
    return "_loss" in name


def value_names(splits: Iterable[str], metrics: Iterable[str]) -> list[str]:
    """The names of the loss, accuracy, sampling error and metrics of each split, in order.

    Raises:
        InputError: two of them are the same, or those of metrics read as those of another split.
    """
    splits, metrics = list(splits), list(metrics)
    for metric in metrics:
        if not metric or "/" in metric:
            raise InputError(f"a metric has to have a name without /, got {metric!r}")
        if metric in OF_EACH_SPLIT:
            raise InputError(f"a metric can't be called {metric}, as results do theirs; rename it")
    for metric in metrics:
        stem = metric.removesuffix("_loss")
        if stem != metric and f"{stem}_acc" in metrics:
            raise InputError(
                f"metrics called {metric} and {stem}_acc would read as those of a split; rename one"
            )
    names = [f"{split}_{value}" for split in splits for value in (*OF_EACH_SPLIT, *metrics)]
    twice = [name for name, count in Counter([*names, *EIGENVALUES]).items() if count > 1]
    if twice:
        raise InputError(
            f"two values would be called {twice[0]} (splits {', '.join(splits)}; metrics "
            f"{', '.join(metrics) or 'none'}); rename a split or a metric"
        )
    return names


def check_names(
    metrics: Mapping[str, Any] | None,
    extra_splits: Mapping[str, Any] | None,
    origin: Mapping[str, Any] | None,
) -> None:
    """Check the names that an objective is given for metrics and further splits.

    Raises:
        InputError: a name is taken, such as that of the split that the data themselves are of.
    """
    split = str((origin or {}).get("split", "train"))
    measured = "test" if split == "val" else split
    extra = extra_splits or {}
    if measured in extra:
        raise InputError(
            f"extra_splits can't have {measured!r}, which is what the measured data are called; "
            "pass origin={'split': 'test'} for data that were held out, or rename it"
        )
    value_names([measured, *extra], metrics or {})

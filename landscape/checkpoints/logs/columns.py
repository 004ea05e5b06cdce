"""The columns of training logs by the names that this project has for them."""

import math
import re
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Columns = dict[str, NDArray[np.float64]]

# What others call a column, after lower case and with _ for every other sign. The first one that
# a log has is taken.
ALIASES: Mapping[str, Sequence[str]] = {
    "train_loss": ("train_loss_epoch", "train_loss", "training_loss", "loss_epoch", "loss"),
    "val_loss": ("val_loss", "valid_loss", "validation_loss", "eval_loss"),
    "lr": ("lr", "learning_rate"),
}
ACCURACIES: Mapping[str, Sequence[str]] = {
    "train_accuracy": (
        *("train_accuracy_epoch", "train_acc_epoch", "train_accuracy", "train_acc", "train_top1"),
        *("training_accuracy", "accuracy", "acc"),
    ),
    "val_accuracy": tuple(
        f"{split}_{name}"
        for split in ("val", "valid", "validation", "eval")
        for name in ("accuracy", "acc", "top1", "acc1", "accuracy_top_1")
    ),
}


def by_our_names(columns: Mapping[str, NDArray[np.float64]]) -> Columns:
    """The columns of a log under the names of metrics.csv, as far as they have one there.

    Accuracies become percent: one that never exceeds 1 is a share, but for the ``top1`` of timm,
    which is percent always. The training error is what lacks of the training accuracy.
    """
    plain = {re.sub(r"\W+", "_", name).strip("_").lower(): name for name in columns}
    if "lr" not in plain and "learning_rate" not in plain:
        rates = sorted(name for name in plain if name.startswith("lr_"))
        if rates:
            plain["lr"] = plain[rates[0]]
    renamed: Columns = {}
    used: set[str] = set()
    for known, scale in ((ALIASES, False), (ACCURACIES, True)):
        for ours, names in known.items():
            theirs = next((name for name in names if name in plain), None)
            if theirs is None:
                continue
            used.add(plain[theirs])
            values = columns[plain[theirs]]
            renamed[ours] = _percent(values) if scale and "top1" not in theirs else values
    rest = {name: columns[theirs] for name, theirs in plain.items() if theirs not in used}
    renamed = {**{name: values for name, values in rest.items() if name not in renamed}, **renamed}
    if "train_error" not in renamed and "train_accuracy" in renamed:
        renamed["train_error"] = 100.0 - renamed["train_accuracy"]
    return renamed


def merge_rows(rows: Sequence[Mapping[str, float]], key: str, means: bool) -> Columns:
    """Put rows of one epoch or step together, for logs in which each row has a part of it.

    Args:
        rows: Some of the columns each; nan is no value.
        key: The column that says which rows belong together.
        means: Whether training columns are averaged over the rows of a key; all others, and all
            without ``means``, are the last value.

    Returns:
        The columns, a value for each value of ``key`` in ascending order; nan where there is none.
    """
    gathered: dict[float, dict[str, list[float]]] = {}
    for row in rows:
        place = row.get(key, math.nan)
        if math.isnan(place):
            continue
        values = gathered.setdefault(place, {})
        for name, value in row.items():
            if not math.isnan(value):
                values.setdefault(name, []).append(value)
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {}
    for name in names:
        is_mean = means and re.match(r"train|loss|acc", name, re.I) is not None
        column = []
        for place in sorted(gathered):
            values_of = gathered[place].get(name)
            if values_of is None:
                column.append(math.nan)
            else:
                column.append(float(np.mean(values_of)) if is_mean else values_of[-1])
        columns[name] = np.array(column)
    return {name: values for name, values in columns.items() if not np.isnan(values).all()}


def _percent(values: NDArray[np.float64]) -> NDArray[np.float64]:
    is_share = values.size > 0 and np.nanmax(values) <= 1.0
    return 100.0 * values if is_share else values

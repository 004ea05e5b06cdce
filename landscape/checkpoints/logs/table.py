"""Logs that are a table: summary.csv of timm, metrics.csv of Lightning, and others like them.

Lightning writes a row whenever something is logged, with the other columns empty; the rows of an
epoch are put together.
"""

import csv
import math
from bisect import bisect_left
from pathlib import Path

from landscape.checkpoints.logs.columns import Columns, merge_rows
from landscape.errors import InputError


def read_table(file: Path) -> Columns:
    """The columns of a CSV file by epoch, or by step where it has no epochs.

    Raises:
        InputError: It is damaged, or has neither an epoch nor a step column.
    """
    try:
        with file.open(newline="") as lines:
            rows = [
                {name: _number(value) for name, value in row.items() if name}
                for row in csv.DictReader(lines)
            ]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{file} is damaged: {error}") from error
    names = {name for row in rows for name in row}
    if not rows or not {"epoch", "step"} & names:
        raise InputError(
            f"{file} is no training log: expected a header with epoch or step, and rows below it"
        )
    key = "epoch" if "epoch" in names else "step"
    if {"epoch", "step"} <= names:
        _fill_epochs(rows)
    columns = merge_rows(rows, key, means=key == "epoch")
    if key not in columns:
        raise InputError(f"{file} has no numbers in its {key} column")
    return {"epoch": columns[key], **columns}


def is_log(file: Path) -> bool:
    """Whether a file's name is followed by what a log of its kind starts with.

    Other programs write a summary.csv, too; only a table's header tells.
    """
    if file.suffix != ".csv":
        return True
    try:
        with file.open(newline="") as lines:
            header = next(csv.reader(lines), [])
    except (OSError, UnicodeDecodeError, csv.Error):
        return True  # damaged, which reading says
    return bool({"epoch", "step"} & set(header))


def _fill_epochs(rows: list[dict[str, float]]) -> None:
    """Give rows without an epoch that of the first row at or after their step that has one."""
    known = sorted((row["step"], row["epoch"]) for row in rows if not _lacks(row, "epoch", "step"))
    steps = [step for step, _ in known]
    for row in rows:
        if known and _lacks(row, "epoch") and not _lacks(row, "step"):
            place = bisect_left(steps, row["step"])
            row["epoch"] = known[min(place, len(known) - 1)][1]


def _lacks(row: dict[str, float], *names: str) -> bool:
    return any(math.isnan(row.get(name, math.nan)) for name in names)


def _number(text: object) -> float:
    """A cell's number; nan for an empty one, and for a word."""
    try:
        return float(str(text))
    except ValueError:
        return math.nan

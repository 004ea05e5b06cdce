"""metrics.csv: a row of numbers for each epoch, checked when it is read."""

import csv
import io
import math
import re
from pathlib import Path

from landscape.errors import InputError
from landscape.runtime.plain.files import read_text

MOST_BYTES = 64 * 1024**2
ADVICE = (
    "restore it from a copy; or, if last.pt is there, remove it: landscape-train --resume writes "
    "it again"
)

# As Python writes numbers: float() alone would also take 1_000 and digits of other scripts.
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?|nan|[+-]?inf", re.IGNORECASE)
_COLUMN = re.compile(r"[^\W\d][\w./ @()%-]{0,199}")
_NEVER_NEGATIVE = {"lr", "grad_norm", "seconds", "rho", "images_per_second"}
_PERCENT = {"train_error", "val_accuracy"}
_ROUNDING = 0.001  # of a percentage that is a mean in float32
_LARGEST_EPOCH = 2**53  # up to which each whole number is a float


def read_metrics(file: Path) -> list[dict[str, float]]:
    """The rows of a metrics.csv, oldest first.

    Raises:
        FileNotFoundError: It is not there.
        InputError: It is damaged; the message names line and column.
    """
    text = read_text(file, MOST_BYTES)
    try:
        lines = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        raise InputError(f"{file} is damaged: {error}; {ADVICE}") from error
    try:
        if not text.endswith("\n"):
            raise InputError("its last line is cut short")
        return _rows(lines)
    except InputError as error:
        raise InputError(f"{file} is damaged: {error}; {ADVICE}") from error


def _rows(lines: list[list[str]]) -> list[dict[str, float]]:
    columns = lines[0] if lines else []
    wrong = [name for name in columns if not _COLUMN.fullmatch(name) or not name.isprintable()]
    if wrong:
        raise InputError(f"its header has the column {ascii(wrong[0][:40])}, expected names")
    if "epoch" not in columns or len(set(columns)) < len(columns):
        raise InputError("its first line has to name the columns, each once, epoch among them")
    rows: list[dict[str, float]] = []
    for number, cells in enumerate(lines[1:], start=2):
        if not cells:  # an empty line
            continue
        if len(cells) != len(columns):
            raise InputError(f"line {number} has {len(cells)} values for {len(columns)} columns")
        row = {name: _number(cell, name, number) for name, cell in zip(columns, cells, strict=True)}
        before = rows[-1]["epoch"] if rows else -1
        if not before < row["epoch"] <= _LARGEST_EPOCH or row["epoch"] % 1:
            raise InputError(
                f"line {number} is of epoch {row['epoch']:g}, expected a whole number above "
                f"{before:g}"
            )
        rows.append(row)
    return rows


def _number(text: str, column: str, line: int) -> float:
    expected = "a number"
    if _NUMBER.fullmatch(text):
        value = float(text)
        if math.isinf(value) and "inf" not in text.lower():
            expected = "a number that is not too large"
        elif column in _NEVER_NEGATIVE and value < 0:
            expected = "no negative number"
        elif column in _PERCENT and not (
            -_ROUNDING <= value <= 100 + _ROUNDING or math.isnan(value)
        ):
            expected = "percent, from 0 to 100"
        else:
            return value
    raise InputError(f"line {line} has {ascii(text[:40])} for {column}, expected {expected}")

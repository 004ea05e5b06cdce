"""Rows of tables: one for a group of replicates, and the same columns in all."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from analyses.drawing.numbers import NumberText, with_error
from analyses.replicates import Labelled, by_group, group_of

Rows = list[dict[str, str]]

MISSING = "–"


def average_replicates(tables: Mapping[str, Rows], results: Sequence[Labelled]) -> dict[str, Rows]:
    """Replace the rows of replicates by one row for each group, in the place of its first.

    A number becomes mean ± standard deviation over the replicates; a text stays if all have the
    same, and otherwise is a list.

    Args:
        tables: rows by caption; the first cell of a row is the label of a network.
        results: of all networks in these tables.
    """
    groups = {
        result.label: group_of(result.label)
        for members in by_group(results)
        for result in members
        if len(members) > 1
    }
    return {caption: _average(rows, groups) for caption, rows in tables.items()}


def with_same_columns(tables: Mapping[str, Rows]) -> dict[str, Rows]:
    """The tables with every column in every row: those that a row lacks are dashes in it.

    Results that were measured with other settings have other columns, such as losses at other ends.
    """
    return {caption: _completed(rows) for caption, rows in tables.items()}


def _completed(rows: Rows) -> Rows:
    columns = dict.fromkeys(column for row in rows for column in row)
    return [{column: row.get(column, MISSING) for column in columns} for row in rows]


def _average(rows: Rows, groups: Mapping[str, str]) -> Rows:
    by_place: dict[Any, Rows] = {}
    for number, row in enumerate(rows):
        label = next(iter(row.values()), "")
        by_place.setdefault(groups.get(label, number), []).append(row)
    return [_combined(rows, groups) if len(rows) > 1 else rows[0] for rows in by_place.values()]


def _combined(rows: Rows, groups: Mapping[str, str]) -> dict[str, str]:
    first_column = next(iter(rows[0]))
    title = f"{groups[rows[0][first_column]]}, mean ± SD of {len(rows)} runs"
    columns = dict.fromkeys(column for row in rows for column in row)
    return {
        column: title
        if column == first_column
        else _cell([row.get(column, MISSING) for row in rows])
        for column in columns
    }


def _cell(texts: Sequence[str]) -> str:
    numbers = [text for text in texts if isinstance(text, NumberText)]
    values = [text.value for text in numbers]
    is_alike = len(numbers) == len(texts) and len({text.form for text in numbers}) == 1
    if is_alike and len(values) > 1 and len(set(values)) == 1:
        return f"{texts[0]} in each"  # as of numbers that depend on no training
    if is_alike and all(map(math.isfinite, values)):
        mean = with_error(statistics.fmean(values), statistics.stdev(values))
        return mean.within(numbers[0].form)
    return "; ".join(dict.fromkeys(texts))  # a single text where all are alike

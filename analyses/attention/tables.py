"""The report's table of attention."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from analyses.attention.result import Attention
from analyses.drawing.numbers import NumberText, number, with_error

# How many numbers of pictures a cell lists.
MOST_PICTURES = 12


def tabulate(results: Sequence[Attention]) -> dict[str, list[dict[str, str]]]:
    """One table with a row for each checkpoint."""
    return {"": [_row(result) for result in results]}


def _row(result: Attention) -> dict[str, str]:
    by_layer, errors, class_token = result.by_layer, result.layer_stderr, result.class_entropy[-1]
    dof = result.provenance.num_samples - 1

    def text(mean: float, error: float) -> NumberText:
        return with_error(float(mean), float(error), dof)

    return {
        "checkpoint": result.label,
        "layers": str(len(result.layers)),
        "heads": _range(result.heads),
        "keys": _range(result.keys),
        "mean entropy, nats, ± standard error": text(*result.mean),
        "log(keys)": number(float(result.maximum.mean()), 4),
        "first layer": text(by_layer[0], errors[0]),
        "last layer": text(by_layer[-1], errors[-1]),
        "class token, last layer": (
            text(*class_token) if np.isfinite(class_token[0]) else "none known"
        ),
        "maps": _about_maps(result),
    }


def _range(values: NDArray[np.int64]) -> str:
    low, high = int(values.min()), int(values.max())
    return str(low) if low == high else f"{low} to {high}"


def _about_maps(result: Attention) -> str:
    if result.maps is None:
        return f"none: {result.why_no_maps}"
    indices = [str(index) for index in result.maps.indices]
    more = f" and {len(indices) - MOST_PICTURES} more" if len(indices) > MOST_PICTURES else ""
    return f"of the {result.maps.query}, samples {', '.join(indices[:MOST_PICTURES])}{more}"

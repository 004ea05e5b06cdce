"""The report's table of attention."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from analyses.attention.result import Attention
from analyses.drawing.numbers import number, with_error


def tabulate(results: Sequence[Attention]) -> dict[str, list[dict[str, str]]]:
    """A row of the report for each checkpoint."""
    return {
        "": [
            {
                "checkpoint": one.label,
                "layers": str(len(one.layers)),
                "heads": _range(one.heads),
                "keys": _range(one.keys),
                "mean entropy, nats, ± standard error": with_error(*map(float, one.mean)),
                "log(keys)": number(float(one.maximum.mean()), 4),
                "first layer": with_error(float(one.by_layer[0]), float(one.layer_stderr[0])),
                "last layer": with_error(float(one.by_layer[-1]), float(one.layer_stderr[-1])),
                "class token, last layer": (
                    with_error(*map(float, one.class_entropy[-1]))
                    if np.isfinite(one.class_entropy[-1, 0])
                    else "none known"
                ),
                "maps": _about_maps(one),
            }
            for one in results
        ]
    }


def _range(values: NDArray[np.int64]) -> str:
    low, high = int(values.min()), int(values.max())
    return str(low) if low == high else f"{low} to {high}"


def _about_maps(one: Attention) -> str:
    if one.maps is None:
        return f"none: {one.why_no_maps}"
    places = [str(index) for index in one.maps.indices]
    more = f" and {len(places) - 12} more" if len(places) > 12 else ""
    return f"of the {one.maps.query}, samples {', '.join(places[:12])}{more}"

"""The generated part of docs/cost.md: its tables, out of the formulas and of what was counted."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.cost.cards import table_of_networks, table_of_times
from benchmarks.cost.formulas import COSTS, SYMBOLS, Formula
from benchmarks.cost.large import Simulated
from benchmarks.cost.measuring import Measured, Units

BEGIN = "<!-- cost: begin -->"
END = "<!-- cost: end -->"
SERIES = {"parameters": "parameters", "samples": "samples", "k": "k"}
# A slope is stated where the formula varies by this factor at least.
VARIES = 1.5

PASSES = {
    "forwards": "forwards",
    "gradients": "gradients",
    "inputs": "gradients by inputs",
    "products": "products",
    "blocks": "block products",
    "layers": "layer products",
    "rows": "backward passes alone",
    "along": "second derivatives along a vector",
    "along_blocks": "the same of a block",
}


@dataclass(frozen=True)
class Slope:
    """The log-log slope of counts against a formula over a series, and their largest distance.

    Attributes:
        slope: 1 where the formula has the right form; nan where it hardly varies.
        ratios: count / formula at each size.
    """

    slope: float
    ratios: tuple[float, ...]

    @classmethod
    def of(cls, pairs: Iterable[Sequence[float]]) -> "Slope":
        """The slope over pairs of a count and the formula's number."""
        counted, formula = np.array(list(pairs), dtype=np.float64).T
        ratios = tuple((counted / formula).tolist())
        if formula.max() < VARIES * formula.min():
            return cls(math.nan, ratios)
        return cls(float(np.polyfit(np.log(formula), np.log(counted), 1)[0]), ratios)


def slope_of(measured: Sequence[Measured], units: Sequence[Units], quantity: str) -> Slope | None:
    """That of a quantity over a series of an analysis; None for an empty one."""
    by_width = {each.width: each for each in units}
    pairs = [
        (getattr(each, quantity), each.expected(quantity, by_width[each.width]))
        for each in measured
    ]
    return Slope.of(pairs) if pairs else None


def tables(
    measured: Sequence[Measured], units: Sequence[Units], networks: Sequence[Simulated]
) -> str:
    """All tables with their headings, as Markdown."""
    first, last = units[0], units[-1]
    return "\n\n".join(
        [
            "## Passes through the network",
            _table(
                ["", "k", *PASSES.values()],
                [
                    [name, cost.meaning_of_k or "–", *(_text(getattr(cost, key)) for key in PASSES)]
                    for name, cost in COSTS.items()
                ],
            ),
            "where " + "; ".join(f"{key}: {text}" for key, text in SYMBOLS.items()) + ".",
            "Beside the passes: "
            + "; ".join(
                f"{name} {cost.operations} operations"
                for name, cost in COSTS.items()
                if cost.operations.text != "0"
            )
            + ". `curves` reads a log, with neither network nor data.",
            "## What a pass costs",
            _table(
                ["in forward passes", f"width {first.width}", f"width {last.width}"],
                [
                    [text, *(f"{getattr(each, key) / each.forward:.2f}" for each in (first, last))]
                    for key, text in _UNITS.items()
                ],
            ),
            "## Bytes",
            _table(
                ["", "tensors at the peak, beyond 2·P of the objective", "result file"],
                [[name, _text(cost.peak), _text(cost.file)] for name, cost in COSTS.items()],
            ),
            "## Counted",
            _table(
                [
                    "",
                    "passes",
                    *(f"operations: slope in {word}" for word in SERIES.values()),
                    "operations",
                    *(f"peak: slope in {word}" for word in SERIES.values()),
                    "peak",
                    "file",
                ],
                [_counted(measured, units, name) for name in COSTS],
            ),
            "## Three large networks",
            table_of_networks(networks),
            table_of_times(networks),
        ]
    )  # fmt: skip


_UNITS = {
    "gradient": "gradient",
    "inputs": "gradient by inputs",
    "product": "product through a kept graph",
    "block": "the same with a block of the Hessian, mean over the components",
    "layer_block": "the same with the weights of a dense layer",
    "layer": "the same by a layer's outputs",
    "row": "backward pass of one output alone",
    "along": "second derivative along a vector, in forward mode",
    "block_along": "the same along a vector of a component, mean over the components",
    "layer_block_along": "the same along a vector of the weights of a dense layer",
}


def _counted(measured: Sequence[Measured], units: Sequence[Units], name: str) -> list[str]:
    whole = [each for each in measured if each.analysis == name]
    series = [[each for each in whole if each.varied == varied] for varied in SERIES]

    def slopes(quantity: str) -> list[str]:
        return [_slope_text(slope_of(each, units, quantity)) for each in series]

    def ratios(quantity: str) -> str:
        slope = slope_of(whole, units, quantity)
        return "–" if slope is None else _range(slope.ratios)

    return [
        name,
        ratios("passes"),
        *slopes("operations"),
        ratios("operations"),
        *slopes("peak"),
        ratios("peak"),
        ratios("file"),
    ]


def _slope_text(slope: Slope | None) -> str:
    return "–" if slope is None or math.isnan(slope.slope) else f"{slope.slope:.3f}"


def _range(ratios: Sequence[float]) -> str:
    low, high = f"{min(ratios):.3f}", f"{max(ratios):.3f}"
    return low if low == high else f"{low} to {high}"


def _text(formula: Formula) -> str:
    return "–" if formula.text == "0" else str(formula)


def _table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = ["| " + " | ".join(columns) + " |", "|---|" + "---:|" * (len(columns) - 1)]
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    return "\n".join(lines)


def with_tables(page: str, text: str) -> str:
    """The page with the generated part replaced."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{text}\n\n{END}{after}"

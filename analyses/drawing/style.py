"""The style of all figures: fonts, colours, dashes and the arrangement of panels."""

import itertools
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import matplotlib.style
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

# Okabe and Ito's palette, which readers with any colour vision can tell apart.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DASHES = ("-", "--", "-.", ":")
# The colour map of surfaces and matrices.
MAP = "viridis"

RC: dict[Any, Any] = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "legend.fontsize": 8,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "lines.linewidth": 1.4,
    "legend.frameon": False,
    "savefig.dpi": 200,
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
}

Array = NDArray[np.float64]


@contextmanager
def styled() -> Iterator[None]:
    """Draw in the project's style, and restore the user's style afterwards.

    What a matplotlibrc of the user says (LaTeX, fonts, colours) has no effect: figures are the same
    everywhere.
    """
    with mpl.style.context(["default", RC]):
        yield


def figure(width: float, height: float) -> Figure:
    """An empty figure of that size in inches; pyplot does not know it."""
    return Figure(figsize=(width, height), layout="constrained")


def line_styles(count: int) -> list[dict[str, Any]]:
    """A colour and dash for each of ``count`` curves; the first 28 are distinct."""
    styles = ((dash, colour) for dash in DASHES for colour in COLOURS)
    cycle = itertools.cycle(styles)
    return [{"color": colour, "linestyle": dash} for dash, colour in itertools.islice(cycle, count)]


def grid_shape(count: int) -> tuple[int, int]:
    """Rows and columns for ``count`` panels.

    The columns of an even number of panels are even, too: checkpoints usually come in pairs,
    without SAM and with it, which then are side by side.
    """
    if count <= 3:
        return 1, count
    columns = (2 if count <= 6 else 4) if count % 2 == 0 else 3
    return math.ceil(count / columns), columns

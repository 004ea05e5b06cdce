"""How every figure and table of this project looks."""

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure, FigureBase

from landscape.files import replacing
from landscape.results import Result

# Okabe and Ito's palette, told apart by readers with any colour vision.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DASHES = ("-", "--", "-.", ":")
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

FORMATS = ("png", "pdf", "svg")


@contextmanager
def styled() -> Iterator[None]:
    """Draw in the project's style, whatever the user's own is."""
    with mpl.rc_context(RC):
        yield


def figure(width: float, height: float) -> Figure:
    """An empty figure of that many inches; no global state, no display."""
    return Figure(figsize=(width, height), layout="constrained")


def line_styles(count: int) -> list[dict[str, Any]]:
    """Colour and dash for each of ``count`` curves, distinct for the first 28."""
    styles = ((dash, colour) for dash in DASHES for colour in COLOURS)
    cycle = itertools.cycle(styles)
    return [{"color": colour, "linestyle": dash} for dash, colour in itertools.islice(cycle, count)]


def add_legend(page: FigureBase, handles: Mapping[str, Any], columns: int | None = None) -> None:
    """Name the curves outside of the panels: below them in ``columns``, or else beside them."""
    names = [plain_text(name) for name in handles]
    curves = list(handles.values())
    if columns is None:
        page.legend(curves, names, loc="outside right center")
    else:
        page.legend(curves, names, loc="outside lower center", ncols=min(columns, len(names)))


def plain_text(label: str) -> str:
    """A label as it is: matplotlib would take what stands between dollars for a formula."""
    return label.replace("$", r"\$")


def grid_shape(count: int) -> tuple[int, int]:
    """Rows and columns for ``count`` panels; an even number keeps neighbours side by side.

    The usual order of checkpoints is in pairs, without SAM and with it.
    """
    if count <= 3:
        return 1, count
    columns = (2 if count <= 6 else 4) if count % 2 == 0 else 3
    return math.ceil(count / columns), columns


def save_figures(figures: dict[str, Figure], folder: Path, formats: Iterable[str]) -> list[Path]:
    """Write each figure in each picture format; returns the paths."""
    paths = []
    for name, page in figures.items():
        for extension in (word for word in formats if word in FORMATS):
            path = folder / f"{name}.{extension}"
            with replacing(path) as temporary:
                page.savefig(temporary, format=extension)
            paths.append(path)
    return paths


def with_unit(name: str, results: Sequence[Result], unit: str = "{}") -> str:
    """``name (unit)`` where all results' losses have one unit; ``unit`` says how it enters."""
    units = {result.provenance.loss_unit for result in results}
    shared = units.pop() if len(units) == 1 else ""
    return f"{name} ({unit.format(shared)})" if shared else name


def number(value: float, digits: int = 3) -> str:
    """A value to ``digits`` significant digits, without an exponent where that stays short."""
    if not math.isfinite(value):
        return str(value)
    if value != 0 and not 1e-3 <= abs(value) < 1e5:
        return f"{value:.{digits - 1}e}"
    decimals = digits - 1 - (math.floor(math.log10(abs(value))) if value else 0)
    return f"{value:.{max(decimals, 0)}f}"


def with_error(value: float, error: float) -> str:
    """Value ± error, both to the error's second digit; without an error it says so."""
    if not math.isfinite(error):
        return f"{number(value)} (no error)"
    if error == 0 or not math.isfinite(value):
        return f"{number(value)} ± {number(error)}"
    decimals = max(0, 1 - math.floor(math.log10(error)))
    if decimals > 6 and abs(value) < 1e-3:
        return f"{value:.3e} ± {error:.1e}"
    return f"{value:.{decimals}f} ± {error:.{decimals}f}"

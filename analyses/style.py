"""How every figure and table of this project looks."""

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import matplotlib as mpl
import numpy as np
from matplotlib.axis import Axis
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogFormatter
from numpy.typing import NDArray

from analyses.lettering import fit_names
from landscape.errors import InputError
from landscape.files import replacing
from landscape.options import option
from landscape.provenance import Provenance

# Okabe and Ito's palette, told apart by readers with any colour vision.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DASHES = ("-", "--", "-.", ":")
MAP = "viridis"

# Beyond this ratio of largest to smallest loss a linear scale shows the walls and nothing else.
LOG_RATIO = 10.0

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

FORMATS = ("png", "pdf", "svg")


@dataclass(frozen=True)
class Look:
    """How surfaces and lines are shown."""

    scale: str = option(
        "auto",
        "of the loss; auto: log where the losses span more than a factor of ten",
        choices=("auto", "log", "linear"),
    )
    zmin: float | None = option(None, "lowest loss that is told apart", parse=float)
    zmax: float | None = option(None, "highest loss that is told apart", parse=float)

    def __post_init__(self) -> None:
        """Raise InputError for an empty range."""
        if self.zmin is not None and self.zmax is not None and not self.zmin < self.zmax:
            raise InputError(f"--zmin has to be less than --zmax, got {self.zmin} and {self.zmax}")
        if self.scale == "log" and any(
            end is not None and end <= 0 for end in (self.zmin, self.zmax)
        ):
            raise InputError("--scale log needs --zmin and --zmax above 0")


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
        fit_names(page)
        for extension in (word for word in formats if word in FORMATS):
            path = folder / f"{name}.{extension}"
            with replacing(path) as temporary:
                page.savefig(temporary, format=extension)
            paths.append(path)
    return paths


def shared_scale(
    losses: Sequence[Array], look: Look | None = None, count: int = 16
) -> tuple[Normalize, Array]:
    """One colour scale and contour levels for all; logarithmic if the losses ask for it."""
    look = look or Look()
    values = np.concatenate([loss[np.isfinite(loss)] for loss in losses])
    if values.size == 0:
        return Normalize(0.0, 1.0), np.linspace(0.0, 1.0, count)
    low = float(values.min()) if look.zmin is None else look.zmin
    high = float(values.max()) if look.zmax is None else look.zmax
    if high - low <= 1e-6 * max(abs(low), abs(high)):  # flat, but for rounding
        margin = max(0.5, 1e-3 * abs(low))
        low, high = low - margin, high + margin
    if low > 0 and (look.scale == "log" or (look.scale == "auto" and high / low > LOG_RATIO)):
        return LogNorm(low, high), np.geomspace(low, high, count)
    return Normalize(low, high), np.linspace(low, high, count)


def is_logarithmic(losses: Sequence[Array], look: Look | None = None) -> bool:
    """Whether these losses are shown on a logarithmic scale."""
    return isinstance(shared_scale(losses, look)[0], LogNorm)


def plain_log_ticks(axis: Axis) -> None:
    """A logarithmic axis with numbers as people write them, also where it spans no decade."""
    axis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
    axis.set_minor_formatter(LogFormatter(labelOnlyBase=False, minor_thresholds=(1.5, 0.6)))
    low, high = sorted(axis.get_view_interval())
    if high < 12 * low:
        axis.set_minor_formatter(FuncFormatter(lambda v, _: f"{v:g}"))


class HasProvenance(Protocol):
    """A result, as far as it says what was measured."""

    @property
    def provenance(self) -> Provenance:
        """What was measured, on what, with what."""


def with_unit(name: str, results: Sequence[HasProvenance], unit: str = "{}") -> str:
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


def short_number(value: float) -> str:
    """Two significant digits, without an exponent where that stays short: a contour's label."""
    return f"{float(f'{value:.2g}'):g}"


def with_error(value: float, error: float) -> str:
    """Value ± error, both to the error's second digit; without an error it says so."""
    if not math.isfinite(error):
        return f"{number(value)} (no error)"
    if error == 0 or not math.isfinite(value):
        return f"{number(value)} ± {number(error)}"
    if abs(value) >= 1e5 and error >= 1:
        power = math.floor(math.log10(abs(value)))
        return f"({with_error(value / 10**power, error / 10**power)})e{power}"
    decimals = max(0, 1 - math.floor(math.log10(error)))
    if decimals > 6 and abs(value) < 1e-3:
        return f"{value:.3e} ± {error:.1e}"
    return f"{value:.{decimals}f} ± {error:.{decimals}f}"


def with_residual(value: float, residual: float, converged: bool, error: float = math.nan) -> str:
    """The value with its relative residual: ± ``error``, or where that is not known with as many
    digits as are certain, five at most."""
    certain = 1 - math.floor(math.log10(residual)) if 0 < residual < 1 else 2
    digits = max(2, min(5, certain)) if residual else 5
    plain = number(value, digits) if math.isnan(error) else with_error(value, error)
    shown = f"{plain} ({residual:.0e})"
    return shown if converged else f"{shown}, not converged"

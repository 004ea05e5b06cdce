"""The style of all figures: fonts, colours, dashes and the arrangement of panels."""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import matplotlib as mpl
import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from numpy.typing import NDArray

# Okabe and Ito's palette, which readers with any colour vision can tell apart: the tests measure
# that.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DASHES = ("-", "--", "-.", ":")
# The colour map of surfaces and matrices, which is as legible to them.
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
    "pgf.rcfonts": False,  # the fonts of the document that includes the picture
}
# Of its usual height, what a page of another width keeps at least: texts stay as large as they are.
LOWEST = 0.75

Array = NDArray[np.float64]


@dataclass(frozen=True)
class UserStyle:
    """What the user says about pictures, over the project's style.

    Attributes:
        settings: of a style sheet, by matplotlib's names.
        width: of every picture in inches; without it each has its own.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    width: float | None = None


_PROJECT_STYLE = UserStyle()
_USER_STYLE = ContextVar("user_style", default=_PROJECT_STYLE)


# What takes the place of a figure that is made; None for the figure itself.
_REPLACES: ContextVar[Callable[[Figure], Any] | None] = ContextVar("replaces", default=None)


class Page(Figure):
    """A figure that knows the size that it was designed for.

    Attributes:
        usual_size: width and height in inches, which ``--width`` has changed.
    """

    usual_size: tuple[float, float] = (0.0, 0.0)


@contextmanager
def user_style(style: UserStyle) -> Iterator[None]:
    """Let what is :func:`styled` within have the user's style over the project's."""
    before = _USER_STYLE.set(style)
    try:
        yield
    finally:
        _USER_STYLE.reset(before)


@contextmanager
def styled() -> Iterator[None]:
    """Draw in the project's style, and restore matplotlib's afterwards.

    What a matplotlibrc of the user says (LaTeX, fonts, colours) has no effect: figures are the same
    everywhere, unless a style sheet is named (:func:`user_style`).
    """
    user = _USER_STYLE.get()
    # A bounding box around what is drawn would change the width.
    exact: dict[Any, Any] = {} if user.width is None else {"savefig.bbox": None}
    with mpl.style.context(["default", RC, dict(user.settings), exact]):
        yield


@contextmanager
def pages_made_by(replaces: Callable[[Figure], Any]) -> Iterator[None]:
    """Let :func:`figure` return what ``replaces`` makes of each figure."""
    before = _REPLACES.set(replaces)
    try:
        yield
    finally:
        _REPLACES.reset(before)


def figure(width: float, height: float) -> Figure:
    """An empty figure of that size in inches, or of the width that the user asks for.

    pyplot does not know it.
    """
    chosen = _USER_STYLE.get().width or width
    size = chosen, height * height_factor(chosen / width)
    page = Page(figsize=size, layout="constrained")
    page.usual_size = width, height
    replaces = _REPLACES.get()
    return page if replaces is None else replaces(page)


def height_factor(share: float) -> float:
    """What becomes of a height where the width is this share of the usual one."""
    return min(1.0, max(LOWEST, share))


def colour(number: int) -> str:
    """A colour by its number, of the palette or of the user's style; after the last, the first."""
    cycle = _USER_STYLE.get().settings.get("axes.prop_cycle")
    colours = [] if cycle is None else [to_hex(shade) for shade in cycle.by_key().get("color", ())]
    return (colours or COLOURS)[number % len(colours or COLOURS)]


def colour_map() -> str:
    """The name of the colour map of surfaces and matrices."""
    return str(_USER_STYLE.get().settings.get("image.cmap", MAP))


def line_styles(count: int) -> list[dict[str, Any]]:
    """A colour and dash for each of ``count`` curves; the first 28 are distinct.

    In a user's style with fewer colours, fewer are.
    """
    colours: list[str] = []
    while colour(len(colours)) not in colours:
        colours.append(colour(len(colours)))
    cycle = itertools.cycle((dash, shade) for dash in DASHES for shade in colours)
    return [{"color": shade, "linestyle": dash} for dash, shade in itertools.islice(cycle, count)]


def grid_shape(count: int) -> tuple[int, int]:
    """Rows and columns for ``count`` panels.

    The columns of an even number of panels are even, too: checkpoints usually come in pairs,
    without SAM and with it, which then are side by side.
    """
    if count <= 3:
        return 1, count
    columns = (2 if count <= 6 else 4) if count % 2 == 0 else 3
    return math.ceil(count / columns), columns


def say_empty(panel: Axes, words: str) -> None:
    """Say why axes are empty, which have no ticks then: these would be of no values."""
    panel.set_xticks([])
    panel.set_yticks([])
    panel.text(0.5, 0.5, words, ha="center", va="center", transform=panel.transAxes, color="0.35")

"""Legends, titles and labels that fit on the page, however long the names of networks are."""

import itertools
import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib import colormaps
from matplotlib.colors import to_hex
from matplotlib.figure import Figure, SubFigure
from matplotlib.legend import Legend
from matplotlib.legend_handler import HandlerTuple
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.transforms import BboxBase

from analyses.drawing.style import colour_map
from landscape.runtime.visible_text import shortened, visible

# The largest share of the page's width that a legend beside the panels may take.
WIDEST_BESIDE = 0.3
# The largest share of the page's height that a legend below takes from the panels; for a taller one
# the page grows.
HIGHEST_BELOW = 0.25
# In points; smaller text is not readable on paper.
SMALLEST_TEXT = 4.5
# Of a name in a figure, in characters; longer ones lose their middle.
LONGEST_NAME = 60
NOTE_SIZE = 8
_INCHES_PER_LETTER = 0.065  # of a note
# Colours of the curves that a legend does not name, as shares of the colour map.
_OF_OTHERS = (0.0, 0.23, 0.46, 0.69, 0.92)


class OthersName(str):
    """What a legend calls the curves that it does not name one by one.

    They are coloured in their order, which their sample in the legend shows.
    """


def plain_text(label: str, width: int | None = None, longest: int = LONGEST_NAME) -> str:
    """The label of a network, a layer or a class, as text that matplotlib draws as it is.

    Dollar signs, between which matplotlib would read a formula, are escaped, and characters without
    a shape visible.

    Args:
        label: any text.
        width: how many characters fit on a line; without it the label is one line.
        longest: how many characters are kept.
    """
    name = shortened(visible(label), longest)
    lines = [name] if width is None else textwrap.wrap(name, width)
    return "\n".join(lines).replace("$", r"\$")


def add_legend(
    page: Figure | SubFigure, handles: Mapping[str, Any], columns: int | None = None
) -> None:
    """Add a legend outside of the panels, beside or below them.

    Args:
        page: the figure.
        handles: the curves by name.
        columns: the columns of a legend below the panels. Without it the legend is beside the
            panels if there is room, and otherwise below. If the names are too long for so many
            columns, there are fewer.
    """
    # Those that are not named come last, whenever the first of them was drawn.
    ordered = sorted(handles, key=lambda name: isinstance(name, OthersName))
    names = [plain_text(name) for name in ordered]
    curves = [_sample_of(name, handles[name]) for name in ordered]
    shown: dict[str, Any] = {"handler_map": {tuple: HandlerTuple(ndivide=None, pad=0)}}
    if columns is None:
        beside = page.legend(curves, names, loc="outside right center", **shown)
        box = beside.get_window_extent()
        if box.width <= WIDEST_BESIDE * page.bbox.width and box.height <= page.bbox.height:
            return
        beside.remove()
    for most in range(min(columns or len(names), len(names)), 0, -1):
        # No more columns than so many rows need: six names in two rows are three columns, not five.
        count = math.ceil(len(names) / math.ceil(len(names) / most))
        below = page.legend(curves, names, loc="outside lower center", ncols=count, **shown)
        if below.get_window_extent().width <= page.bbox.width or count == 1:
            _make_room(page, below)
            return
        below.remove()


def add_note(page: Figure, text: str) -> None:
    """Write above the panels what the picture does not show; a page repeats it."""
    letters = max(int(page.get_figwidth() / _INCHES_PER_LETTER), 1)
    page.suptitle(textwrap.fill(text, letters), fontsize=NOTE_SIZE, color="0.3")


def note_of(page: Figure) -> str:
    """What :func:`add_note` has written, or ""."""
    return page.get_suptitle().replace("\n", " ")


def _sample_of(name: str, curve: Any) -> Any:
    """What a legend shows of a curve; of those that are not named, their colours in order."""
    if not isinstance(name, OthersName):
        return curve
    colours = colormaps[colour_map()](_OF_OTHERS)
    return tuple(Line2D([], [], color=to_hex(colour), linewidth=1.4) for colour in colours)


def _make_room(page: Figure | SubFigure, legend: Legend) -> None:
    """Shrink a legend that is wider than the page, and enlarge a page that it would fill."""
    box = legend.get_window_extent()
    if box.width > page.bbox.width:
        for text in legend.get_texts():
            size = float(text.get_fontsize()) * page.bbox.width / box.width
            text.set_fontsize(max(SMALLEST_TEXT, 0.97 * size))
    if isinstance(page, Figure):
        excess = box.height / page.dpi - HIGHEST_BELOW * page.get_figheight()
        if excess > 0:
            page.set_figheight(page.get_figheight() + excess)


def fit_names(page: Figure) -> bool:
    """Lay out a page, and shrink titles and labels below panels that would overlap or leave it.

    Returns:
        Whether there were any; what surrounds them is then to be laid out again.
    """
    page.draw_without_rendering()
    shrunk = [
        _shrink(page, [text for text in texts if text.get_text()])
        for texts in ([axes.title for axes in page.axes], [axes.xaxis.label for axes in page.axes])
    ]
    return any(shrunk)


def _shrink(page: Figure, texts: Sequence[Text]) -> bool:
    """Shrink texts by one factor, so that none reaches another, a panel beside it or the edge.

    Returns:
        Whether they had to be.
    """
    boxes = [text.get_window_extent() for text in texts]
    factors = [1.0]
    for box in boxes:
        centre = (box.x0 + box.x1) / 2
        edges = [0.0, page.bbox.width]
        for panel in page.axes:
            if _share_a_height(box, panel.bbox):
                edges += list(panel.bbox.intervalx)
        factors.append(2 * min(abs(edge - centre) for edge in edges) / box.width)
    for left, right in itertools.combinations(boxes, 2):
        if _share_a_height(left, right):
            # Twice the distance of their centres.
            distance = abs(left.x0 + left.x1 - right.x0 - right.x1)
            factors.append((distance - 2 * left.height) / (left.width + right.width))
    if min(factors) < 1:
        for text in texts:
            text.set_fontsize(max(SMALLEST_TEXT, min(factors) * float(text.get_fontsize())))
    return min(factors) < 1


def _share_a_height(first: BboxBase, second: BboxBase) -> bool:
    return first.y0 < second.y1 and second.y0 < first.y1

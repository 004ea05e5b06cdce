"""The names of networks in pictures: legends, titles and labels that fit however long they are."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure, SubFigure
from matplotlib.text import Text
from matplotlib.transforms import BboxBase

# The share of a picture's width that a legend beside the panels may take.
WIDEST_BESIDE = 0.3
# Points; smaller is not readable on paper.
SMALLEST_TEXT = 4.5


def plain_text(label: str) -> str:
    """A label as it is: matplotlib would take what stands between dollars for a formula."""
    return label.replace("$", r"\$")


def add_legend(
    page: Figure | SubFigure, handles: Mapping[str, Any], columns: int | None = None
) -> None:
    """Name the curves outside of the panels: below them in ``columns``, or else beside them.

    Names too long for that have fewer columns, and stand below.
    """
    names = [plain_text(name) for name in handles]
    curves = list(handles.values())
    if columns is None:
        beside = page.legend(curves, names, loc="outside right center")
        if beside.get_window_extent().width <= WIDEST_BESIDE * page.bbox.width:
            return
        beside.remove()
    most = min(columns or len(names), len(names))
    for fewer in range(most, 0, -1):
        below = page.legend(curves, names, loc="outside lower center", ncols=fewer)
        if below.get_window_extent().width <= page.bbox.width or fewer == 1:
            return
        below.remove()


def fit_names(page: Figure) -> None:
    """Set titles, and labels below panels, smaller if they would meet or leave the page."""
    page.draw_without_rendering()
    for texts in ([a.title for a in page.axes], [a.xaxis.label for a in page.axes]):
        _shrink(page, [text for text in texts if text.get_text()])


def _shrink(page: Figure, texts: Sequence[Text]) -> None:
    """All to one size, at which none reaches another, a panel beside it, or the edge."""
    boxes = [text.get_window_extent() for text in texts]
    room = [1.0]
    for box in boxes:
        centre = (box.x0 + box.x1) / 2
        edges = [0.0, page.bbox.width]
        edges += [x for panel in page.axes if _level(box, panel.bbox) for x in panel.bbox.intervalx]
        room.append(2 * min(abs(edge - centre) for edge in edges) / box.width)
    for one, other in itertools.combinations(boxes, 2):
        if _level(one, other):
            apart = abs(one.x0 + one.x1 - other.x0 - other.x1)
            room.append((apart - 2 * one.height) / (one.width + other.width))
    if min(room) < 1:
        for text in texts:
            text.set_fontsize(max(SMALLEST_TEXT, min(room) * float(text.get_fontsize())))


def _level(one: BboxBase, other: BboxBase) -> bool:
    """Whether some height is common to both."""
    return one.y0 < other.y1 and other.y0 < one.y1

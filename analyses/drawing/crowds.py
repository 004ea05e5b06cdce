"""How many networks a picture names and gives a panel, and what becomes of the others.

Up to :data:`MOST_NAMED` curves have a style and a name each. Of more, all are drawn thin in the
colours of their order, and the first, the last and both extremes are named. Pictures with a panel
for each network go on in further files, and say so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from analyses.drawing.lettering import OthersName, add_note
from analyses.drawing.style import colour, colour_map, line_styles

T = TypeVar("T")

# More entries cover a page, and more dashes and colours are not told apart.
MOST_NAMED = 24
# Five rows of four panels are a page.
MOST_PANELS = 20
# By default; the panels of 40 networks are seen one after another, those of 200 are not.
MOST_FILES = 2
# Labels in a sentence; of more it has so many.
MOST_LISTED, SOME = 12, 4
# The light end of the colours is not seen on white.
LIGHTEST = 0.92
# Colour and dash of the first, the last, the largest and the smallest; None is black.
_REMARKABLE = ((None, "-"), (None, "--"), (1, "-"), (1, "--"))
_OTHER = {"linestyle": "-", "linewidth": 0.6, "alpha": 0.4}


def is_crowd(count: int) -> bool:
    """Whether so many networks are too many to be named one by one."""
    return count > MOST_NAMED


def styles_and_names(
    titles: Sequence[str],
    quantity: str = "",
    values: Sequence[float] = (),
    *,
    has_bands: bool = False,
) -> list[tuple[dict[str, Any], str]]:
    """How each of several networks is drawn, as keywords of matplotlib, and what legends call it.

    Args:
        titles: their names.
        quantity: in words, by which the largest and the smallest are named if they are too many.
        values: that quantity of each; those that are not finite are passed over.
        has_bands: whether those that are named have a band of their error.

    Returns:
        A style and a name for each. Those that are not named share an :class:`OthersName`.
    """
    count = len(titles)
    if not is_crowd(count):
        return list(zip(line_styles(count), titles, strict=True))
    remarks: dict[int, list[tuple[int, str]]] = {}
    for rank, (place, remark) in enumerate(_remarkable(count, quantity, values)):
        remarks.setdefault(place, []).append((rank, remark))
    without = ", without their bands" if has_bands else ""
    others = OthersName(f"{count - len(remarks)} others, dark to light in their order{without}")
    colours = [to_hex(shade) for shade in colormaps[colour_map()](np.linspace(0, LIGHTEST, count))]
    looks: list[tuple[dict[str, Any], str]] = []
    for place, title in enumerate(titles):
        if place in remarks:
            rank = remarks[place][0][0]
            words = ", ".join(remark for _, remark in remarks[place])
            number, dash = _REMARKABLE[rank]
            shade = "#000000" if number is None else colour(number)
            style = {"color": shade, "linestyle": dash, "zorder": 3}
            looks.append((style, f"{title} ({words})"))
        else:
            looks.append(({**_OTHER, "color": colours[place]}, others))
    return looks


def on_files(
    name: str,
    members: Sequence[T],
    draw: Callable[[Sequence[T]], Figure],
    most_panels: int = MOST_PANELS,
    most_files: int = MOST_FILES,
) -> dict[str, Figure]:
    """A picture with a panel for each network, in as many files as that takes.

    Args:
        name: of the first file; the others are ``NAME-2`` and so on.
        members: what has a panel each.
        draw: makes the figure of some of them.
        most_panels: of a figure.
        most_files: the networks that these don't hold have no panel, which each figure says.

    Returns:
        The figures by file name; each says which networks it shows if there are several.
    """
    starts = range(0, len(members), most_panels)[:most_files]
    names = [name if number == 0 else f"{name}-{number + 1}" for number in range(len(starts))]
    pages = {}
    for stem, start in zip(names, starts, strict=True):
        shown = members[start : start + most_panels]
        pages[stem] = draw(shown)
        if len(shown) < len(members):
            others = [other for other in names if other != stem]
            left_out = len(members) - most_panels * len(starts)
            add_note(pages[stem], _which(start, len(shown), len(members), others, left_out))
    return pages


def some_of(labels: Sequence[str], most: int = MOST_LISTED) -> str:
    """Labels as a list in words: all of them, or the first ones and how many others there are."""
    if len(labels) <= most:
        return ", ".join(labels)
    return f"{', '.join(labels[:SOME])} and {len(labels) - SOME} others"


def tick_step(count: int, most: int) -> int:
    """Every how many of ``count`` places on an axis have a label, so that ``most`` have."""
    return math.ceil(count / most)


def _which(start: int, shown: int, count: int, others: Sequence[str], left_out: int) -> str:
    """Which networks a figure shows, and where the others are."""
    text = f"Networks {start + 1} to {start + shown} of {count}, in the order given"
    if others:
        text += f"; others in {', '.join(others)}"
    return text + (f"; the last {left_out} have no panel" if left_out > 0 else "")


def _remarkable(count: int, quantity: str, values: Sequence[float]) -> list[tuple[int, str]]:
    """The places that are named, with the reason, in the order of their styles."""
    named = [(0, "first"), (count - 1, "last")]
    finite = np.isfinite(np.asarray(values, dtype=float))
    if quantity and finite.any():
        known = np.asarray(values, dtype=float)
        named.append((int(np.where(finite, known, -np.inf).argmax()), f"largest {quantity}"))
        named.append((int(np.where(finite, known, np.inf).argmin()), f"smallest {quantity}"))
    return named

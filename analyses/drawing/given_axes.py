"""The main picture of a result in axes of the user's own figure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from analyses.drawing.page_width import panels_of
from analyses.drawing.style import pages_made_by
from landscape.errors import InputError
from landscape.results.result import Result

Draw = Callable[[Sequence[Any]], Mapping[str, Figure]]


class GivenAxes:
    """Stands in for a figure of one panel, which are the given axes."""

    def __init__(self, axes: Axes) -> None:
        self._axes = axes

    def __getattr__(self, name: str) -> Any:
        """Everything else (size, resolution, ...) is that of the user's figure."""
        return getattr(self._axes.figure, name)

    def subplots(self, *_: Any, squeeze: bool = True, **__: Any) -> Any:
        """The axes, as a figure of one panel returns them."""
        return self._axes if squeeze else np.array([[self._axes]], dtype=object)

    def colorbar(self, mappable: Any, ax: Any, **keywords: Any) -> Any:
        """A colour bar beside the axes."""
        del ax
        return self._axes.figure.colorbar(mappable, ax=self._axes, **keywords)

    def legend(self, handles: Any, names: Any, **keywords: Any) -> Any:
        """A legend within the axes, wherever a page would have it."""
        kept = {key: keywords[key] for key in ("handler_map",) if key in keywords}
        return self._axes.legend(handles, names, **kept)


def draw_into(draw: Draw, result: Result, axes: Axes) -> dict[str, Figure]:
    """Draw the main picture of a result into axes.

    Args:
        draw: of the result's analysis.
        result: what is drawn.
        axes: of any figure, with a projection of two dimensions.

    Returns:
        The user's figure, by the name of the picture.

    Raises:
        InputError: ``axes`` are none, or the picture has several panels.
    """
    if not isinstance(axes, Axes) or axes.name == "3d":
        raise InputError(f"ax has to be matplotlib axes of two dimensions, got {axes!r:.60}")
    pages: list[Figure] = []

    def noted(page: Figure) -> Figure:
        pages.append(page)
        return page

    with pages_made_by(noted):
        figures = draw([result])
    name = result.analysis if result.analysis in figures else next(iter(figures))
    main = figures[name]
    count = len(panels_of(main))
    if count != 1 or main.subfigs:
        raise InputError(
            f"the picture {name} of this {result.analysis} has {count} panels, which don't fit "
            f"into one ax; plot()[{name!r}] is a figure with all of them"
        )
    place = pages.index(main)
    made = iter(range(len(pages)))
    # The same pictures once more, of which this one has the axes for its figure.
    with pages_made_by(lambda page: GivenAxes(axes) if next(made) == place else page):
        draw([result])
    holder = axes.figure
    return {name: holder.figure if isinstance(holder, SubFigure) else holder}

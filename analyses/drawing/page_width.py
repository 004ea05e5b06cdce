"""Panels in fewer columns, where the width that the user asks for makes them narrow."""

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.gridspec import GridSpec, GridSpecBase, GridSpecFromSubplotSpec, SubplotSpec

from analyses.drawing.style import Page, height_factor

# In inches; a narrower panel has no room for its labels.
NARROWEST_PANEL = 1.9
# What matplotlib calls the axes of a colour bar.
_COLOUR_BAR = "<colorbar>"


def panels_of(page: Figure) -> list[Axes]:
    """The panels of a figure that show something, without its colour bars."""
    return [axes for axes in page.axes if axes.get_label() != _COLOUR_BAR and axes.has_data()]


def rearrange(page: Figure) -> None:
    """Put the panels of a page that is narrower than usual into fewer columns.

    A grid keeps its columns where its panels are pictures without ticks. The page grows by the
    height of the new rows.
    """
    if not isinstance(page, Page) or page.get_figwidth() >= page.usual_size[0]:
        return
    grids: dict[GridSpecBase, list[Axes]] = {}
    for axes in panels_of(page):
        place = axes.get_subplotspec()
        if place is not None:
            grids.setdefault(place.get_gridspec(), []).append(axes)
    columns = max(1, int(page.get_figwidth() / NARROWEST_PANEL))
    for grid, panels in grids.items():
        if grid.ncols > columns and _have_ticks(panels):
            _remove_empty(page, grid)
            _rearrange_grid(page, grid, panels, columns)


def _rearrange_grid(page: Page, grid: GridSpecBase, panels: list[Axes], columns: int) -> None:
    """Put the panels of a grid into so many columns, row after row."""
    parent = _parent_of(grid, panels[0])
    usual_width, usual_height = page.usual_size
    usual_height *= _share_of_height(parent)
    rows = math.ceil(len(panels) / columns)
    # How wide a panel is, in terms of its usual width.
    share = page.get_figwidth() / columns / (usual_width / grid.ncols)
    height = rows * usual_height / grid.nrows * height_factor(share)
    growth = height - usual_height * height_factor(page.get_figwidth() / usual_width)

    _name_each(grid, panels)
    new: GridSpecBase
    if isinstance(grid, GridSpecFromSubplotSpec):
        new = GridSpecFromSubplotSpec(rows, columns, grid.get_topmost_subplotspec())
    else:
        holder: Any = panels[0].get_figure()
        new = GridSpec(rows, columns, figure=holder)
    for number, axes in enumerate(panels):
        axes.set_subplotspec(new[number // columns, number % columns])
    if parent is not None:
        _stretch(parent, growth / page.get_figheight())
    page.set_figheight(page.get_figheight() + growth)
    page.draw_without_rendering()  # colour bars find their new size when they are laid out twice


def _name_each(grid: GridSpecBase, panels: Sequence[Axes]) -> None:
    """Give panels the labels and ticks that a panel beside, above or below them had for them."""
    places = {}
    for axes in panels:
        place = axes.get_subplotspec()
        assert place is not None
        places[place.rowspan.start, place.colspan.start] = axes
    titles_stand_above = grid.nrows > 1 and not all(axes.get_title() for axes in panels)
    for (row, column), axes in places.items():
        if axes.name == "3d":
            continue
        left, bottom = places.get((row, 0)), places.get((grid.nrows - 1, column))
        top = places.get((0, column))
        if left is not None and _share(axes, left, "y"):
            axes.tick_params(labelleft=True)
            axes.set_ylabel(axes.get_ylabel() or left.get_ylabel())
        if bottom is not None and _share(axes, bottom, "x"):
            axes.tick_params(labelbottom=True)
            axes.set_xlabel(axes.get_xlabel() or bottom.get_xlabel())
        if titles_stand_above and top is not None:
            axes.set_title(axes.get_title() or top.get_title())


def _share(axes: Axes, other: Axes, name: str) -> bool:
    shared = axes.get_shared_x_axes() if name == "x" else axes.get_shared_y_axes()
    return axes is not other and bool(shared.joined(axes, other))


def _have_ticks(panels: Sequence[Axes]) -> bool:
    are_shown = all(axes.axison or axes.name == "3d" for axes in panels)
    return are_shown and any(len(axes.get_xticks()) or len(axes.get_yticks()) for axes in panels)


def _remove_empty(page: Figure, grid: GridSpecBase) -> None:
    """Remove the places of a grid that show nothing, which would keep its columns."""
    for axes in page.axes:
        place = axes.get_subplotspec()
        if place is not None and place.get_gridspec() is grid and not axes.has_data():
            axes.remove()


def _parent_of(grid: GridSpecBase, panel: Axes) -> SubplotSpec | None:
    """The place within another grid that a grid or its subfigure has; None if it has the page."""
    if isinstance(grid, GridSpecFromSubplotSpec):
        return grid.get_topmost_subplotspec()
    holder = panel.get_figure()
    # matplotlib has no public name for the place of a subfigure.
    return holder._subplotspec if isinstance(holder, SubFigure) else None  # type: ignore[attr-defined]


def _ratios(parent: SubplotSpec) -> list[float]:
    """The heights of the rows of the grid that a place is in, as shares of the page."""
    grid = parent.get_gridspec()
    given: Any = grid.get_height_ratios()
    ratios = [float(ratio) for ratio in given]
    return [ratio / sum(ratios) for ratio in ratios]


def _share_of_height(parent: SubplotSpec | None) -> float:
    return 1.0 if parent is None else _ratios(parent)[parent.rowspan.start]


def _stretch(parent: SubplotSpec, growth: float) -> None:
    """Make a row higher by a share of the page."""
    ratios = _ratios(parent)
    ratios[parent.rowspan.start] += growth
    parent.get_gridspec().set_height_ratios(ratios)

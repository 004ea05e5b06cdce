"""Drawing a result into axes of the user's own, by the package that draws, which registers here."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from landscape.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    Draw = Callable[[Sequence[Any]], Mapping[str, Figure]]
    DrawInto = Callable[[Draw, Any, Axes], dict[str, Figure]]

_registered: "list[DrawInto]" = []


def register_drawing(draw_into: "DrawInto") -> None:
    """Say what draws into axes; the last that was registered does.

    Args:
        draw_into: takes the function that draws results of an analysis, a result, and the axes;
            returns their figure by the name of the picture.
    """
    _registered[:] = [draw_into]


def draw_into_axes(draw: "Draw", result: Any, axes: "Axes") -> "dict[str, Figure]":
    """Draw the main picture of a result into axes.

    Raises:
        InputError: Nothing that draws is registered, or what that raises.
    """
    if not _registered:
        raise InputError("plot(ax=...) needs the package that draws: import analyses")
    return _registered[0](draw, result, axes)

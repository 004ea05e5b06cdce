"""Loss surfaces as plotly figures, in the JSON that plotly.js reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import to_hex
from matplotlib.ticker import Locator, MaxNLocator
from numpy.typing import NDArray

from analyses.drawing.log_ticks import RoundValues
from analyses.drawing.style import COLOURS, MAP
from landscape.errors import InputError

Array = NDArray[np.float64]

# The colours of the scale from low to high.
STOPS = [to_hex(colour) for colour in colormaps[MAP](np.linspace(0, 1, 17))]


@dataclass(frozen=True, eq=False)
class Panel:
    """A surface.

    Args:
        title: its name.
        x: (nx,), ascending.
        y: (ny,), ascending.
        loss: (ny, nx).
        accuracy: (ny, nx), in per cent.
        path: (n, 3), a training trajectory: x, y and loss of each point.
    """

    title: str
    x: Array
    y: Array
    loss: Array
    accuracy: Array | None = None
    path: Array | None = None

    def __post_init__(self) -> None:
        shape = (len(self.y), len(self.x))
        for name, array in (("loss", self.loss), ("accuracy", self.accuracy)):
            if array is not None and array.shape != shape:
                raise InputError(f"expected the {name} to have shape {shape}, got {array.shape}")
        if self.path is not None and (self.path.ndim != 2 or self.path.shape[1] != 3):
            raise InputError(f"expected a trajectory of shape (n, 3), got {self.path.shape}")


class Scale:
    """The scale that all panels share: heights of losses, their range, and ticks."""

    def __init__(self, panels: Sequence[Panel], log: bool) -> None:
        self.log = log
        surfaces = self.heights(np.concatenate([panel.loss.ravel() for panel in panels]))
        paths = [self.heights(values) for panel in panels for values in losses_of(panel)]
        self.colours = _ends(surfaces)
        self.range = _ends(np.concatenate([np.array(self.colours), *paths]))
        self.ticks = _ticks(self.range, log)

    def heights(self, loss: Array) -> Array:
        """The losses, or their logarithms to base 10; nan where these are not finite."""
        if not self.log:
            return np.where(np.isfinite(loss), loss, np.nan)
        with np.errstate(invalid="ignore"):
            return np.log10(np.where(np.isfinite(loss) & (loss > 0), loss, np.nan))

    def layout(self) -> dict[str, Any]:
        """The entries of a figure's layout that depend on the scale."""
        return {
            "scene.zaxis.range": self.range,
            "scene.zaxis.tickvals": list(self.ticks),
            "scene.zaxis.ticktext": list(self.ticks.values()),
            "coloraxis.cmin": self.colours[0],
            "coloraxis.cmax": self.colours[1],
        }

    @property
    def bar(self) -> dict[float, str]:
        """The labels of a colour bar's ticks by position, from 0 at its low end to 1."""
        low, high = self.colours
        ticks = self.ticks.items()
        return {(tick - low) / (high - low): text for tick, text in ticks if low <= tick <= high}


def figure_of(panel: Panel, scale: Scale) -> dict[str, Any]:
    """The arguments of ``Plotly.newPlot``: ``data`` and ``layout``."""
    shared = scale.layout()
    axis = {"backgroundcolor": "#f6f6f6", "showbackground": True, "gridcolor": "#d0d0d0"}
    axis |= {"zeroline": False, "tickfont": {"size": 10}, "nticks": 5, "showspikes": False}
    height = {name: shared[f"scene.zaxis.{name}"] for name in ("range", "tickvals", "ticktext")}
    scene = {
        "xaxis": axis | {"title": {"text": "x"}},
        "yaxis": axis | {"title": {"text": "y"}},
        # No title: it would be cut off beside a narrow scene, and the colour bar has it.
        "zaxis": axis | {"title": {"text": ""}, **height},
        "aspectmode": "manual",
        "aspectratio": {"x": 1, "y": 1, "z": 0.75},
        "camera": {"eye": {"x": 1.2, "y": -1.7, "z": 1.05}, "center": {"x": 0, "y": 0, "z": -0.12}},
    }
    colours = [[number / (len(STOPS) - 1), colour] for number, colour in enumerate(STOPS)]
    low, high = shared["coloraxis.cmin"], shared["coloraxis.cmax"]
    return {
        "data": traces_of(panel, scale),
        "layout": {
            "scene": scene,
            "coloraxis": {"colorscale": colours, "cmin": low, "cmax": high, "showscale": False},
            "margin": dict.fromkeys("lrtb", 0),
            "font": {"family": "system-ui, sans-serif", "size": 11},
        },
    }


def traces_of(panel: Panel, scale: Scale) -> list[dict[str, Any]]:
    """The surface, the vertical line and the marker at (0, 0), and the trajectory."""
    heights = scale.heights(panel.loss)
    surface = {
        "type": "surface",
        "x": _numbers(panel.x),
        "y": _numbers(panel.y),
        "z": _numbers(heights),
        "coloraxis": "coloraxis",
        "hovertext": _hover(panel),
        "hoverinfo": "text",
        "lighting": {"ambient": 0.8, "diffuse": 0.4, "specular": 0.05, "roughness": 0.9},
    }
    traces = [surface]
    if panel.x[0] <= 0 <= panel.x[-1] and panel.y[0] <= 0 <= panel.y[-1]:
        row = np.array([np.interp(0.0, panel.x, line) for line in heights])
        centre = np.array([np.interp(0.0, panel.y, row)])
        colour = {"color": "#000000"}
        traces += [
            _curve([0, 0], [0, 0], scale.range, mode="lines", line=colour | {"width": 2}),
            _curve([0], [0], _numbers(centre), mode="markers", marker=colour | {"size": 4}),
        ]
    if panel.path is not None:
        x, y, loss = panel.path.T
        points = enumerate(zip(x, y, loss, strict=True))
        traces.append(
            _curve(
                _numbers(x),
                _numbers(y),
                _numbers(scale.heights(loss)),
                mode="lines+markers",
                line={"color": COLOURS[1], "width": 4},
                marker={"color": COLOURS[1], "size": 2.5},
                hovertext=[f"point {number}<br>{_place(*point)}" for number, point in points],
                hoverinfo="text",
            )
        )
    return traces


def losses_of(panel: Panel) -> list[Array]:
    """The losses of the surface, flattened, and those of the trajectory if there is one."""
    path = [] if panel.path is None else [panel.path[:, 2]]
    return [panel.loss.ravel(), *path]


def _curve(x: list[Any], y: list[Any], z: list[Any], **style: Any) -> dict[str, Any]:
    """A trace of points without hover text, unless ``style`` gives one."""
    defaults = {"hoverinfo": "skip", "showlegend": False}
    return {"type": "scatter3d", "x": x, "y": y, "z": z} | defaults | style


def _hover(panel: Panel) -> list[list[str]]:
    """The text of each point of the surface."""
    texts = [
        [_place(x, y, loss) for x, loss in zip(panel.x, row, strict=True)]
        for y, row in zip(panel.y, panel.loss, strict=True)
    ]
    if panel.accuracy is None:
        return texts
    return [
        [f"{text}<br>accuracy {value:.2f} %" for text, value in zip(*rows, strict=True)]
        for rows in zip(texts, panel.accuracy, strict=True)
    ]


def _place(x: float, y: float, loss: float) -> str:
    return f"x {x:.4g}<br>y {y:.4g}<br>loss {loss:.5g}"


def _numbers(array: Array) -> list[Any]:
    """The array as nested lists, with None, which plotly leaves out, for non-finite values."""
    plain: NDArray[Any] = array.astype(object)
    plain[~np.isfinite(array)] = None
    return plain.tolist()


def _ends(heights: Array) -> list[float]:
    """The range of the finite heights, widened if it is empty."""
    finite = heights[np.isfinite(heights)]
    if finite.size == 0:
        return [0.0, 1.0]
    low, high = float(finite.min()), float(finite.max())
    if high - low <= 1e-6 * max(abs(low), abs(high)):  # flat, except for rounding
        margin = max(0.5, 1e-3 * abs(low))
        return [low - margin, high + margin]
    return [low, high]


def _ticks(ends: Sequence[float], log: bool) -> dict[float, str]:
    """The labels of ticks, which are losses, by height."""
    low, high = ends
    locator: Locator = RoundValues(of_exponents=True) if log else MaxNLocator(5)
    heights = np.asarray(locator.tick_values(low, high))
    inside = [float(height) for height in heights if low <= height <= high]
    return {height: f"{10**height if log else height:.6g}" for height in inside}

"""Surfaces to turn around in a browser: one HTML file that needs no network."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import to_hex
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from analyses.style import COLOURS, MAP
from landscape.errors import InputError
from landscape.files import replacing

Array = NDArray[np.float64]

STOPS = [to_hex(colour) for colour in colormaps[MAP](np.linspace(0, 1, 17))]


@dataclass(frozen=True, eq=False)
class Panel:
    """A surface: ``loss`` of shape (ny, nx) over ``x`` (nx,) and ``y`` (ny,), which ascend.

    ``accuracy`` (ny, nx) is in per cent; ``path`` (n, 3) is a training trajectory: x, y and loss.
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
            raise InputError(f"a trajectory has shape (n, 3), not {self.path.shape}")


@dataclass(frozen=True)
class Scenes:
    """Pieces of an HTML page: its style, what is seen, and the scripts that come after it."""

    style: str
    body: str
    scripts: str


def write_interactive(panels: Sequence[Panel], path: Path, *, log: bool, label: str) -> Path:
    """Write an HTML page of :func:`make_scenes` alone; returns ``path``."""
    scenes = make_scenes(panels, log=log, label=label)
    page = f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<title>{escape(label)}</title><style>{PAGE_STYLE}{scenes.style}</style></head>
<body>{scenes.body}
{scenes.scripts}
</body></html>
"""
    with replacing(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return path


def has_plotly() -> bool:
    """Whether scenes can be made."""
    return find_spec("plotly") is not None


def make_scenes(panels: Sequence[Panel], *, log: bool, label: str) -> Scenes:
    """A 3D scene for each panel, for a page that has no others.

    All share one scale of heights and one of colours, both named ``label``, and turn together. With
    ``log`` the heights are log10 of the losses, and losses that are not positive are left out, as
    are those that are not finite; where all are positive, a button changes the scale. Raises
    InputError if there is no panel or plotly is not installed.
    """
    if not has_plotly():
        raise InputError(
            "the interactive page needs plotly: pip install 'loss-landscape-toolkit[interactive]'"
        )
    from plotly.offline import get_plotlyjs

    if not panels:
        raise InputError("the interactive page needs at least one surface, got none")
    losses = np.concatenate([values for panel in panels for values in _losses(panel)])
    both = bool(np.all(losses[np.isfinite(losses)] > 0))
    scales = {name: _Scale(panels, name == "log") for name in ("log", "linear")}
    scales = {name: scale for name, scale in scales.items() if both or (name == "log") == log}
    first = scales["log" if log else "linear"]
    content = {
        "figures": [_figure(panel, first) for panel in panels],
        "scales": {
            name: {
                "layout": scale.layout(),
                "heights": [[trace["z"] for trace in _traces(panel, scale)] for panel in panels],
            }
            for name, scale in scales.items()
        },
        "scale": "log" if log else "linear",
    }
    # A "<" could end the element; JSON has another way to write it.
    data = json.dumps(content, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    bars = [scale.bar(name, hidden=scale is not first) for name, scale in scales.items()]
    captions = "\n".join(
        f"<figure><figcaption>{escape(panel.title)}</figcaption><div class=plot></div></figure>"
        for panel in panels
    )
    button = "<button type=button></button>" if len(scales) > 1 else ""
    body = f"""<div class=scenes>
<header><div class=scale><b>{escape(label)}</b>{"".join(bars)}</div>{button}</header>
<div class=plots>
{captions}
</div>
<p>{_legend(panels, both)}</p>
</div>"""
    scripts = f"""<script>{get_plotlyjs()}</script>
<script type="application/json" id="content">{data}</script>
<script>{SCRIPT}</script>"""
    return Scenes(STYLE, body, scripts)


class _Scale:
    """What all panels share: heights of losses, their range, and ticks labelled in loss."""

    def __init__(self, panels: Sequence[Panel], log: bool) -> None:
        self.log = log
        surfaces = self.heights(np.concatenate([panel.loss.ravel() for panel in panels]))
        paths = [self.heights(values) for panel in panels for values in _losses(panel)]
        self.colours = _ends(surfaces)
        self.range = _ends(np.concatenate([np.array(self.colours), *paths]))
        self.ticks = _ticks(self.range, log)

    def heights(self, loss: Array) -> Array:
        if not self.log:
            return np.where(np.isfinite(loss), loss, np.nan)
        with np.errstate(invalid="ignore"):
            return np.log10(np.where(np.isfinite(loss) & (loss > 0), loss, np.nan))

    def layout(self) -> dict[str, Any]:
        """The part of a figure's layout that depends on the scale."""
        return {
            "scene.zaxis.range": self.range,
            "scene.zaxis.tickvals": list(self.ticks),
            "scene.zaxis.ticktext": list(self.ticks.values()),
            "coloraxis.cmin": self.colours[0],
            "coloraxis.cmax": self.colours[1],
        }

    def bar(self, name: str, hidden: bool) -> str:
        low, high = self.colours
        ticks = [
            f'<span style="left:{100 * (tick - low) / (high - low):.2f}%">{text}</span>'
            for tick, text in self.ticks.items()
            if low <= tick <= high
        ]
        attribute = " hidden" if hidden else ""
        return f'<div class=bar data-scale="{name}"{attribute}>{"".join(ticks)}</div>'


def _losses(panel: Panel) -> list[Array]:
    path = [] if panel.path is None else [panel.path[:, 2]]
    return [panel.loss.ravel(), *path]


def _ends(heights: Array) -> list[float]:
    finite = heights[np.isfinite(heights)]
    if finite.size == 0:
        return [0.0, 1.0]
    low, high = float(finite.min()), float(finite.max())
    if high - low <= 1e-6 * max(abs(low), abs(high)):  # flat, but for rounding
        margin = max(0.5, 1e-3 * abs(low))
        return [low - margin, high + margin]
    return [low, high]


def _ticks(ends: Sequence[float], log: bool) -> dict[float, str]:
    """Heights of the ticks and their losses."""
    low, high = ends
    heights: Array
    if log and high - low >= 3:
        heights = np.asarray(MaxNLocator(5, integer=True).tick_values(low, high))
    elif log and high - low >= 1:
        decades = np.arange(np.floor(low), np.ceil(high))
        heights = np.add.outer(decades, np.log10([1, 2, 5])).ravel()
    elif log:
        losses = np.asarray(MaxNLocator(5).tick_values(10**low, 10**high))
        heights = np.log10(losses[losses > 0])
    else:
        heights = np.asarray(MaxNLocator(5).tick_values(low, high))
    inside = [float(height) for height in heights if low <= height <= high]
    return {height: f"{10**height if log else height:g}" for height in inside}


def _numbers(array: Array) -> list[Any]:
    """Nested lists for JSON, which has no nan: null is what plotly leaves out."""
    plain: NDArray[Any] = array.astype(object)
    plain[~np.isfinite(array)] = None
    return plain.tolist()


def _traces(panel: Panel, scale: _Scale) -> list[dict[str, Any]]:
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


def _curve(x: list[Any], y: list[Any], z: list[Any], **style: Any) -> dict[str, Any]:
    quiet = {"hoverinfo": "skip", "showlegend": False}
    return {"type": "scatter3d", "x": x, "y": y, "z": z} | quiet | style


def _place(x: float, y: float, loss: float) -> str:
    return f"x {x:.4g}<br>y {y:.4g}<br>loss {loss:.5g}"


def _hover(panel: Panel) -> list[list[str]]:
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


def _figure(panel: Panel, scale: _Scale) -> dict[str, Any]:
    shared = scale.layout()
    axis = {"backgroundcolor": "#f6f6f6", "showbackground": True, "gridcolor": "#d0d0d0"}
    axis |= {"zeroline": False, "tickfont": {"size": 10}, "nticks": 5, "showspikes": False}
    height = {name: shared[f"scene.zaxis.{name}"] for name in ("range", "tickvals", "ticktext")}
    scene = {
        "xaxis": axis | {"title": {"text": "x"}},
        "yaxis": axis | {"title": {"text": "y"}},
        # The colour bar names it; beside a narrow scene the title would be cut off.
        "zaxis": axis | {"title": {"text": ""}, **height},
        "aspectmode": "manual",
        "aspectratio": {"x": 1, "y": 1, "z": 0.75},
        "camera": {"eye": {"x": 1.2, "y": -1.7, "z": 1.05}, "center": {"x": 0, "y": 0, "z": -0.12}},
    }
    colours = [[number / (len(STOPS) - 1), colour] for number, colour in enumerate(STOPS)]
    low, high = shared["coloraxis.cmin"], shared["coloraxis.cmax"]
    return {
        "data": _traces(panel, scale),
        "layout": {
            "scene": scene,
            "coloraxis": {"colorscale": colours, "cmin": low, "cmax": high, "showscale": False},
            "margin": dict.fromkeys("lrtb", 0),
            "font": {"family": "system-ui, sans-serif", "size": 11},
        },
    }


def _legend(panels: Sequence[Panel], positive: bool) -> str:
    words = ["Drag to turn, scroll to zoom: all panels follow. Black: the centre (0, 0)."]
    if any(panel.path is not None for panel in panels):
        words.append("Orange: the training trajectory.")
    if not positive:
        words.append("Some losses are not positive: a logarithmic scale leaves them out.")
    if not all(np.isfinite(panel.loss).all() for panel in panels):
        words.append("Holes: the loss is not finite.")
    return " ".join(words)


# The browser itself refuses every request to the network. Plotly compiles its shaders' wrappers.
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
    "img-src data: blob:; form-action 'none'"
)

PAGE_STYLE = """
body { margin: 0 auto; max-width: 1800px; padding: 12px; box-sizing: border-box; background: #fff; }
"""

STYLE = f"""
.scenes {{ background: #fff; color: #222; font: 14px system-ui, sans-serif; }}
.scenes header {{ display: flex; flex-wrap: wrap; gap: 12px 24px; align-items: center; }}
.scenes .scale {{ flex: 1 1 260px; max-width: 560px; }}
.scenes .bar {{ position: relative; height: 12px; margin: 6px 16px 22px;
  background: linear-gradient(to right, {", ".join(STOPS)}); }}
.scenes .bar span {{ position: absolute; top: 14px; transform: translateX(-50%); font-size: 12px; }}
.scenes [hidden] {{ display: none; }}
.scenes button {{ font: inherit; padding: 4px 12px; }}
.scenes .plots {{ display: grid; gap: 12px;
  grid-template-columns: repeat(auto-fit, minmax(max(min(300px, 100%), 30%), 1fr)); }}
.scenes figure {{ margin: 0; min-width: 0; container-type: inline-size; }}
.scenes figcaption {{ text-align: center; font-weight: 600; overflow-wrap: anywhere; }}
.scenes .plot {{ width: 100%; height: min(95cqw, 560px); overflow: hidden; }}
.scenes p {{ color: #555; }}
"""

SCRIPT = """
"use strict";
const {figures, scales, scale} = JSON.parse(document.getElementById("content").textContent);
const plots = [...document.querySelectorAll(".scenes .plot")];
const led = new Set();
let waiting = null, busy = false;

async function follow(leader, camera) {
  waiting = [leader, camera];
  if (busy) return;
  busy = true;
  while (waiting) {
    const [from, view] = waiting;
    waiting = null;
    await Promise.all(plots.filter(plot => plot !== from).map(async plot => {
      led.add(plot);  // its own report of this move is no news
      await Plotly.relayout(plot, {"scene.camera": structuredClone(view)});
      led.delete(plot);
    }));
  }
  busy = false;
}

plots.forEach(async (plot, number) => {
  const {data, layout} = figures[number];
  await Plotly.newPlot(plot, data, layout, {
    responsive: true, displaylogo: false, modeBarButtons: [["toImage", "resetCameraDefault3d"]],
  });
  for (const event of ["plotly_relayouting", "plotly_relayout"]) {
    plot.on(event, change => {
      if (led.has(plot) || !Object.keys(change).some(key => key.startsWith("scene.camera"))) return;
      follow(plot, change["scene.camera"] || plot.layout.scene.camera);
    });
  }
});

const button = document.querySelector(".scenes button");
if (button) {
  let shown = scale;
  const other = () => shown === "log" ? "linear" : "log";
  const name = () => { button.textContent = `Show ${other()} scale`; };
  button.addEventListener("click", () => {
    shown = other();
    const {layout, heights} = scales[shown];
    plots.forEach((plot, number) => Plotly.update(plot, {z: heights[number]}, {...layout}));
    for (const bar of document.querySelectorAll(".scenes .bar")) {
      bar.hidden = bar.dataset.scale !== shown;
    }
    name();
  });
  name();
}
"""

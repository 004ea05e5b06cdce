"""Surfaces to turn in a browser: one HTML file that needs no network."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from analyses.formats.pages import POLICY, render, write_text
from analyses.formats.scene_figures import STOPS, Panel, Scale, figure_of, losses_of, traces_of
from landscape.errors import InputError

# A browser draws at most 16 scenes at a time, and forgets the first of more.
MOST_SCENES = 12


@dataclass(frozen=True)
class Scenes:
    """Pieces of an HTML page: its style, its body, and the scripts after the body.

    ``left_out`` counts the surfaces that have no scene.
    """

    style: str
    body: str
    scripts: str
    left_out: int = 0


def write_interactive(panels: Sequence[Panel], path: Path, *, log: bool, label: str) -> Path:
    """Write an HTML page that holds only :func:`make_scenes`; returns ``path``."""
    scenes = make_scenes(panels, log=log, label=label)
    page = render("interactive.html.j2", title=label, scenes=scenes, policy=POLICY)
    return write_text(page, path)


def has_plotly() -> bool:
    """Whether plotly is installed, which scenes need."""
    return find_spec("plotly") is not None


def make_scenes(panels: Sequence[Panel], *, log: bool, label: str) -> Scenes:
    """A 3D scene for each panel, up to :data:`MOST_SCENES`, for a page that has no other scenes.

    All scenes share one scale of heights and one of colours, and turn together. Non-finite losses
    are left out. If all losses are positive, a button changes the scale.

    Args:
        panels: the surfaces.
        log: whether heights are log10 of the losses, which leaves out losses that are not positive.
        label: the name of the losses, for both scales.

    Raises:
        InputError: if there is no panel or plotly is not installed.
    """
    if not has_plotly():
        raise InputError(
            "the interactive page needs plotly: pip install 'loss-landscape-toolkit[interactive]'"
        )
    from plotly.offline import get_plotlyjs

    if not panels:
        raise InputError("the interactive page needs at least one surface, got none")
    left_out = max(len(panels) - MOST_SCENES, 0)
    panels = panels[:MOST_SCENES]
    losses = np.concatenate([values for panel in panels for values in losses_of(panel)])
    positive = bool(np.all(losses[np.isfinite(losses)] > 0))
    shown = "log" if log else "linear"
    names = ("log", "linear") if positive else (shown,)
    scales = {name: Scale(panels, name == "log") for name in names}
    content = {
        "figures": [figure_of(panel, scales[shown]) for panel in panels],
        "scales": {
            name: {
                "layout": scale.layout(),
                "heights": [[trace["z"] for trace in traces_of(panel, scale)] for panel in panels],
            }
            for name, scale in scales.items()
        },
        "scale": shown,
    }
    # A "<" could end the script element; in JSON it can be escaped.
    data = json.dumps(content, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    body = render(
        "scenes.html.j2",
        label=label,
        bars={name: scale.bar for name, scale in scales.items()},
        shown=shown,
        titles=[panel.title for panel in panels],
        legend=[*_legend(panels, positive), *_left_out(left_out)],
    )
    scripts = f"""<script>{get_plotlyjs()}</script>
<script type="application/json" id="content">{data}</script>
<script>{render("scenes.js")}</script>"""
    return Scenes(render("scenes.css.j2", stops=STOPS), body, scripts, left_out)


def _left_out(count: int) -> list[str]:
    return [f"{count} more surfaces have no scene: a browser turns no more at once."] * (count > 0)


def _legend(panels: Sequence[Panel], positive: bool) -> list[str]:
    sentences = ["Drag to turn, scroll to zoom: all panels follow. Black: the centre (0, 0)."]
    if any(panel.path is not None for panel in panels):
        sentences.append("Orange: the training trajectory.")
    if not positive:
        sentences.append("A logarithmic scale leaves out the losses that are not positive.")
    if not all(np.isfinite(panel.loss).all() for panel in panels):
        sentences.append("Holes: the loss is not finite.")
    return sentences

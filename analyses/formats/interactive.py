"""Surfaces to turn in a browser: one small HTML file that needs no network and no library."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from analyses.drawing.options import PlotOptions
from analyses.drawing.style import colour, line_styles
from analyses.formats.pages import POLICY, render, write_text
from analyses.formats.scene_data import Panel, Scale, colours, map_of, scales_of
from landscape.errors import InputError

# More would not follow the hand that turns them.
MOST_SCENES = 12
# The number of the trajectory's colour.
PATH_COLOUR = 1


@dataclass(frozen=True)
class Scenes:
    """Pieces of an HTML page: its style, its body, and the scripts after the body.

    ``left_out`` counts the surfaces that have no scene.
    """

    style: str
    body: str
    scripts: str
    left_out: int = 0


def write_interactive(
    panels: Sequence[Panel], path: Path, *, label: str, options: PlotOptions | None = None
) -> Path:
    """Write an HTML page that holds only :func:`make_scenes`; returns ``path``."""
    scenes = make_scenes(panels, label=label, options=options)
    page = render("interactive.html.j2", title=label, scenes=scenes, policy=POLICY)
    return write_text(page, path)


def make_scenes(
    panels: Sequence[Panel], *, label: str, options: PlotOptions | None = None
) -> Scenes:
    """A 3D scene for each panel, up to :data:`MOST_SCENES`, for a page that has no other scenes.

    All scenes share the scale of the pictures and turn together, by hand or by keys. Below each
    stand the loss and its error at the point under the pointer or, without one, where two cuts
    cross; the cuts through all surfaces are drawn below, and can be moved. If all losses are
    positive, a button changes the scale. Losses that are not finite, or beyond the scale, are
    holes. Without scripts each scene is a map of the surface.

    Args:
        panels: the surfaces.
        label: the name of the losses.
        options: the scale and its ends.

    Raises:
        InputError: if there is no panel.
    """
    if not panels:
        raise InputError("the interactive page needs at least one surface, got none")
    left_out = max(len(panels) - MOST_SCENES, 0)
    scales = scales_of(panels, options or PlotOptions())
    shown = next(iter(scales))
    panels = panels[:MOST_SCENES]
    lines = [
        {"colour": style["color"].lower(), "dash": style["linestyle"]}
        for style in line_styles(len(panels))
    ]
    content = {
        "panels": [panel.content() | line for panel, line in zip(panels, lines, strict=True)],
        "scales": {name: scale.content() for name, scale in scales.items()},
        "shown": shown,
        "colours": colours(),
        "pathColour": colour(PATH_COLOUR),
    }
    # A "<" could end the script element; in JSON it can be escaped.
    data = json.dumps(content, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    body = render(
        "scenes/body.html.j2",
        label=label,
        bars={name: scale.bar for name, scale in scales.items()},
        shown=shown,
        panels=[
            {"title": panel.title, "map": map_of(panel, scales[shown]), **line}
            for panel, line in zip(panels, lines, strict=True)
        ],
        legend=[*_legend(panels, scales[shown]), *_left_out(left_out)],
    )
    scripts = f"""<script type="application/json" id="content">{data}</script>
<script>{render("scenes/main.js")}</script>"""
    return Scenes(render("scenes/style.css.j2", stops=colours(17)), body, scripts, left_out)


def _left_out(count: int) -> list[str]:
    return [f"{count} more surfaces have no scene: so many would not turn smoothly."] * (count > 0)


def _legend(panels: Sequence[Panel], scale: Scale) -> list[str]:
    """Sentences that say what is shown."""
    sentences = [
        "Black dot: the network itself, at (0, 0). Lines: two cuts, which a click on a surface or "
        "a chart moves. Below each surface: the numbers under the pointer, or where the cuts cross."
    ]
    if any(panel.stderr is not None and np.isfinite(panel.stderr).any() for panel in panels):
        sentences.append("± one standard error, over samples; bands of the charts hold 95 %.")
    if any(panel.path is not None for panel in panels):
        sentences.append("The line with points: the training trajectory.")
    if not all(np.isfinite(panel.loss).all() for panel in panels):
        sentences.append("Holes: the loss is not finite.")
    is_beyond = [np.isnan(scale.levels(panel.loss)) & np.isfinite(panel.loss) for panel in panels]
    if any(beyond.any() for beyond in is_beyond):
        sentences.append("Cut off: losses beyond the ends of the scale.")
    return sentences

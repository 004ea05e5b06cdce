"""Surfaces for other viewers: turned in a browser, or read by ParaView."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from analyses.drawing.options import PlotOptions
from analyses.drawing.scales import is_logarithmic
from analyses.formats.interactive import Scenes, make_scenes, write_interactive
from analyses.formats.paraview import write_path_vtp, write_vtp, write_vts
from analyses.formats.scene_figures import Panel
from analyses.slices.result import Slice
from landscape.results.result import Result


def export(
    results: Sequence[Result], folder: Path, formats: Sequence[str], options: PlotOptions
) -> list[Path]:
    """Write the planes among ``results`` in each of the formats; returns the paths."""
    planes = [one for one in results if isinstance(one, Slice) and one.y is not None]
    if not planes:
        return []
    written = []
    name = planes[0].analysis
    if "interactive" in formats:
        log = is_logarithmic([plane.loss for plane in planes], options)
        panels = [_panel(plane) for plane in planes]
        path = folder / f"{name}_3d.html"
        written.append(write_interactive(panels, path, log=log, label=f"{planes[0].split} loss"))
    for plane in planes:
        loss = plane.loss
        positive = bool((loss[np.isfinite(loss)] > 0).all())
        height = np.log10(loss) if positive else loss
        values = {"height": height, **plane.values}
        place = folder / plane.label
        if {"vts", "vtp"} & set(formats):
            place.mkdir(parents=True, exist_ok=True)
        if "vts" in formats:
            target = place / f"{name}.vts"
            written.append(write_vts(target, plane.x, plane.rows, values, "height"))
        if "vtp" in formats:
            target = place / f"{name}.vtp"
            written.append(write_vtp(target, plane.x, plane.rows, values, "height"))
            if "x" in plane.path:
                written.append(_write_path(plane, place / f"{name}_path.vtp", positive))
    return written


def surface_scenes(planes: Sequence[Slice]) -> Scenes:
    """Planes to turn around within a page; their heights are logarithmic where that shows more."""
    log = is_logarithmic([plane.loss for plane in planes])
    panels = [_panel(plane) for plane in planes]
    return make_scenes(panels, log=log, label=f"{planes[0].split} loss")


def _panel(plane: Slice) -> Panel:
    path = None
    if "x" in plane.path:
        path = np.column_stack([plane.path["x"], plane.path["y"], plane.path["plane_loss"]])
    return Panel(plane.label, plane.x, plane.rows, plane.loss, plane.accuracy, path)


def _write_path(plane: Slice, target: Path, positive: bool) -> Path:
    loss = plane.path["plane_loss"]
    height = np.log10(loss) if positive else loss
    points = np.column_stack([plane.path["x"], plane.path["y"], height])
    kept = ("epoch", "loss", "plane_loss", "distance")
    return write_path_vtp(target, points, {name: plane.path[name] for name in kept})

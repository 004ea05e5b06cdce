"""Surfaces as files for other viewers: a page to turn them in a browser, and ParaView files."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analyses.drawing.numbers import with_unit
from analyses.drawing.options import PlotOptions
from analyses.formats.interactive import Scenes, make_scenes, write_interactive
from analyses.formats.paraview import write_path_vtp, write_vtp, write_vts
from analyses.formats.scene_data import Panel
from analyses.replicates import examples_of
from analyses.slices.result import Slice
from landscape.results.result import Result


def export(
    results: Sequence[Result], folder: Path, formats: Sequence[str], options: PlotOptions
) -> list[Path]:
    """Write the planes among ``results`` in each of the formats.

    Args:
        results: the results of one analysis; those that are not planes are skipped.
        folder: where to write; the ParaView files go into a folder for each label.
        formats: words of :data:`analyses.drawing.options.EXPORTS`; others are skipped.
        options: the scale of the interactive page and its ends.

    Returns:
        The paths of the files.
    """
    planes = [result for result in results if isinstance(result, Slice) and result.y is not None]
    if not planes:
        return []
    written = []
    name = planes[0].analysis
    if "interactive" in formats:
        panels, label = _panels(planes)
        path = folder / f"{name}_3d.html"
        written.append(write_interactive(panels, path, label=label, options=options))
    for plane in planes:
        loss = plane.loss
        positive = bool((loss[np.isfinite(loss)] > 0).all())
        height = np.log10(loss) if positive else loss
        values = {"height": height, **plane.values}
        subfolder = folder / plane.label
        if {"vts", "vtp"} & set(formats):
            subfolder.mkdir(parents=True, exist_ok=True)
        if "vts" in formats:
            target = subfolder / f"{name}.vts"
            written.append(write_vts(target, plane.x, plane.rows, values, "height"))
        if "vtp" in formats:
            target = subfolder / f"{name}.vtp"
            written.append(write_vtp(target, plane.x, plane.rows, values, "height"))
            if "x" in plane.path:
                written.append(_write_path(plane, subfolder / f"{name}_path.vtp", positive))
    return written


def surface_scenes(planes: Sequence[Slice], options: PlotOptions | None = None) -> Scenes:
    """Scenes of planes, on the scale of their pictures; of replicates the first has one."""
    panels, label = _panels(planes)
    return make_scenes(panels, label=label, options=options)


def _panels(planes: Sequence[Slice]) -> tuple[list[Panel], str]:
    """The surfaces that have a scene, and the name of their losses."""
    shown = examples_of(planes)
    splits = sorted({plane.split for plane in shown})
    return [_panel(plane) for plane in shown], with_unit(f"{' and '.join(splits)} loss", shown)


def _panel(plane: Slice) -> Panel:
    path = None
    if "x" in plane.path:
        path = np.column_stack([plane.path["x"], plane.path["y"], plane.path["plane_loss"]])
    stderr = f"{plane.split}_loss_stderr"
    return Panel(
        plane.label,
        plane.x,
        plane.rows,
        plane.loss,
        stderr=plane.values.get(stderr),
        dof=plane.dof_of(stderr),
        refinement=_refinement(plane),
        accuracy=plane.accuracy,
        path=path,
    )


def _refinement(plane: Slice) -> NDArray[np.float64] | None:
    """The errors of interpolated losses, relative to each; nan where a loss has none."""
    name = f"{plane.split}_loss"
    if name not in plane.errors:
        return None
    error, size = plane.absolute_error(name), np.abs(plane.loss)
    return np.divide(error, size, out=np.full_like(error, np.nan), where=(error > 0) & (size > 0))


def _write_path(plane: Slice, target: Path, positive: bool) -> Path:
    loss = plane.path["plane_loss"]
    height = np.log10(loss) if positive else loss
    points = np.column_stack([plane.path["x"], plane.path["y"], height])
    names = ("epoch", "loss", "plane_loss", "distance")
    return write_path_vtp(target, points, {name: plane.path[name] for name in names})

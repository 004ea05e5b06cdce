"""The paper's figures, as pictures of the analyses that make them here."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from analyses.drawing.options import PlotOptions
from analyses.formats.export import surface_scenes
from analyses.formats.interactive import Scenes
from analyses.slices.result import Slice
from landscape.results.result import Result

SURFACES = "Figure 1: loss surfaces"
# By caption the pictures, and the analyses that they are from.
FIGURES = {
    SURFACES: {"surface_3d": "surface"},
    "Figure 2: training curves and active neurons": {"curves": "curves", "sparsity": "sparsity"},
    "Figure 3: attention maps": {"attention": "attention"},
}


def numbered_figures(sections: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, str]]]:
    """The paper's figures by their captions; their pictures are taken out of the sections."""
    by_name = {section["name"]: section["pictures"] for section in sections}
    figures = {
        caption: [
            by_name[analysis].pop(file)
            for picture, analysis in pictures.items()
            for file in list(by_name.get(analysis, {}))
            if re.fullmatch(rf"{picture}(-[0-9]+)?", file)  # further files of it, too
        ]
        for caption, pictures in FIGURES.items()
    }
    return {caption: pictures for caption, pictures in figures.items() if pictures}


def surface_scenes_of(
    results: Mapping[str, Sequence[Result]], options: PlotOptions | None = None
) -> Scenes | None:
    """The surfaces to turn around; None without any."""
    planes = [result for result in results.get("surface", ()) if isinstance(result, Slice)]
    return surface_scenes(planes, options) if planes else None

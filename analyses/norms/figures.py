"""The picture of the norms of weights and activations."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analyses.drawing.lettering import add_legend, plain_text
from analyses.drawing.options import PlotOptions
from analyses.drawing.shared_axes import curves_of
from analyses.drawing.style import figure
from analyses.norms.result import Norms
from landscape.estimates import half_width
from landscape.parameters.components import ORDER


def draw(results: Sequence[Norms], options: PlotOptions | None = None) -> dict[str, Figure]:
    """Parameter norms by component on the left, activation norms by layer on the right."""
    components = dict.fromkeys(name for result in results for name in result.components)
    kinds = [name for name in ("whole network", *ORDER) if name in components]
    names = [*kinds, *(name for name in components if name not in kinds)]
    page = figure(7.6, max(3.2, 0.19 * len(names) + 1.2))
    left, right = page.subplots(1, 2)
    handles: dict[str, Any] = {}
    for curve in curves_of(results, "norm", lambda r: float(r.norms.max())):
        result = curve.result
        rows = [names.index(name) + curve.offset for name in result.components]
        left.plot(result.norms, rows, "o", markersize=curve.marker_size(5), **curve.mark_style)
        mlps = result.mlp_layers
        handles[curve.name] = right.errorbar(
            np.arange(1, len(mlps) + 1),
            result.whole[mlps, 0],
            yerr=np.nan_to_num(
                half_width(result.whole[mlps, 1], result.provenance.num_samples - 1)
            ),
            marker="o",
            markersize=curve.marker_size(3.5),
            **curve.style,
        )
    left.set_yticks(range(len(names)), [plain_text(name) for name in names])
    left.invert_yaxis()
    left.set_xlim(left=0)
    left.set_xlabel("norm of the parameters")
    left.grid(axis="both", color="0.92")
    right.set_ylim(bottom=0)
    right.set_xlabel("activation layer")
    right.set_ylabel("norm of a sample's activation")
    right.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    right.grid(axis="y", color="0.92")
    add_legend(page, handles, columns=6)
    return {"norms": page}

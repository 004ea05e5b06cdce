"""Pictures of activation sparsity."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analyses.sparsity import Sparsity, series
from analyses.style import add_legend, figure, line_styles


def active_neurons(results: Sequence[Sparsity]) -> Figure:
    """A panel for each set of layers, so that SAM and no SAM of one architecture share it."""
    groups: dict[tuple[str, tuple[str, ...]], list[int]] = {}
    for position, result in enumerate(results):
        for kind in series(result):
            groups.setdefault((kind, result.layers), []).append(position)
    columns = min(len(groups), 4)
    rows = math.ceil(len(groups) / columns)
    page = figure(2.3 * max(columns, 2) + 0.6, 2.4 * rows + 0.5)
    panels = page.subplots(rows, columns, sharey=True, squeeze=False)
    styles = line_styles(len(results))
    labelled: dict[str, Any] = {}
    for number, panel in enumerate(panels.flat):
        if number >= len(groups):
            panel.set_axis_off()
            continue
        (kind, layers), members = list(groups.items())[number]
        for position in members:
            result = results[position]
            chosen = series(result)[kind]
            bars = panel.errorbar(
                np.arange(1, len(chosen) + 1),
                100 * result.active[chosen],
                yerr=100 * np.nan_to_num(result.stderr[chosen]),
                marker="o",
                markersize=3.5,
                **styles[position],
            )
            labelled.setdefault(result.label, bars)
        panel.set_title(TITLES.get(kind, kind))
        panel.set_xlabel("block" if kind.startswith("mlp") else "activation layer")
        panel.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
        panel.set_ylim(0, 100)
        panel.grid(axis="y", color="0.92")
    for row in panels:
        row[0].set_ylabel("active neurons (%)")
    add_legend(page, labelled, columns=6)
    return page


TITLES = {
    "mlp": "MLP",
    "mlp_tokens": "token-mixing MLP",
    "mlp_channels": "channel-mixing MLP",
    "activation": "all activations",
}

"""The picture: accuracy against confidence."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from analyses.drawing.options import PlotOptions
from analyses.drawing.style import figure
from calibration.result import Calibration


def draw(results: Sequence[Calibration], options: PlotOptions | None = None) -> dict[str, Figure]:
    """All checkpoints on one pair of axes."""
    page = figure(3.6, 3.4)
    axes = page.subplots()
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=0.8)
    for result in results:
        bins = len(result.counts)
        middles = (np.arange(bins) + 0.5) / bins
        mean, error = result.accuracy.T
        axes.errorbar(middles, mean, np.nan_to_num(error), fmt="o-", label=result.label)
    axes.set(xlabel="confidence", ylabel="accuracy", xlim=(0, 1), ylim=(0, 1))
    axes.legend()
    return {"calibration": page}

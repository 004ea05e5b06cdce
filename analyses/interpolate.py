"""The loss on the straight line between two checkpoints, and the barrier between them.

The barrier is the largest height of the loss above the straight line between its values at the two
ends (Frankle et al., ICML 2020, section 2; Entezari et al., ICLR 2022, definition 2.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from analyses.grid import Axis, Grid
from analyses.slice_result import Slice
from analyses.slice_settings import SliceSettings, make_directions
from analyses.slicing import measure_slice
from landscape.directions import Direction
from landscape.errors import InputError
from landscape.objective import Objective
from landscape.options import option
from landscape.slices.evaluator import PointEvaluator
from landscape.work import IN_MEMORY, Work

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from analyses.style import Look

TITLE = "Interpolation"
SUMMARY = "the loss on the straight line between two checkpoints, and the barrier between them"
READING = {
    "": (
        "The loss of the weighted mean of two networks' weights: 0 is the first, 1 the second. "
        "Without a barrier both lie in one basin. A wide valley about one end and steep walls "
        "about the other say which of the two lies in the flatter place, along this one line. "
        "BatchNorm's statistics go along with the weights unless they are re-estimated at every "
        "point."
    )
}


@dataclass(frozen=True)
class Settings(SliceSettings):
    """Where on the line to measure; 0 and 1 are the two checkpoints."""

    x: Axis = option(
        Axis(-0.2, 1.2, 29), "0 is the first checkpoint, 1 the other", parse=Axis.parse,
        metavar="MIN:MAX:N",
    )  # fmt: skip


@dataclass(frozen=True)
class Interpolation(Slice):
    """Values of shape (nx,), and the barrier in ``path`` for each split."""

    analysis: ClassVar[str] = "interpolate"
    path_axes: ClassVar[tuple[str, ...]] = ("height, standard error, place",)
    settings_type: ClassVar[type[Any]] = Settings

    def barriers(self) -> dict[str, tuple[float, float, float]]:
        """For each split the height of the barrier, its standard error, and where it is."""
        found = {}
        for split in self.splits:
            height, error, place = (float(v) for v in self.path[f"{split}_barrier"])
            found[split] = height, error, place
        return found

    def headline(self) -> dict[str, Any]:
        """The slice's numbers and each split's barrier."""
        barriers = {
            f"{split}_{name}": value
            for split, found in self.barriers().items()
            for name, value in zip(("barrier", "barrier_stderr", "barrier_at"), found, strict=True)
        }
        return {**super().headline(), **barriers}


def compute(
    objective: Objective,
    settings: Settings | None = None,
    work: Work = IN_MEMORY,
    *,
    direction: Direction | None = None,
) -> Interpolation:
    """From the objective's weights to those of ``settings.toward_x``, or along ``direction``.

    The barrier's error is that of the mean over samples of l(t) - (1 - t) l(0) - t l(1), with the
    per-sample losses l of the same samples at all three points, which is much less than the
    errors of the three losses together. Raises InputError where there is no other checkpoint.
    """
    settings = settings or Settings()
    if direction is None and not settings.toward_x:
        raise InputError("an interpolation needs two checkpoints")
    (along,) = [direction] if direction is not None else make_directions(objective, settings, 1)
    xs = settings.x.coordinates
    found = measure_slice(Interpolation, objective, settings, Grid(xs), work, [along])
    assert isinstance(found, Interpolation)
    evaluator = PointEvaluator(objective, [along], found.split, bn=settings.bn)
    try:
        path = {f"{s}_barrier": _barrier(evaluator, found, s) for s in found.splits}
    finally:
        evaluator.close()
    return replace(found, path=path)


def _barrier(evaluator: PointEvaluator, found: Slice, split: str) -> np.ndarray[Any, Any]:
    """Height, standard error and place on [0, 1] of the highest point above the chord."""

    def losses_at(x: float) -> tuple[float, np.ndarray[Any, Any] | None]:
        evaluator.place((x,))
        return evaluator.evaluate_here(plain=True)[split].loss, evaluator.losses_here(split)

    start, each_start = losses_at(0.0)
    end, each_end = losses_at(1.0)
    inside = (found.x > 0) & (found.x < 1)
    xs, loss = found.x[inside], found.values[f"{split}_loss"][inside]
    if not len(xs):
        return np.array([np.nan, np.nan, np.nan])
    heights = loss - (1 - xs) * start - xs * end
    if np.isnan(heights).all():
        return np.array([np.nan, np.nan, np.nan])
    place = float(xs[np.nanargmax(heights)])
    mean, each = losses_at(place)
    height = mean - (1 - place) * start - place * end
    if each is None or each_start is None or each_end is None or len(each) < 2:
        return np.array([height, np.nan, place])
    paired = each - (1 - place) * each_start - place * each_end
    return np.array([height, paired.std(ddof=1) / np.sqrt(len(paired)), place])


def tabulate(results: Sequence[Interpolation]) -> dict[str, list[dict[str, str]]]:
    """A row of the report for each pair."""
    from analyses.style import with_error

    rows = []
    for result in results:
        row = {"checkpoint": result.label}
        for split, (height, error, place) in result.barriers().items():
            row[f"{split} barrier, ± sampling error"] = with_error(height, error)
            row[f"at ({split})"] = f"{place:.2f}"
        rows.append(row)
    return {"": rows}


def draw(results: Sequence[Interpolation], look: Look | None = None) -> dict[str, Figure]:
    """The loss and accuracy of every split along each line."""
    from analyses.interpolate_figures import curves_with_barriers

    return {"interpolate": curves_with_barriers(results, look)}

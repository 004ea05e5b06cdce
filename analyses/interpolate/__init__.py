"""The loss on the straight line between two checkpoints, and the barrier between them."""

from typing import TYPE_CHECKING, Any

from analyses.analysis import Analysis, Takes
from analyses.interpolate.settings import Settings
from analyses.slices.settings import SLICE_PRECISIONS

if TYPE_CHECKING:
    from analyses.interpolate.result import Interpolation

__all__ = ["ANALYSIS", "Interpolation", "Settings", "compute", "draw", "of", "tabulate"]

ANALYSIS: "Analysis[Settings, Interpolation]" = Analysis(
    name="interpolate",
    package=__name__,
    question="what lies between two checkpoints?",
    title="Interpolation",
    summary="the loss on the straight line between two checkpoints, and the barrier between them",
    reading={
        "": (
            "The loss of the weighted mean of two networks' weights: 0 is the first, 1 the "
            "second. Without a barrier both lie in one basin. A wide valley about one end and "
            "steep walls about the other say which of the two lies in the flatter place, along "
            "this one line. BatchNorm's statistics go along with the weights unless they are "
            "re-estimated at every point."
        ),
    },
    settings=Settings,
    result="Interpolation",
    takes=Takes.PAIR,
    second_checkpoint="toward_x",
    is_distributed=True,
    precisions=SLICE_PRECISIONS,
    file_settings=("toward_x",),
)
compute, of, tabulate, draw = ANALYSIS.compute, ANALYSIS.of, ANALYSIS.tabulate, ANALYSIS.draw


def __getattr__(name: str) -> Any:
    return ANALYSIS.public_name(name)

"""The path of a training run on its principal plane, and the loss on that plane."""

from typing import TYPE_CHECKING, Any

from analyses.analysis import Analysis
from analyses.saved_epochs import epoch_files
from analyses.slices.settings import SLICE_PRECISIONS
from analyses.trajectory.settings import Settings

if TYPE_CHECKING:
    from analyses.trajectory.result import Trajectory

__all__ = ["ANALYSIS", "Trajectory", "Settings", "compute", "draw", "of", "tabulate"]

ANALYSIS: "Analysis[Settings, Trajectory]" = Analysis(
    name="trajectory",
    package=__name__,
    question="which way did the training go?",
    title="Training trajectory",
    summary="the path of a run's saved epochs on their principal plane, over the loss there",
    reading={
        "": (
            "The path that training took, seen on the plane that it varied in most; the axes "
            "say how much of the path's variance each explains. The contours are the loss on "
            "the plane, which the path meets only at its end: the right panel compares the loss"
            " of the saved networks with that of their projections, and says how far off the "
            "plane they are. A random walk in many dimensions also looks like a smooth curve on"
            " its principal plane, so its shape proves little."
        ),
    },
    settings=Settings,
    result="Trajectory",
    is_distributed=True,
    precisions=SLICE_PRECISIONS,
    file_settings=("directions", "toward_x", "toward_y"),
    reads=epoch_files,
    has_defaults_in_report=True,
)
compute, of, tabulate, draw = ANALYSIS.compute, ANALYSIS.of, ANALYSIS.tabulate, ANALYSIS.draw


def __getattr__(name: str) -> Any:
    return ANALYSIS.public_name(name)

"""The loss along a line through the weights: L(theta + a d), the 1D form of the surface."""

from typing import TYPE_CHECKING, Any

from analyses.analysis import Analysis
from analyses.line.settings import Settings
from analyses.slices.settings import SLICE_PRECISIONS

if TYPE_CHECKING:
    from analyses.line.result import Line

__all__ = ["ANALYSIS", "Line", "Settings", "compute", "draw", "of", "tabulate"]

ANALYSIS: "Analysis[Settings, Line]" = Analysis(
    name="line",
    package=__name__,
    question="and along one direction?",
    title="Loss along a line",
    summary="the loss along one direction through the weights",
    reading={
        "": (
            "The loss as the weights move along one direction; 0 is the trained network. A wide"
            " valley means a flat minimum, steep walls a sharp one. A random line is one cut of"
            " very many, so small differences between curves mean little; where several were "
            "drawn, the band holds them all and the curve is their mean. The lighter band about"
            " a single curve is the 95 % interval of the loss over samples."
        ),
    },
    settings=Settings,
    result="Line",
    is_distributed=True,
    precisions=SLICE_PRECISIONS,
    file_settings=("directions", "toward_x"),
    foreign="foreign",
)
compute, of, tabulate, draw = ANALYSIS.compute, ANALYSIS.of, ANALYSIS.tabulate, ANALYSIS.draw


def __getattr__(name: str) -> Any:
    return ANALYSIS.public_name(name)

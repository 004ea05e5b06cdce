"""Flatness: the loss around the weights, on average under noise and at its worst in a ball."""

from typing import TYPE_CHECKING, Any

from analyses.analysis import Analysis
from analyses.flatness.settings import Settings

if TYPE_CHECKING:
    from analyses.flatness.result import Flatness

__all__ = ["ANALYSIS", "Flatness", "Settings", "compute", "draw", "of", "tabulate"]

ANALYSIS: "Analysis[Settings, Flatness]" = Analysis(
    name="flatness",
    package=__name__,
    question="what do noise and the worst direction do to the loss?",
    in_paper="Tables 1, 5",
    title="Flatness",
    summary="the loss under random noise on the weights, and at its worst in a ball around them",
    reading={
        "": (
            "How far the loss rises around the weights: on average under Gaussian noise (L^N), and "
            "at the highest point found in a ball, which bounds the true maximum from below. The "
            "size of noise and balls is the same for all weights, relative to the norm of each "
            "filter, or relative to each weight; only the last does not depend on how a network's "
            "weights are scaled. A flatter network does not necessarily generalise better."
        ),
        "flatness": (
            "Top: the mean loss under noise by the noise's size; the band is the 68 % interval of "
            "Student's t, of samples and draws together. Bottom: the highest loss found in a ball "
            "by the ball's radius, with a small cross for SAM's single step. A curve ends early "
            "where a draw of larger noise has no finite loss."
        ),
    },
    settings=Settings,
    result="Flatness",
)
compute, of, tabulate, draw = ANALYSIS.compute, ANALYSIS.of, ANALYSIS.tabulate, ANALYSIS.draw


def __getattr__(name: str) -> Any:
    return ANALYSIS.public_name(name)

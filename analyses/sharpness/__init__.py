"""The sharpness along training, against the edge of stability."""

from typing import TYPE_CHECKING, Any

from analyses.analysis import Analysis
from analyses.saved_epochs import epoch_files
from analyses.sharpness.settings import Settings

if TYPE_CHECKING:
    from analyses.sharpness.result import Sharpness

__all__ = ["ANALYSIS", "Sharpness", "Settings", "compute", "draw", "of", "tabulate"]

ANALYSIS: "Analysis[Settings, Sharpness]" = Analysis(
    name="sharpness",
    package=__name__,
    question="how did the sharpness develop, against the edge of stability?",
    title="Sharpness along training",
    summary="the top Hessian eigenvalue at every saved epoch, against the edge of stability",
    reading={
        "": (
            "The largest Hessian eigenvalue, λ_max, at the saved epochs of each run, on one "
            "sample, and the smallest, λ_min, as far as the same products show it. On a subsample "
            "λ_max is biased upwards. "
            "With SGD a step along its eigenvector overshoots where it is above the edge of "
            "stability, 2 (1 + momentum) / learning rate; SAM's own edge is lower and falls "
            "with the gradient."
        ),
        "sharpness": (
            "Above, the largest eigenvalue (solid) and, for SGD, the edge of stability "
            "(dotted): where the two meet, the learning rate limits the sharpness. Below, the "
            "cosine of the gradient with its eigenvector: near 1, training moves along "
            "its steepest direction."
        ),
    },
    settings=Settings,
    result="Sharpness",
    reads=epoch_files,
)
compute, of, tabulate, draw = ANALYSIS.compute, ANALYSIS.of, ANALYSIS.tabulate, ANALYSIS.draw


def __getattr__(name: str) -> Any:
    return ANALYSIS.public_name(name)

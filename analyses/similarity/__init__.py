"""Similarity of layers and of weights, and what a rescaling does to sharpness."""

from typing import TYPE_CHECKING, Any

from analyses.analysis import Analysis
from analyses.similarity.settings import Settings

if TYPE_CHECKING:
    from analyses.similarity.result import Similarity

__all__ = ["ANALYSIS", "Similarity", "Settings", "compute", "draw", "of", "tabulate"]

ANALYSIS: "Analysis[Settings, Similarity]" = Analysis(
    name="similarity",
    package=__name__,
    question="do networks compute alike, and is it the function that is sharp?",
    title="Similarity and invariance",
    summary="CKA between layers and networks, weights compared, and sharpness under rescaling",
    reading={
        "": (
            "How alike layers and networks are, by their features (CKA: 1 for the same up to "
            "rotation and scale, about 0 for unrelated ones) and by their weights; and what "
            "happens to measures of sharpness when weights are rescaled so that the function "
            "stays the same. A ratio other than 1 there is a property of the weights' scale, "
            "not of the function. The error of CKA is a jackknife's over samples; cosines and "
            "distances are exact."
        ),
        "similarity": (
            "Each map compares all layers of a network (rows) with its own or, for a second "
            "network of the same architecture, with the first's. Bright blocks off the diagonal"
            " are layers that do much the same."
        ),
        "similarity-networks": (
            "CKA of the last layers of all pairs of networks, on the same samples."
        ),
        "similarity-invariance": (
            "Measures of sharpness after all rescalings relative to before, with errors; the "
            "function is the same. What lies off the line at 1 is not invariant."
        ),
    },
    settings=Settings,
    result="Similarity",
    file_settings=("reference",),
    reference="reference",
    adapts=("hessian",),
)
compute, of, tabulate, draw = ANALYSIS.compute, ANALYSIS.of, ANALYSIS.tabulate, ANALYSIS.draw


def __getattr__(name: str) -> Any:
    return ANALYSIS.public_name(name)

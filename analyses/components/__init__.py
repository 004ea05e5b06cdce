"""The sharpness of components: the paper's Table 3."""

from typing import TYPE_CHECKING, Any

from analyses.analysis import Analysis
from analyses.components.settings import Settings

if TYPE_CHECKING:
    from analyses.components.result import ComponentCurvature

__all__ = ["ANALYSIS", "ComponentCurvature", "Settings", "compute", "draw", "of", "tabulate"]

ANALYSIS: "Analysis[Settings, ComponentCurvature]" = Analysis(
    name="components",
    package=__name__,
    question="where does the sharpness sit?",
    in_paper="Table 3",
    title="Sharpness of components",
    summary="the largest Hessian eigenvalue within each component of the network",
    reading={
        "": (
            "Where the sharpness sits: the largest curvature within each part of the network "
            "while all other weights are held fixed. No part's is above that of the whole "
            "network; the one that comes closest to it carries it. Together with its residual "
            "an eigenvalue is a bound: a true one of this sample's block lies within residual ×"
            " |λ|. The smallest ones come from the same products: one that has not converged is "
            "at most what is shown. On a subsample the largest are biased upwards, as that of the "
            "whole network is. Bars in the picture are sampling errors, or residuals where these "
            "are larger."
        ),
    },
    settings=Settings,
    result="ComponentCurvature",
    is_distributed=True,
    adapts=("hessian",),
)
compute, of, tabulate, draw = ANALYSIS.compute, ANALYSIS.of, ANALYSIS.tabulate, ANALYSIS.draw


def __getattr__(name: str) -> Any:
    return ANALYSIS.public_name(name)

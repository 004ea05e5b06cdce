"""The factors of a dense layer's Hessian, after Chen, Hsieh and Gong (ICLR 2022)."""

from typing import TYPE_CHECKING, Any

from analyses.analysis import Analysis
from analyses.recursion.settings import Settings

if TYPE_CHECKING:
    from analyses.recursion.result import Recursion

__all__ = ["ANALYSIS", "Recursion", "Settings", "compute", "draw", "of", "tabulate"]

ANALYSIS: "Analysis[Settings, Recursion]" = Analysis(
    name="recursion",
    package=__name__,
    question="what makes a layer's Hessian large?",
    in_paper="in the text",
    title="The recursion of layer Hessians",
    summary="the factors of each MLP layer's Hessian: inputs, slopes, pre-activation Hessian",
    reading={
        "": (
            "A dense layer's Hessian is made of its input a and of the Hessian with respect to its "
            "output h. Each such layer of the MLPs is measured: the squared norm of a, the "
            "eigenvalue of largest magnitude of the Hessian with respect to h, the share of "
            "neurons whose activation function passes something on, and what the two factors "
            "bound: the eigenvalue of largest magnitude of the block of the layer's weight."
        ),
        "recursion": (
            "From top to bottom: ‖a‖² of a sample, all tokens together; |λ| of the Hessian of a "
            "sample's loss with respect to h; the share of neurons with |f'(h)| > 0.1; |λ| of the "
            "weight's block, and dotted the bound ‖A‖²|λ| on it. Filled marks are the layers "
            "before an activation function, open ones those after it, diamonds the head. Bars are "
            "standard errors over samples; of replicates the mean is drawn, with the range of the "
            "runs as its bar."
        ),
    },
    settings=Settings,
    result="Recursion",
)
compute, of, tabulate, draw = ANALYSIS.compute, ANALYSIS.of, ANALYSIS.tabulate, ANALYSIS.draw


def __getattr__(name: str) -> Any:
    return ANALYSIS.public_name(name)

"""The Hessian eigenvalues of single mini-batches, gathered over many (Park and Kim, ICLR 2022)."""

from typing import TYPE_CHECKING, Any

from analyses.analysis import Analysis
from analyses.minibatch.settings import Settings

if TYPE_CHECKING:
    from analyses.minibatch.result import MinibatchSpectra

__all__ = ["ANALYSIS", "MinibatchSpectra", "Settings", "compute", "draw", "of", "tabulate"]

ANALYSIS: "Analysis[Settings, MinibatchSpectra]" = Analysis(
    name="minibatch",
    package=__name__,
    question="what do single batches see?",
    title="Mini-batch Hessian spectra",
    summary="the top Hessian eigenvalues of many mini-batches, as a histogram",
    reading={
        "": (
            "The largest eigenvalues of the Hessian of single mini-batches, as an optimizer "
            "meets them, gathered over many. A mini-batch's Hessian is noisier and its largest "
            "eigenvalue larger than that of the whole sample."
        ),
        "minibatch": (
            "Each histogram holds the top eigenvalues of all mini-batches of one network. The "
            "further to the right it reaches, the steeper the loss that the optimizer steps on;"
            " what lies left of 0 are directions in which it is not convex."
        ),
    },
    settings=Settings,
    result="MinibatchSpectra",
)
compute, of, tabulate, draw = ANALYSIS.compute, ANALYSIS.of, ANALYSIS.tabulate, ANALYSIS.draw


def __getattr__(name: str) -> Any:
    return ANALYSIS.public_name(name)

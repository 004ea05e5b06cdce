"""The condition number of the neural tangent kernel: kappa of the paper's Table 1."""

from typing import TYPE_CHECKING, Any

from analyses.analysis import Analysis
from analyses.ntk.settings import Settings

if TYPE_CHECKING:
    from analyses.ntk.result import TangentKernel

__all__ = ["ANALYSIS", "Settings", "TangentKernel", "compute", "draw", "of", "tabulate"]

ANALYSIS: "Analysis[Settings, TangentKernel]" = Analysis(
    name="ntk",
    package=__name__,
    question="how well is training conditioned?",
    in_paper="Table 1",
    title="Neural tangent kernel",
    summary="the condition number and spectrum of the neural tangent kernel",
    reading={
        "": (
            "The kernel of the network's linearisation over a few samples. Its condition number κ "
            "is the ratio of the largest to the smallest eigenvalue: gradient descent learns the "
            "directions of small eigenvalues that much later. Errors are standard errors over "
            "seeds: other fresh weights, or at a checkpoint other samples. κ grows with the number "
            "of samples and outputs, so compare only values of the same numbers. BatchNorm "
            "normalises a fresh network by statistics of the samples, unless the table says "
            "otherwise."
        ),
        "ntk": (
            "Left, the eigenvalues of the full kernel over samples and outputs, relative to the "
            "largest and in descending order, for the first seed; middle, those of its sum over "
            "outputs. The further down a curve ends, the worse the kernel is conditioned. Right, κ "
            "with the standard error over seeds; a triangle marks a lower bound, where the "
            "smallest eigenvalue is rounding."
        ),
    },
    settings=Settings,
    result="TangentKernel",
)
compute, of, tabulate, draw = ANALYSIS.compute, ANALYSIS.of, ANALYSIS.tabulate, ANALYSIS.draw


def __getattr__(name: str) -> Any:
    return ANALYSIS.public_name(name)

"""Behaviour between inputs: the missing rate of the paper's Table 5."""

from typing import TYPE_CHECKING, Any

from analyses.analysis import Analysis
from analyses.linearity.settings import Settings

if TYPE_CHECKING:
    from analyses.linearity.result import Linearity

__all__ = ["ANALYSIS", "Linearity", "Settings", "compute", "draw", "of", "tabulate"]

ANALYSIS: "Analysis[Settings, Linearity]" = Analysis(
    name="linearity",
    package=__name__,
    question="how does the network behave between inputs?",
    in_paper="Table 5",
    title="Linearity between inputs",
    summary="the missing rate at midpoints of pairs, and the loss between inputs",
    reading={
        "": (
            "Pairs of inputs are mixed, from the one to the other. A miss is a prediction that is "
            "neither input's class; its rate at the midpoints is the paper's R. The loss is that "
            "of mixup: the two classes' losses in the proportion of the mixture. Pairs have no "
            "sample in common, and the errors are standard errors over pairs."
        ),
        "linearity": (
            "From one input to the other: the share of misses, the loss, and the norm of the "
            "loss's gradient with respect to the input. The lower the hump in the middle, the more "
            "linearly the network behaves between inputs; at the ends are the inputs themselves."
        ),
    },
    settings=Settings,
    result="Linearity",
)
compute, of, tabulate, draw = ANALYSIS.compute, ANALYSIS.of, ANALYSIS.tabulate, ANALYSIS.draw


def __getattr__(name: str) -> Any:
    return ANALYSIS.public_name(name)

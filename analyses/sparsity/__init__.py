"""Activation sparsity: the share of neurons that are active, layer by layer."""

from typing import TYPE_CHECKING, Any

from analyses.analysis import Analysis
from analyses.sparsity.settings import Settings

if TYPE_CHECKING:
    from analyses.sparsity.result import Sparsity

__all__ = ["ANALYSIS", "Sparsity", "Settings", "compute", "draw", "of", "tabulate"]

ANALYSIS: "Analysis[Settings, Sparsity]" = Analysis(
    name="sparsity",
    package=__name__,
    question="how many neurons are active?",
    in_paper="Figure 2",
    title="Activation sparsity",
    summary="the share of active neurons in each layer, dead neurons, and the rank of features",
    reading={
        "": (
            "For each activation layer, from the first to the last, the share of neurons whose "
            "value is greater than 0, averaged over the sample, tokens or pixels, and neurons. The "
            "lower a curve, the fewer neurons take part in each decision. A neuron is dead if it "
            "is active nowhere in the sample; with more samples there can only be fewer. The error "
            "of the rank of the features is a jackknife's over samples."
        ),
        "sparsity-neurons": (
            "Left, the share of neurons that are never active, by layer; middle, the effective "
            "rank of the features, exp of the entropy of the shares of their variances, at most "
            "the number of neurons; right, how often single neurons are active, over all layers: a "
            "hump in the middle is made of neurons that split the inputs, mass at the ends of "
            "neurons that say little."
        ),
    },
    settings=Settings,
    result="Sparsity",
    examples=(
        "landscape-plot sparsity weights.pth --model my_net.py:make \\\n"
        "                 --data my_data.py:load",
    ),
)
compute, of, tabulate, draw = ANALYSIS.compute, ANALYSIS.of, ANALYSIS.tabulate, ANALYSIS.draw


def __getattr__(name: str) -> Any:
    return ANALYSIS.public_name(name)

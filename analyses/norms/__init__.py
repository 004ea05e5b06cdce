"""Norms of the weights and of the layers' outputs (Table 3 of Chen, Hsieh and Gong, 2022)."""

from typing import TYPE_CHECKING, Any

from analyses.analysis import Analysis
from analyses.norms.settings import Settings

if TYPE_CHECKING:
    from analyses.norms.result import Norms

__all__ = ["ANALYSIS", "Norms", "Settings", "compute", "draw", "of", "tabulate"]

ANALYSIS: "Analysis[Settings, Norms]" = Analysis(
    name="norms",
    package=__name__,
    question="how large are weights and activations?",
    in_paper="Table 3",
    title="Norms of weights and activations",
    summary="the norms of the weights by component, and of activations by layer",
    reading={
        "": (
            "The l2 norm of the trainable parameters, whole and by component, and the mean over "
            "the sample of the l2 norm of a layer's output."
        ),
        "norms": (
            "Left: the norm of each component's parameters; these are exact. Right: the mean norm "
            "of a sample's whole activation after each MLP's activation function, with its "
            "standard error over samples; all activation layers are shown where no MLP is known."
        ),
    },
    settings=Settings,
    result="Norms",
)
compute, of, tabulate, draw = ANALYSIS.compute, ANALYSIS.of, ANALYSIS.tabulate, ANALYSIS.draw


def __getattr__(name: str) -> Any:
    return ANALYSIS.public_name(name)

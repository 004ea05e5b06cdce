"""Attention maps of the class token, and the entropy of attention, layer by layer."""

from typing import TYPE_CHECKING, Any

from analyses.analysis import Analysis
from analyses.attention.settings import Settings

if TYPE_CHECKING:
    from analyses.attention.result import Attention

__all__ = ["ANALYSIS", "Attention", "Settings", "compute", "draw", "of", "tabulate"]

ANALYSIS: "Analysis[Settings, Attention]" = Analysis(
    name="attention",
    package=__name__,
    question="where does the class token look?",
    in_paper="Figure 3",
    title="Attention",
    summary="attention maps of the class token, and the entropy of attention in each layer",
    reading={
        "": (
            "Where a transformer looks, in a few pictures and in numbers over the whole sample. "
            "The entropy of attention weights is 0 where one token gets all attention, and the "
            "logarithm of the number of tokens where all get the same."
        ),
        "attention": (
            "The raw attention of the last layer from the class token to each patch of the "
            "picture, the mean over heads; without a class token the mean over all patches as "
            "queries. A colour stands for the same weight in all maps. Maps show where a network "
            "looks, not what it makes of what it sees."
        ),
        "attention-rollout": (
            "The same for attention rollout: the product over all layers of (A + I) / 2, A the "
            "mean attention of the heads, as if each layer passed on half of what a token held."
        ),
        "attention-heads": (
            "The raw attention of the last layer in the first picture, head by head. A mean over "
            "heads can hide that they look at different things."
        ),
        "attention-entropy": (
            "For each layer the mean entropy of attention over heads, with the range of the heads "
            "as a band. Dashed is the maximum, log(keys). The lower, the fewer tokens a head looks "
            "at."
        ),
    },
    settings=Settings,
    result="Attention",
)
compute, of, tabulate, draw = ANALYSIS.compute, ANALYSIS.of, ANALYSIS.tabulate, ANALYSIS.draw


def __getattr__(name: str) -> Any:
    return ANALYSIS.public_name(name)

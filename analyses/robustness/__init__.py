"""Robustness: accuracy on corrupted, attacked and other pictures (the paper's Tables 1 and 2)."""

from typing import TYPE_CHECKING, Any

from analyses.analysis import Analysis
from analyses.robustness.settings import Settings

if TYPE_CHECKING:
    from analyses.robustness.result import Robustness

__all__ = ["ANALYSIS", "Robustness", "Settings", "compute", "draw", "of", "tabulate"]

ANALYSIS: "Analysis[Settings, Robustness]" = Analysis(
    name="robustness",
    package=__name__,
    question="what do corruptions and attacks do to the accuracy?",
    in_paper="Tables 1, 2",
    title="Robustness",
    summary="accuracy on corrupted and attacked pictures and on other sets",
    reading={
        "": (
            "The accuracy on held-out pictures after the corruptions of ImageNet-C, under attacks "
            "that move every pixel by at most a radius, and on other sets. Errors are standard "
            "errors over pictures; those of means over corruptions take into account that these "
            "are of the same pictures. All networks see the same corrupted pictures."
        ),
        "robustness": (
            "Above, accuracy by severity of corruption, the mean over families, and by radius of "
            "the attacks; at 0 are the unmodified pictures. Below, each family by itself, the mean "
            "over severities, and the further sets. Bars are standard errors. A network is robust "
            "where its curve falls late, not where it starts high. FGSM takes one step of the "
            "whole radius; PGD starts at random and takes small steps, and is the weaker attack "
            "where these are too short to cross the ball."
        ),
    },
    settings=Settings,
    result="Robustness",
    split="test",
)
compute, of, tabulate, draw = ANALYSIS.compute, ANALYSIS.of, ANALYSIS.tabulate, ANALYSIS.draw


def __getattr__(name: str) -> Any:
    return ANALYSIS.public_name(name)

"""The loss on a plane through the weights: L(theta + a dx + b dy)."""

from typing import TYPE_CHECKING, Any

from analyses.analysis import Analysis
from analyses.slices.settings import SLICE_PRECISIONS
from analyses.surface.settings import Settings, answered_by, on_screen

if TYPE_CHECKING:
    from analyses.surface.result import Surface

__all__ = ["ANALYSIS", "Surface", "Settings", "compute", "draw", "of", "tabulate"]

ANALYSIS: "Analysis[Settings, Surface]" = Analysis(
    name="surface",
    package=__name__,
    question="what does the loss look like around the weights?",
    in_paper="Figures 1, 5",
    title="Loss surface",
    summary="the loss on a plane through the weights, along two directions",
    reading={
        "": (
            "Each picture shows the loss as the weights move away from the trained network "
            "(marked) along two directions; random ones are scaled filter by filter, so that "
            "networks with larger weights don't look flatter. Tightly packed contours mean that"
            " small changes of the weights raise the loss quickly: a sharp minimum; wide "
            "spacing means a flat one."
        ),
    },
    settings=Settings,
    result="Surface",
    is_distributed=True,
    precisions=SLICE_PRECISIONS,
    file_settings=("directions", "toward_x", "toward_y"),
    on_screen=on_screen,
    answered_by=answered_by,
    foreign="foreign",
    examples=(
        "landscape-plot surface checkpoints/digits-vit checkpoints/digits-vit-sam \\\n"
        "                 --x=-1:1:51 --y=-1:1:51 --output-dir figures/digits",
    ),
)
compute, of, tabulate, draw = ANALYSIS.compute, ANALYSIS.of, ANALYSIS.tabulate, ANALYSIS.draw


def __getattr__(name: str) -> Any:
    return ANALYSIS.public_name(name)

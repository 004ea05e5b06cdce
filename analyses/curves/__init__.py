"""Training curves of runs: errors, accuracies and losses by epoch (the paper's Figure 2)."""

from typing import TYPE_CHECKING, Any

from analyses.analysis import Analysis, Takes
from analyses.curves.settings import Settings

if TYPE_CHECKING:
    from analyses.curves.result import Curves

__all__ = ["ANALYSIS", "Curves", "Settings", "compute", "draw", "of", "tabulate"]

ANALYSIS: "Analysis[Settings, Curves]" = Analysis(
    name="curves",
    package=__name__,
    question="how did the training go?",
    in_paper="Figure 2",
    title="Training curves",
    summary="training error and validation accuracy by epoch, from each run's metrics",
    reading={
        "": (
            "As each run recorded them while it trained: errors and losses on the training data "
            "are means over the epoch's steps, on augmented batches and at changing weights; those "
            "on the validation data are of the weights at the epoch's end."
        ),
        "curves": (
            "Left, the share of training samples that were misclassified; right, the validation "
            "accuracy. A run that ends with the larger training error and the larger validation "
            "accuracy has been regularised."
        ),
        "curves-loss": (
            "The loss that was minimised, on the training data (left) as the mean over the epoch's "
            "steps, with mixup or augmentation where these were on and at the weights before each "
            "of SAM's ascents, and on clean validation data (right). The axes name it; weight "
            "decay is in neither. The paper's L_train is another number: the softmax cross-entropy "
            "of clean samples at the final weights, which the Hessian's report has. "
            "Where the right curve turns up while the left one falls, the run overfits."
        ),
    },
    settings=Settings,
    result="Curves",
    takes=Takes.RUN,
)
compute, of, tabulate, draw = ANALYSIS.compute, ANALYSIS.of, ANALYSIS.tabulate, ANALYSIS.draw


def __getattr__(name: str) -> Any:
    return ANALYSIS.public_name(name)

"""How much more sure than right is a classifier? An analysis that a package of its own adds.

It becomes ``landscape-plot calibration``, with its flag ``--bins``, its HDF5 and JSON files, its
picture and its section of the report; from Python it is ``ANALYSIS.of(model, data)``.
"""

from typing import TYPE_CHECKING

from analyses import Analysis
from calibration.settings import Settings

if TYPE_CHECKING:  # so that --help imports no torch
    from calibration.result import Calibration

ANALYSIS: "Analysis[Settings, Calibration]" = Analysis(
    name="calibration",
    package=__name__,
    question="how much more sure than right is the classifier?",
    title="Calibration",
    summary="mean confidence less accuracy, and the accuracy by confidence",
    reading={
        "": "Confidence is the probability of the predicted class. Below the diagonal the "
        "network is surer than it is right. Bars are standard errors of the accuracy."
    },
    settings=Settings,
    result="Calibration",
    split="test",
)

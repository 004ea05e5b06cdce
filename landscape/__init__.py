"""The engine of the loss-landscape toolkit; the analyses are in the package ``analyses``."""

from landscape.checkpoints.load import Checkpoint, load_checkpoint
from landscape.errors import (
    DivergenceError,
    InputError,
    LandscapeError,
    NotMeasurableError,
)
from landscape.evaluation import Evaluation
from landscape.objective import Objective
from landscape.parameters import ParameterLayout
from landscape.provenance import Provenance
from landscape.results import Array, Result

__all__ = [
    "Array",
    "Checkpoint",
    "DivergenceError",
    "Evaluation",
    "InputError",
    "LandscapeError",
    "NotMeasurableError",
    "Objective",
    "ParameterLayout",
    "Provenance",
    "Result",
    "load_checkpoint",
]

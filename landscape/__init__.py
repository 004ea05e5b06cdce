"""The engine of the loss-landscape toolkit; the analyses are in the package ``analyses``.

The names below are imported from their modules when they are first used, so that a command can
show its help without importing torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from landscape.checkpoints.load import Checkpoint, load_checkpoint
    from landscape.curvature.operators import CurvatureOperator
    from landscape.directions.direction import Direction, random_direction
    from landscape.eigen.lanczos import lanczos
    from landscape.errors import (
        DivergenceError,
        InputError,
        LandscapeError,
        NotMeasurableError,
    )
    from landscape.estimates import Estimate
    from landscape.objective.evaluation import Evaluation
    from landscape.objective.objective import Objective
    from landscape.parameters.layout import ParameterLayout
    from landscape.results.provenance import Provenance
    from landscape.results.result import Array, Result
    from landscape.runtime.machine.threads import threads
    from landscape.tracking.tracker import Tracker
    from landscape.training.sam.ascent import frozen_batch_statistics
    from landscape.training.sam.optimizer import SAM

__all__ = [
    "Array",
    "Checkpoint",
    "CurvatureOperator",
    "Direction",
    "DivergenceError",
    "Estimate",
    "Evaluation",
    "InputError",
    "LandscapeError",
    "NotMeasurableError",
    "Objective",
    "ParameterLayout",
    "Provenance",
    "Result",
    "SAM",
    "Tracker",
    "frozen_batch_statistics",
    "lanczos",
    "load_checkpoint",
    "random_direction",
    "threads",
]

_MODULES = {
    "checkpoints.load": ("Checkpoint", "load_checkpoint"),
    "curvature.operators": ("CurvatureOperator",),
    "directions.direction": ("Direction", "random_direction"),
    "eigen.lanczos": ("lanczos",),
    "errors": ("DivergenceError", "InputError", "LandscapeError", "NotMeasurableError"),
    "estimates": ("Estimate",),
    "objective.evaluation": ("Evaluation",),
    "objective.objective": ("Objective",),
    "parameters.layout": ("ParameterLayout",),
    "results.provenance": ("Provenance",),
    "results.result": ("Array", "Result"),
    "runtime.machine.threads": ("threads",),
    "tracking.tracker": ("Tracker",),
    "training.sam.ascent": ("frozen_batch_statistics",),
    "training.sam.optimizer": ("SAM",),
}


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            value = getattr(import_module(f"landscape.{module}"), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module 'landscape' has no attribute {name!r}")

"""The grid of the tests of surfaces."""

import torch

from analyses.slices.grid import Axis
from analyses.surface.settings import Settings

GRID = Settings(x=Axis(-1.0, 2.0, 4), y=Axis(-0.5, 0.75, 6), seed=4)
X0, Y0 = 1, 2  # where 0 is


def direction_vectors(plane, problem):
    """The two directions of a result as vectors."""
    return [
        problem.layout.flatten(
            [
                torch.from_numpy(plane.directions[f"{d}direction/{k}"])
                for k in range(len(problem.layout.shapes))
            ]
        )
        for d in "xy"
    ]

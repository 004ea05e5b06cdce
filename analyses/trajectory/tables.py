"""The report's table of trajectories."""

from collections.abc import Sequence

import numpy as np

from analyses.drawing.numbers import number
from analyses.trajectory.result import Trajectory


def tabulate(results: Sequence[Trajectory]) -> dict[str, list[dict[str, str]]]:
    """A row of the report for each run."""
    return {"": [_row(result) for result in results]}


def _row(result: Trajectory) -> dict[str, str]:
    path = result.path
    return {
        "checkpoint": result.label,
        "epochs": str(len(path["epoch"])),
        "variance explained by x and y, %": " and ".join(
            f"{100 * share:.1f}" for share in path["explained"][:2]
        ),
        "largest distance from the plane": number(float(path["distance"].max())),
        "largest |path loss - plane loss|": number(
            float(np.abs(path["loss"] - path["plane_loss"]).max())
        ),
    }

"""The report's table of trajectories."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analyses.drawing.numbers import number
from analyses.trajectory.result import Trajectory


def tabulate(results: Sequence[Trajectory]) -> dict[str, list[dict[str, str]]]:
    """A row of the report for each run."""
    return {
        "": [
            {
                "checkpoint": result.label,
                "epochs": str(len(result.path["epoch"])),
                "variance explained by x and y, %": " and ".join(
                    f"{100 * share:.1f}" for share in result.path["explained"][:2]
                ),
                "largest distance from the plane": number(float(result.path["distance"].max())),
                "largest |path loss - plane loss|": number(
                    float(np.abs(result.path["loss"] - result.path["plane_loss"]).max())
                ),
            }
            for result in results
        ]
    }

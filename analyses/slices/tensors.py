"""What directions do to each parameter tensor, as result files list it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analyses.slices.settings import SliceSettings
from landscape.directions.direction import Direction
from landscape.objective.objective import Objective
from landscape.parameters.policies import Policy


def tensor_table(
    objective: Objective,
    settings: SliceSettings,
    directions: Sequence[Direction],
    *,
    drawn: bool,
) -> dict[str, NDArray[Any]]:
    """Columns by name, one row a parameter tensor.

    ``name`` and ``kind`` of the tensor; for each axis its treatment by the policy (``given`` where
    the direction was not drawn) and how far 1 along the axis moves it, relative to its norm.
    """
    layout = objective.layout
    treatments = Policy.named(settings.policy, settings.perturb).of(layout)
    table: dict[str, NDArray[Any]] = {
        "name": np.array(layout.names, dtype=object),
        "kind": np.array(layout.kinds, dtype=object),
    }
    for axis, kind in zip("xy"[: len(directions)], settings.axis_kinds, strict=False):
        is_random = drawn and kind == "random"
        shown = treatments if is_random else ("given",) * len(treatments)
        table[f"{axis}_treatment"] = np.array(shown, dtype=object)
    norms = [float(weight.norm()) for weight in layout.views(objective.theta)]
    for axis, direction in zip("xy", directions, strict=False):
        moved = [float(part.norm()) for part in layout.views(direction.vector)]
        table[f"{axis}_moved"] = np.divide(
            moved, norms, out=np.full(len(norms), np.nan), where=np.array(norms) > 0
        )
    return table

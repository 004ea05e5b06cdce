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
    is_drawn: bool,
) -> dict[str, NDArray[Any]]:
    """Describe what each direction does to each parameter tensor.

    Args:
        objective: the loss.
        settings: the policy, and where each direction comes from.
        directions: one or two of them.
        is_drawn: whether they were made as the settings ask, and not given by a caller.

    Returns:
        Columns by name, with one entry for each tensor: ``name`` and ``kind``; for each axis its
        ``treatment`` by the policy (``given`` where the direction is not random), and in ``moved``
        the norm of the direction's tensor relative to that of the weights.
    """
    layout = objective.layout
    treatments = Policy.named(settings.policy, settings.perturb).of(layout)
    table: dict[str, NDArray[Any]] = {
        "name": np.array(layout.names, dtype=object),
        "kind": np.array(layout.kinds, dtype=object),
    }
    for axis, kind in zip("xy"[: len(directions)], settings.axis_kinds, strict=False):
        is_random = is_drawn and kind == "random"
        axis_treatments = treatments if is_random else ("given",) * len(treatments)
        table[f"{axis}_treatment"] = np.array(axis_treatments, dtype=object)
    norms = [float(weight.norm()) for weight in layout.views(objective.theta)]
    for axis, direction in zip("xy", directions, strict=False):
        moved = [float(tensor.norm()) for tensor in layout.views(direction.vector)]
        table[f"{axis}_moved"] = np.divide(
            moved, norms, out=np.full(len(norms), np.nan), where=np.array(norms) > 0
        )
    return table

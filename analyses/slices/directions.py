"""The directions of a line or plane, as its settings ask for them."""

from pathlib import Path

import torch

from analyses.slices.settings import SliceSettings
from landscape.checkpoints.weights import read_weights
from landscape.directions.derived import eigenvector_directions, gradient_direction, toward
from landscape.directions.direction import Direction, orthogonalised, random_direction
from landscape.directions.files import read_directions
from landscape.errors import InputError
from landscape.objective.objective import Objective
from landscape.parameters.policies import Policy


def make_directions(
    objective: Objective, settings: SliceSettings, count: int, repeat: int = 0
) -> list[Direction]:
    """The x direction, and with ``count`` 2 the y direction, on the objective's device.

    A seed means the same draw for every checkpoint of an architecture, scaled to its own weights.
    """
    made = _stored(objective, settings, count)
    if made is None:
        made = _drawn(objective, settings, count, repeat)
    for place, path in enumerate((settings.toward_x, settings.toward_y)[:count]):
        if path:
            other = read_weights(Path(path), objective)
            made[place] = toward(objective, other, states=settings.dir_type != "weights")
    if count == 2 and settings.orthogonalize:
        made[1] = orthogonalised(made[1], made[0])
    return made


def perturbed_norm(objective: Objective, policy: Policy) -> float:
    """The 2-norm of the weights that a policy moves: the length of directions without a scale."""
    views = zip(objective.layout.views(objective.theta), policy.of(objective.layout), strict=True)
    squares = [w.double().square().sum() for w, treatment in views if treatment != "zero"]
    return float(torch.stack(squares).sum().sqrt()) if squares else 1.0


def _stored(objective: Objective, settings: SliceSettings, count: int) -> list[Direction] | None:
    if settings.kinds is not None:
        return None
    path = Path(settings.directions)
    found = read_directions(path, objective.layout, objective.module)
    if len(found) < count:
        raise InputError(f"{path} holds one direction; a surface needs two")
    return [
        Direction(
            direction.vector.to(objective.theta),
            direction.layout,
            None if direction.statistics is None else direction.statistics.to(objective.statistics),
        )
        for direction in found[:count]
    ]


def _drawn(
    objective: Objective, settings: SliceSettings, count: int, repeat: int
) -> list[Direction]:
    kinds = settings.kinds
    assert kinds is not None
    policy = Policy.named(settings.policy, settings.perturb)
    generator = torch.Generator().manual_seed(settings.seed + repeat)
    norm = perturbed_norm(objective, policy)
    eigenvectors = iter(
        eigenvector_directions(
            objective,
            kinds[:count].count("eigenvector"),
            norm,
            torch.Generator().manual_seed(settings.seed),
        )
        if "eigenvector" in kinds[:count]
        else ()
    )
    made = []
    for kind in kinds[:count]:
        if kind == "random":
            direction = random_direction(
                objective.layout,
                objective.theta,
                generator,
                normalize=settings.normalize,
                policy=policy,
            )
            if settings.dir_type == "states":
                copied = policy.statistics == "copy"
                moved = objective.statistics if copied else torch.zeros_like(objective.statistics)
                direction = Direction(direction.vector, direction.layout, moved)
            made.append(direction)
        elif kind == "gradient":
            made.append(gradient_direction(objective, norm))
        else:
            made.append(next(eigenvectors))
    return made

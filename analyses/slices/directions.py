"""The directions of a line or plane, as its settings ask for them."""

from pathlib import Path

import torch

from analyses.slices.settings import PlaneSettings, SliceSettings
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
    """Make the x direction and, with a ``count`` of 2, the y direction.

    A seed gives the same random draw for every checkpoint of an architecture. The draw is then
    scaled to the checkpoint's own weights.

    Args:
        objective: the loss; the directions are on its device.
        settings: where the directions come from.
        count: 1 for a line, 2 for a plane.
        repeat: which of the repeated random draws; it is added to the seed.

    Returns:
        As many directions as ``count`` says.

    Raises:
        InputError: if a file has too few directions, or if a file or checkpoint does not fit the
            model.
    """
    if settings.kinds is None:
        directions = _read(objective, Path(settings.directions), count)
    else:
        directions = _make(objective, settings, settings.kinds[:count], repeat)
    for place, path in enumerate(settings.toward[:count]):
        if path:
            weights = read_weights(Path(path), objective)
            has_states = settings.dir_type != "weights"
            directions[place] = toward(objective, weights, states=has_states)
    if count == 2 and isinstance(settings, PlaneSettings) and settings.orthogonalize:
        directions[1] = orthogonalised(directions[1], directions[0])
    return directions


def perturbed_norm(objective: Objective, policy: Policy) -> float:
    """The 2-norm of the weights that a policy moves: the length of directions without a scale."""
    views = zip(objective.layout.views(objective.theta), policy.of(objective.layout), strict=True)
    squares = [w.double().square().sum() for w, treatment in views if treatment != "zero"]
    return float(torch.stack(squares).sum().sqrt()) if squares else 1.0


def _read(objective: Objective, path: Path, count: int) -> list[Direction]:
    """The first ``count`` directions of a file, on the objective's device."""
    directions = read_directions(path, objective.layout, objective.module)
    if len(directions) < count:
        raise InputError(f"{path} holds one direction; a surface needs two")
    return [
        Direction(
            direction.vector.to(objective.theta),
            direction.layout,
            None if direction.statistics is None else direction.statistics.to(objective.statistics),
        )
        for direction in directions[:count]
    ]


def _make(
    objective: Objective, settings: SliceSettings, kinds: tuple[str, ...], repeat: int
) -> list[Direction]:
    """One direction for each of ``kinds``: drawn, the gradient, or the next eigenvector."""
    policy = Policy.named(settings.policy, settings.perturb)
    generator = torch.Generator().manual_seed(settings.seed + repeat)
    norm = perturbed_norm(objective, policy)
    num_eigenvectors = kinds.count("eigenvector")
    eigenvectors = iter(
        eigenvector_directions(
            objective, num_eigenvectors, norm, torch.Generator().manual_seed(settings.seed)
        )
        if num_eigenvectors
        else ()
    )
    directions = []
    for kind in kinds:
        if kind == "random":
            directions.append(_draw(objective, settings, policy, generator))
        elif kind == "gradient":
            directions.append(gradient_direction(objective, norm))
        else:
            directions.append(next(eigenvectors))
    return directions


def _draw(
    objective: Objective, settings: SliceSettings, policy: Policy, generator: torch.Generator
) -> Direction:
    """A random direction, with BatchNorm statistics where the settings ask for states."""
    direction = random_direction(
        objective.layout,
        objective.theta,
        generator,
        normalize=settings.normalize,
        policy=policy,
    )
    if settings.dir_type != "states":
        return direction
    is_copied = policy.statistics == "copy"
    statistics = objective.statistics if is_copied else torch.zeros_like(objective.statistics)
    return Direction(direction.vector, direction.layout, statistics)

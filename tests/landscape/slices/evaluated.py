"""Objectives, directions, and models that are moved by hand."""

import copy

import torch

from landscape.directions.direction import Direction, random_direction
from landscape.objective.objective import Objective
from tests.oracles.cases import BY_NAME

POINTS = [(0.0, 0.0), (0.5, 0.0), (-0.25, 0.75), (1.0, -1.0)]


def make_direction(objective, seed=0, statistics=False):
    draw = torch.Generator().manual_seed(seed)
    direction = random_direction(objective.layout, objective.theta, draw)
    moved = torch.rand(objective.statistics.shape, generator=draw, dtype=torch.float64)
    moving = 0.2 * moved.to(objective.statistics) if statistics else None
    return Direction(direction.vector, direction.layout, moving)


def plane_of(objective, **options):
    return [make_direction(objective, seed, **options) for seed in (0, 1)]


def objective_of(case, dtype=torch.float64, batch_size=3, **options):
    return Objective(
        case.model(), case.data, case.loss, batch_size=batch_size, device="cpu", dtype=dtype,
        **options,
    )  # fmt: skip


def moved_by_hand(model, directions, point):
    """A float64 copy of the model with each parameter and statistic moved by itself."""
    moved = copy.deepcopy(model).double().eval()
    parameters = [p for p in moved.parameters() if p.requires_grad]
    buffers = [b for b in moved.buffers() if b.is_floating_point()]
    with torch.no_grad():
        for coordinate, direction in zip(point, directions, strict=True):
            for tensors, vector in (
                (parameters, direction.vector),
                (buffers, direction.statistics),
            ):
                start = 0
                for tensor in tensors if vector is not None else ():
                    piece = vector[start : start + tensor.numel()].double()
                    tensor += coordinate * piece.reshape(tensor.shape)
                    start += tensor.numel()
    return moved


def images(count, classes=3, seed=5):
    draw = torch.Generator().manual_seed(seed)
    inputs = torch.randn(count, 3, 4, 4, dtype=torch.float64, generator=draw)
    return inputs, torch.randint(classes, (count,), generator=draw)


def resnet(dtype=torch.float64, **options):
    return objective_of(BY_NAME["resnet with batch norm"], dtype, **options)

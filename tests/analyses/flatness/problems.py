"""Small networks and settings for flatness."""

import math
from functools import cache

import torch
from torch import nn

from analyses import flatness
from analyses.flatness.settings import Settings
from landscape.objective.objective import Objective
from tests.analyses.problems import objective
from tests.oracles.cases import BY_NAME

SMALL = Settings(
    sigmas=(0.01, 0.05),
    relative_sigmas=(0.1, 0.3, 0.5),
    draws=4,
    radii=(0.05, 0.2),
    adaptive_radii=(0.3,),
    linf_radii=(0.01, 0.02),
    ascent_steps=4,
    policy="all",
    perturb=("bias=zero",),
    seed=9,
)


def case_objective(name, **options):
    case = BY_NAME[name]
    return Objective(
        case.model(), case.data, case.loss, device="cpu", dtype=torch.float64, **options
    )


@cache
def measured(seed=0, settings=SMALL):
    return flatness.compute(objective("plain", seed, torch.float64), settings)


class Wall(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(3))

    def forward(self, x):
        return (x + self.weight.sum()).unsqueeze(1)


@cache
def at_a_wall():
    """The flatness of a loss that is infinite a little away from the weights."""

    def loss(outputs, targets):
        away = outputs.abs().mean()
        return torch.where(away > 0.05, math.inf, away)

    problem = Objective(Wall(), (torch.zeros(4), torch.zeros(4)), loss, device="cpu")
    return flatness.compute(problem, Settings(noise=("fixed",), sigmas=(1e-4, 0.5), draws=6))

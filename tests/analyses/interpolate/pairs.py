"""Pairs of networks of the oracle cases, and the line between them."""

import copy

import torch

from analyses import interpolate
from analyses.interpolate.settings import Settings
from analyses.slices.grid import Axis
from landscape.checkpoints.weights import weights_of
from landscape.directions.derived import toward
from tests.analyses.case_objectives import case_objective
from tests.oracles.cases import BY_NAME, randomise

AXIS = Axis(-0.5, 1.5, 9)
ZERO, ONE = 2, 6  # where the two checkpoints are


def pair(name, dtype=torch.float64):
    """A case's network, and another with weights and statistics of its own."""
    case = BY_NAME[name]
    first = case.model()
    with torch.random.fork_rng():
        torch.manual_seed(77)
        other = randomise(copy.deepcopy(first))
    return first.to(dtype), other.to(dtype)


def between(name, settings=None, dtype=torch.float64, states=True, **options):
    """The interpolation of a case, and the objectives of both ends."""
    first, other = pair(name, dtype)
    problem = case_objective(name, dtype, model=first, **options)
    along = toward(problem, weights_of(other, problem), states=states)
    line = interpolate.compute(problem, settings or Settings(x=AXIS), direction=along)
    return line, problem, case_objective(name, dtype, model=other, **options)


def mixed(first, other, t):
    """The network whose parameters and statistics are (1 - t) of one and t of the other."""
    model, end = copy.deepcopy(first), other.state_dict()
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point():
                tensor.mul_(1 - t).add_(end[name], alpha=t)
    return model.eval()

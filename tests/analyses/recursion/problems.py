"""Networks whose layer Hessians are measured, and what dense linear algebra says of them."""

import math
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F

from analyses import recursion
from analyses.recursion.settings import Settings
from landscape.objective.objective import Objective
from tests.oracles.cases import BY_NAME
from tests.oracles.dense import dense_hessian


def case_objective(name, batch_size=3, **options):
    case = BY_NAME[name]
    options = {"device": "cpu", "dtype": torch.float64, **options}
    return Objective(case.model(), case.data, case.loss, batch_size=batch_size, **options)


@cache
def case_result(name, batch_size=3):
    """The factors of one of the networks of :mod:`tests.oracles.cases`, over its seven samples."""
    return recursion.compute(case_objective(name, batch_size), Settings(recursion_samples=7))


def measure(model, data, count=8, **options):
    made = Objective(model, data, device="cpu", **options)
    return recursion.compute(made, Settings(recursion_samples=count))


def moments(values):
    return [np.mean(values), np.std(values, ddof=1) / math.sqrt(len(values))]


def dense_block(model, data, weight, loss=F.cross_entropy):
    """The magnitude of the leading eigenvalue of a weight's block, of the dense Hessian."""
    start = 0
    for name, parameter in model.named_parameters():
        if name == weight:
            break
        start += parameter.numel() if parameter.requires_grad else 0
    stretch = slice(start, start + parameter.numel())
    whole = dense_hessian(model, *data, loss)
    return np.abs(np.linalg.eigvalsh(whole[stretch, stretch])).max()

"""Objectives of the oracle cases."""

import torch

from landscape.objective.objective import Objective
from tests.oracles.cases import BY_NAME


def case_objective(name, dtype=torch.float64, *, model=None, batch_size=3, **options):
    """The objective of a case's own network, or of another ``model`` on its data."""
    case = BY_NAME[name]
    model = (case.model() if model is None else model).to(dtype)
    return Objective(
        model, case.data, case.loss, batch_size=batch_size, device="cpu", dtype=dtype, **options
    )

"""What every rank does in a test of sharding, as a command that prints what rank 0 measures."""

import json
import sys
from collections.abc import Sequence

import torch

from analyses import hessian
from analyses.run_context import RunContext
from landscape.curvature.operators import CurvatureOperator
from landscape.curvature.sharding import shared_products
from landscape.objective.objective import Objective
from landscape.runtime.distributed import ALONE, Ranks, join_ranks
from tests.oracles.cases import BY_NAME
from tests.profile import repeats


def measure(name: str, ranks: Ranks = ALONE) -> dict | None:
    """The spectrum of a case, measured twice as for several checkpoints; None but in rank 0."""
    case = BY_NAME[name]
    objective = Objective(case.model().float(), case.data, case.loss, batch_size=4, device="cpu")
    settings = hessian.Settings(
        top=repeats(2, 4),
        probes=repeats(1, 2),
        density_steps=repeats(4, 8),
        tol=1e-4,
        held_out=True,
    )
    for _ in range(2):
        spectrum = hessian.compute(objective, settings, RunContext(ranks=ranks))
    assert (spectrum is None) == (not ranks.is_first)
    if spectrum is None:
        return None
    return {
        "eigenvalues": spectrum.eigenvalues.tolist(),
        "components": spectrum.components.largest.values.tolist(),
        "halves": spectrum.held_out.eigenvalues.tolist(),
        "held out": spectrum.held_out.lower.value,
        "gradient": spectrum.gradient_norm,
    }


def products(ranks: Ranks = ALONE) -> dict | None:
    """Products with the columns of a transposed matrix; None but in rank 0."""
    case = BY_NAME["vit"]
    objective = Objective(case.model(), case.data, case.loss, device="cpu", dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(3, objective.num_parameters, generator=generator, dtype=torch.float64)
    with shared_products(objective, ranks) as answer:
        if answer is None:
            return None
        operator = CurvatureOperator(objective, answer=answer)
        return {
            "fast": (operator @ rows.T).tolist(),
            "exact": operator.exact_matmat(rows.T).tolist(),
        }


def main(words: Sequence[str]) -> int:
    """Measure the case of this name, or ``products``."""
    ranks = join_ranks()
    measured = products(ranks) if words[0] == "products" else measure(words[0], ranks)
    if measured is not None:
        sys.stdout.write(json.dumps(measured) + "\n")
    return 0

"""What every rank does in a test of sharding, as a command that prints what rank 0 measures."""

import json
import sys
from collections.abc import Sequence

from analyses import hessian
from analyses.run_context import RunContext
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


def main(words: Sequence[str]) -> int:
    """Measure the case of this name."""
    measured = measure(words[0], join_ranks())
    if measured is not None:
        sys.stdout.write(json.dumps(measured) + "\n")
    return 0

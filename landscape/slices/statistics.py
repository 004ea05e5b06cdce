"""BatchNorm's running statistics re-estimated at a point of a slice."""

from collections.abc import Sequence

from landscape.data.batches import Batch
from landscape.errors import NotMeasurableError
from landscape.measures import batch_statistics
from landscape.objective.objective import Objective


def reestimate_statistics(objective: Objective, batches: Sequence[Batch]) -> None:
    """Re-estimate the statistics of the objective's BatchNorms from ``batches``.

    Raises:
        NotMeasurableError: the model has no BatchNorm, or a batch is too small for it.
    """
    norms = batch_statistics.norms_with_statistics(objective.module)
    if not norms:
        raise NotMeasurableError(
            f"--bn reestimate: {type(objective.module).__name__} has no BatchNorm with running "
            "statistics; leave it out"
        )
    try:
        with objective.evaluating():
            batch_statistics.reestimate_statistics(norms, objective.forward, batches)
    except ValueError as error:
        raise NotMeasurableError(
            f"--bn reestimate: {error}; choose another --batch-size"
        ) from error

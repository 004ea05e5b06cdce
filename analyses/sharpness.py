"""How the sharpness went along training, against the edge of stability.

For every saved epoch of a run: the largest Hessian eigenvalue with its residual, the gradient, the
cosine between the gradient and the first eigenvector, and the largest curvature at which a step of
the run's learning rate is stable (Cohen et al., ICLR 2021; for SAM Long and Bartlett, 2023).
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray

from landscape.checkpoints.run import run_of
from landscape.checkpoints.weights import read_weights
from landscape.curvature.lanczos import lanczos
from landscape.curvature.operators import CurvatureOperator
from landscape.curvature.stability import sam_edge
from landscape.errors import NotMeasurableError
from landscape.objective import Objective
from landscape.options import option
from landscape.progress import track
from landscape.provenance import Provenance
from landscape.results import Array, Result
from landscape.work import IN_MEMORY, Work

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from analyses.style import Look

TITLE = "Sharpness along training"
SUMMARY = "the top Hessian eigenvalue at every saved epoch, against the edge of stability"
READING = {
    "": (
        "The largest Hessian eigenvalue at the saved epochs of each run, on one sample. With SGD "
        "a step along its eigenvector overshoots where it is above the edge of stability, "
        "2 (1 + momentum) / learning rate; SAM's own edge is lower and falls with the gradient."
    ),
    "sharpness": (
        "Above, the largest eigenvalue (solid) and, for SGD, the edge of stability (dotted): "
        "where the two meet, the learning rate limits the sharpness. Below, the cosine of the "
        "gradient with the first eigenvector: near 1, training moves along its steepest direction."
    ),
}
TOLERANCE = 1e-3
COLUMNS = ("epoch", "eigenvalue", "residual", "loss", "gradient_norm", "cosine", "lr", "edge")


@dataclass(frozen=True)
class Settings:
    """Which of the saved epochs."""

    every: int = option(1, "take every Nth of the saved epochs", metavar="N")
    seed: int = 0


@dataclass(frozen=True)
class Sharpness(Result):
    """``table`` of shape (epochs, 8) with the columns :data:`COLUMNS`; nan where not known."""

    table: NDArray[np.float64]

    analysis: ClassVar[str] = "sharpness"
    settings_type: ClassVar[type[Any]] = Settings

    def column(self, name: str) -> NDArray[np.float64]:
        """One of the columns."""
        return np.asarray(self.table[:, COLUMNS.index(name)])

    def arrays(self) -> dict[str, Array]:
        """Each column by its name."""
        unit = self.provenance.loss_unit
        units = {"eigenvalue": unit, "loss": unit, "gradient_norm": unit, "edge": unit}
        return {
            name: Array(self.column(name), units.get(name, ""), ("saved epoch",))
            for name in COLUMNS
        }

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, NDArray[Any]], label: str, settings: Any, provenance: Provenance
    ) -> Self:
        """The inverse of :meth:`arrays`."""
        return cls(label, settings, provenance, np.stack([arrays[name] for name in COLUMNS], 1))

    def headline(self) -> dict[str, Any]:
        """Every column."""
        return {
            **{name: self.column(name) for name in COLUMNS},
            "seconds": self.provenance.seconds,
        }


def compute(
    objective: Objective, settings: Settings | None = None, work: Work = IN_MEMORY
) -> Sharpness:
    """Measure every saved epoch of the run that the objective's checkpoint belongs to.

    Raises NotMeasurableError if there are none.
    """
    settings = settings or Settings()
    started = time.perf_counter()
    checkpoint = objective.origin.get("checkpoint")
    run = run_of(Path(checkpoint)) if checkpoint else None
    saved = run.epochs() if run is not None else []
    if run is None or not saved:
        raise NotMeasurableError(
            f"{checkpoint or 'the model'} has no saved epochs: train with --save-every 1"
        )
    training = run.read_config().get("training", {})
    rates = {int(row["epoch"]): row["lr"] for row in run.read_metrics()}
    vector = None
    rows = []
    for epoch, file in track(saved[:: settings.every], "saved epochs"):
        weights = read_weights(file, objective)
        row, vector = _measure(objective, weights.theta, weights.statistics, vector, settings.seed)
        rate = rates.get(epoch, math.nan)
        rows.append([epoch, *row, rate, _edge(training, rate, row[3])])
    return Sharpness(
        label=objective.origin.get("label", ""),
        settings=settings,
        provenance=objective.provenance(time.perf_counter() - started),
        table=np.array(rows, dtype=np.float64),
    )


def _measure(
    objective: Objective,
    theta: torch.Tensor,
    statistics: torch.Tensor,
    vector: torch.Tensor | None,
    seed: int,
) -> tuple[list[float], torch.Tensor]:
    """Eigenvalue, residual, loss, gradient norm and cosine there; and the eigenvector."""
    try:
        objective.live_statistics.copy_(statistics)
        gradient = objective.gradient(theta)
        # The last epoch's eigenvector is close to this one's.
        hint = gradient if vector is None else vector
        pairs = lanczos(
            CurvatureOperator(objective, theta),
            1,
            torch.Generator().manual_seed(seed),
            tolerance=TOLERANCE,
            hint=hint,
            copies=False,
        )
        loss = objective.loss(theta)
    finally:
        objective.restore()
    first = pairs.vectors[:, 0]
    norm = torch.linalg.vector_norm(gradient.double()).item()
    cosine = abs(gradient.double().dot(first.double()).item()) / norm if norm else 0.0
    return [pairs.eigenvalues[0].item(), pairs.residuals[0].item(), loss, norm, cosine], first


def _edge(training: Mapping[str, Any], rate: float, gradient_norm: float) -> float:
    """Of SGD alone: an adaptive optimizer's depends on its preconditioner."""
    if training.get("opt") != "sgd" or not rate > 0:
        return math.nan
    momentum = training.get("momentum", 0.0)
    return sam_edge(rate, training.get("rho", 0.0), gradient_norm, momentum)


def tabulate(results: Sequence[Sharpness]) -> dict[str, list[dict[str, str]]]:
    """A row of the report for each run."""
    from analyses.style import number

    return {
        "": [
            {
                "checkpoint": one.label,
                "saved epochs": str(len(one.table)),
                "λ₁ at the first": number(float(one.column("eigenvalue")[0])),
                "at its largest": number(float(one.column("eigenvalue").max())),
                "at the last": number(float(one.column("eigenvalue")[-1])),
                "largest relative residual": f"{one.column('residual').max():.0e}",
            }
            for one in results
        ]
    }


def draw(results: Sequence[Sharpness], look: Look | None = None) -> dict[str, Figure]:
    """Eigenvalues and edges by epoch, and the cosines below."""
    from analyses.sharpness_figures import by_epoch

    return {"sharpness": by_epoch(results)}

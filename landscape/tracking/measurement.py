"""The numbers that a tracker records at some weights."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from landscape.curvature.operators import CurvatureOperator
from landscape.eigen.lanczos import lanczos
from landscape.eigen.trace import hutchinson
from landscape.errors import InputError
from landscape.objective.objective import Objective

QUANTITIES = ("lambda_1", "trace", "grad_norm", "surrogate_gap")
# The columns of each quantity.
COLUMNS = {
    "lambda_1": ("lambda_1", "lambda_1_residual"),
    "trace": ("trace", "trace_stderr"),
    "grad_norm": ("grad_norm",),
    "surrogate_gap": ("surrogate_gap",),
}
TOLERANCE = 1e-3


@dataclass(frozen=True)
class Measurement:
    """What is measured.

    Attributes:
        quantities: Some of :data:`QUANTITIES`.
        rho: The radius of SAM's gap L(w + rho g / ||g||) - L(w).
        probes: The number of random vectors of Hutchinson's estimate of the trace.
        seed: Determines all random vectors.
    """

    quantities: tuple[str, ...] = QUANTITIES
    rho: float = 0.05
    probes: int = 8
    seed: int = 0

    def __post_init__(self) -> None:
        """Raise InputError for what can't be measured."""
        unknown = [name for name in self.quantities if name not in QUANTITIES]
        if unknown:
            raise InputError(
                f"unknown quantity {unknown[0]!r}; expected some of {', '.join(QUANTITIES)}"
            )
        if not 0 < self.rho < math.inf:
            raise InputError(f"rho has to be positive and finite, got {self.rho}")
        if self.probes < 2:
            raise InputError(
                f"the standard error of the trace needs at least 2 probes, got {self.probes}; "
                "leave trace out of the quantities to save its time"
            )

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the numbers."""
        return tuple(column for name in self.quantities for column in COLUMNS[name])

    def measure(
        self, objective: Objective, loss: float, hint: Tensor | None = None
    ) -> tuple[dict[str, float], Tensor | None]:
        """Measure the objective at its own weights.

        Args:
            objective: The loss on the fixed sample.
            loss: Its value.
            hint: The first eigenvector at weights nearby, which saves products.

        Returns:
            The numbers by column, and the first eigenvector, of shape (P,), if it was measured.
        """
        values: dict[str, float] = {}
        has_hint = hint is not None and hint.shape == objective.theta.shape
        start = hint if has_hint else None  # of Lanczos
        takes_gradient = {"grad_norm", "surrogate_gap"} & set(self.quantities)
        if takes_gradient or ("lambda_1" in self.quantities and not has_hint):
            gradient = objective.gradient()
            norm = torch.linalg.vector_norm(gradient.double()).item()
            start = hint if has_hint else gradient
            if "grad_norm" in self.quantities:
                values["grad_norm"] = norm
            if "surrogate_gap" in self.quantities:
                moved = objective.theta + gradient * (self.rho / norm if norm else 0.0)
                values["surrogate_gap"] = objective.loss(moved) - loss
        operator = CurvatureOperator(objective)
        vector = None
        if "lambda_1" in self.quantities:
            pairs = lanczos(
                operator,
                1,
                torch.Generator().manual_seed(self.seed),
                tolerance=TOLERANCE,
                hint=start,
                multiplicity=False,
            )
            vector = pairs.vectors[:, 0]
            values["lambda_1"] = pairs.eigenvalues[0].item()
            values["lambda_1_residual"] = pairs.residuals[0].item()
        if "trace" in self.quantities:
            generator = torch.Generator().manual_seed(self.seed)
            trace = hutchinson(operator, self.probes, generator)
            values["trace"], values["trace_stderr"] = trace.value, trace.stderr
        return values, vector

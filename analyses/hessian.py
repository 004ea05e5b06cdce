"""The Hessian spectrum: top eigenvalues with residuals, spectral density, trace."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray

from landscape.curvature.eigenpairs import Eigenpairs
from landscape.curvature.lanczos import lanczos
from landscape.curvature.operators import HessianOperator
from landscape.curvature.power_iteration import power_iteration
from landscape.curvature.pyhessian_check import pyhessian_eigenpairs
from landscape.curvature.quadrature import Quadrature, stochastic_lanczos
from landscape.errors import InputError, NotMeasurableError
from landscape.objective import Objective
from landscape.options import option
from landscape.provenance import Provenance
from landscape.results import Array, Result
from landscape.work import IN_MEMORY, Work

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from analyses.style import Look

TITLE = "Hessian spectrum"
SUMMARY = "top Hessian eigenvalues with residuals, spectral density and trace"
READING = (
    "The eigenvalues of the Hessian are the curvatures of the loss along its principal directions; "
    "the largest says how sharp the minimum is where it is sharpest. The density shows how many of "
    "all the directions have which curvature: nearly all lie close to 0, and the few that stick "
    "out on the right (stems) are the steep ones. The trace is the sum over all directions. "
    "Together with its residual an eigenvalue is a bound: a true one lies within residual × |λ|. "
    "The density is known only as finely as the quadrature has nodes (--density-steps): single "
    "humps and gaps beside the bulk are nodes, not groups of eigenvalues; bands are standard "
    "errors over the random probes."
)

METHODS: dict[str, Callable[..., Eigenpairs]] = {
    "lanczos": lanczos,
    "power": power_iteration,
    "pyhessian": pyhessian_eigenpairs,
}


@dataclass(frozen=True)
class Settings:
    """What is asked of the spectrum."""

    top: int = option(5, "how many eigenvalues, by magnitude", metavar="K")
    method: str = option("lanczos", "how they are found", choices=tuple(METHODS))
    tol: float | None = option(
        None,
        "relative residual to reach (default: 1e-4, in fp64 1e-6)",
        parse=float,
    )
    max_steps: int = option(300, "iterations at most (power, pyhessian: for each)", metavar="N")
    probes: int = option(6, "random probes of density and trace; 0 leaves them out", metavar="N")
    density_steps: int = option(40, "Lanczos steps of each probe", metavar="N")
    seed: int = 0

    def __post_init__(self) -> None:
        """Raise InputError for counts that ask for nothing."""
        for name in ("top", "max_steps", "density_steps"):
            if getattr(self, name) < 1:
                flag = name.replace("_", "-")
                raise InputError(f"--{flag} has to be at least 1, got {getattr(self, name)}")
        if self.probes < 0:
            raise InputError(f"--probes can't be negative, got {self.probes}")
        if self.tol is not None and not self.tol > 0:
            raise InputError(f"--tol has to be positive, got {self.tol}")


@dataclass(frozen=True)
class Spectrum(Result):
    """Eigenvalues (K,), largest magnitude first, with residuals relative to their magnitude.

    ``quadrature`` has the density's raw nodes and weights and the trace's samples. ``products``
    counts every Hessian-vector product over the sample, those of the certificates included (the
    products that pyhessian makes inside are its own and not counted).
    """

    eigenvalues: NDArray[np.float64]
    residuals: NDArray[np.float64]
    converged: NDArray[np.bool_]
    quadrature: Quadrature
    loss: float
    gradient_norm: float
    steps: int
    products: int

    analysis: ClassVar[str] = "hessian"
    settings_type: ClassVar[type[Any]] = Settings

    def arrays(self) -> dict[str, Array]:
        """Eigenvalues, residuals, and the density's raw nodes and weights."""
        unit = self.provenance.loss_unit
        quadrature = self.quadrature
        return {
            "eigenvalues": Array(self.eigenvalues, unit, ("rank",)),
            "residuals": Array(self.residuals, "relative", ("rank",)),
            "converged": Array(self.converged, "", ("rank",)),
            "density_nodes": Array(quadrature.nodes, unit, ("probe", "node")),
            "density_weights": Array(quadrature.weights, "", ("probe", "node")),
            "trace_samples": Array(quadrature.traces, unit, ("probe",)),
            "loss": Array(self.loss, unit),
            "gradient_norm": Array(self.gradient_norm, unit),
            "steps": Array(self.steps),
            "products": Array(self.products),
        }

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, NDArray[Any]], label: str, settings: Any, provenance: Provenance
    ) -> Self:
        """The inverse of :meth:`arrays`."""
        return cls(
            label,
            settings,
            provenance,
            arrays["eigenvalues"],
            arrays["residuals"],
            arrays["converged"].astype(bool),
            Quadrature(arrays["density_nodes"], arrays["density_weights"], arrays["trace_samples"]),
            float(arrays["loss"]),
            float(arrays["gradient_norm"]),
            int(arrays["steps"]),
            int(arrays["products"]),
        )

    def headline(self) -> dict[str, Any]:
        """Eigenvalues with residuals and verdicts, trace with its standard error, cost."""
        pairs = zip(self.eigenvalues, self.residuals, self.converged, strict=True)
        return {
            "eigenvalues": self.eigenvalues,
            "residuals": self.residuals,
            "converged": bool(self.converged.all()),
            "eigenpairs": [
                {"eigenvalue": value, "residual": residual, "converged": bool(verdict)}
                for value, residual, verdict in pairs
            ],
            "trace": self.quadrature.trace if self.settings.probes else None,
            "trace_stderr": self.quadrature.trace_stderr if self.settings.probes else None,
            "loss": self.loss,
            "gradient_norm": self.gradient_norm,
            "products": self.products,
            "seconds": self.provenance.seconds,
        }


def compute(
    objective: Objective, settings: Settings | None = None, work: Work = IN_MEMORY
) -> Spectrum:
    """The spectrum of the Hessian at the objective's own weights."""
    settings = settings or Settings()
    started = time.perf_counter()
    operator = HessianOperator(objective)
    generator = torch.Generator().manual_seed(settings.seed)
    if settings.top > operator.size:
        raise NotMeasurableError(
            f"--top {settings.top} is more than the {operator.size} parameters"
        )
    loss = objective.loss()
    if not math.isfinite(loss):
        raise NotMeasurableError(
            f"the loss at the network's own weights is {loss}: it has no Hessian"
        )
    gradient = objective.gradient()
    pairs = METHODS[settings.method](
        operator,
        settings.top,
        generator,
        tolerance=settings.tol,
        max_steps=settings.max_steps,
        **({"hint": gradient} if settings.method == "lanczos" else {}),
    )
    quadrature = _density(operator, settings, generator)
    gradient_norm = torch.linalg.vector_norm(gradient.double()).item()
    return Spectrum(
        label=objective.origin.get("label", ""),
        settings=settings,
        provenance=objective.provenance(time.perf_counter() - started),
        eigenvalues=pairs.eigenvalues.cpu().numpy(),
        residuals=pairs.residuals.cpu().numpy(),
        converged=pairs.converged.cpu().numpy(),
        quadrature=quadrature,
        loss=loss,
        gradient_norm=gradient_norm,
        steps=pairs.steps,
        products=operator.products,
    )


def _density(
    operator: HessianOperator, settings: Settings, generator: torch.Generator
) -> Quadrature:
    if settings.probes == 0:
        return Quadrature(np.empty((0, 0)), np.empty((0, 0)), np.empty(0))
    return stochastic_lanczos(operator, settings.probes, settings.density_steps, generator)


def tabulate(results: Sequence[Spectrum]) -> list[dict[str, str]]:
    """A row of the report for each checkpoint."""
    from analyses.style import number, with_error

    return [
        {
            "checkpoint": result.label,
            "λ₁": number(float(result.eigenvalues[0])),
            "other eigenvalues": ", ".join(number(float(v)) for v in result.eigenvalues[1:]) or "–",
            "largest relative residual": f"{result.residuals.max():.0e}",
            "converged": "all" if result.converged.all() else f"{result.converged.sum()} only",
            "trace, ± standard error": with_error(
                result.quadrature.trace, result.quadrature.trace_stderr
            )
            if result.settings.probes
            else "not measured",
            "‖gradient‖": number(result.gradient_norm),
            "products": f"{result.products}",
            "seconds": f"{result.provenance.seconds:.1f}",
        }
        for result in results
    ]


def draw(results: Sequence[Spectrum], look: Look | None = None) -> dict[str, Figure]:
    """The eigenvalues by rank, and the densities on shared axes with stems for the outliers."""
    from analyses.hessian_figures import spectra

    return {"hessian": spectra(results)}

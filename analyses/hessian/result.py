"""The spectrum of a Hessian, its file and headline numbers."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from math import nan
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from analyses.hessian.component_curvature import NO_COMPONENTS, Components
from analyses.hessian.eigenvalues import LARGEST, SMALLEST, Eigenvalues, curvature_units
from analyses.hessian.held_out import held_out_arrays, held_out_from_arrays, held_out_headline
from analyses.hessian.settings import Settings
from landscape.curvature.held_out import HeldOut
from landscape.curvature.stability import gradient_descent_edge, has_known_edge, sam_edge
from landscape.eigen.quadrature import Quadrature
from landscape.estimates import Estimate
from landscape.results.provenance import Provenance
from landscape.results.result import Array, Result

COUNTS = ("steps", "products", "block_products")
# The folder of the ends of the spectrum in a file.
ENDS = "ends/"


@dataclass(frozen=True)
class Spectrum(Result):
    """The top eigenvalues of a Hessian, its spectral density, trace and components.

    Attributes:
        eigenvalues: shape (K,), largest magnitude first.
        residuals: their residuals relative to their magnitude, (K,).
        converged: whether the residuals are within the tolerance, (K,).
        sampling_errors: their standard errors with respect to all the data, each by its own
            eigenvector, (K,); nan where unknown.
        ends: the largest and the smallest eigenvalue, lambda_max and lambda_min; nan where one is
            not known. The smallest comes from the same products as the others, and where it has
            not converged it is an upper bound.
        second_difference: that of the loss along the first eigenvector, which the first
            eigenvalue should equal; nan for a matrix that is not the Hessian.
        quadrature: the raw nodes and weights of the density, and the samples of the trace.
        trace: the trace, with the eigenpairs' exact share split off; nan without probes.
        frobenius: the Frobenius norm, likewise.
        components: the largest eigenvalue of each component.
        loss: the loss, with the L2 term if there is one.
        loss_stderr: its sampling error.
        gradient_norm: the 2-norm of the gradient.
        cosine: the absolute cosine of the gradient with the first eigenvector.
        residual_bits: the precision of the products that measured residuals: 64, or 32 where the
            model does not take float64. Residuals don't cover the rounding of these products, which
            in 32 bits may be more than they are where a network fits its data.
        steps: the iterations of the eigenvalue solver.
        products: all products over the sample, those of certificates included; pyhessian's own
            are not counted.
        block_products: those of ``products`` that were made for components, each at a part of
            the cost of a whole one.
        vectors: the eigenvectors, shape (K, P); empty unless they were asked for.
        held_out: what two halves of the sample say of the bias of lambda_max; None unless it was
            asked for.
    """

    eigenvalues: NDArray[np.float64]
    residuals: NDArray[np.float64]
    converged: NDArray[np.bool_]
    sampling_errors: NDArray[np.float64]
    ends: Eigenvalues
    second_difference: Estimate
    quadrature: Quadrature
    trace: Estimate
    frobenius: Estimate
    components: Components
    loss: float
    loss_stderr: float
    gradient_norm: float
    cosine: float
    residual_bits: int
    steps: int
    products: int
    block_products: int
    vectors: NDArray[np.float32]
    held_out: HeldOut | None = None

    analysis: ClassVar[str] = "hessian"
    settings_type: ClassVar[type[Any]] = Settings
    coordinates: ClassVar[tuple[str, ...]] = ("names",)

    def without_vectors(self) -> Self:
        """The same without its eigenvectors, which only its file needs."""
        return replace(self, vectors=np.empty((0, 0), dtype=np.float32))

    def arrays(self) -> dict[str, Array]:
        """Eigenvalues, residuals, the density's raw nodes and weights, trace and components."""
        unit = self.provenance.loss_unit
        quadrature, components = self.quadrature, self.components
        scalars = {
            name: Array(getattr(self, name), scalar_unit)
            for name, scalar_unit in _scalars(unit).items()
        }
        estimates = {
            name: Array([getattr(self, name).value, getattr(self, name).stderr], unit, ("±",))
            for name in ("second_difference", "trace", "frobenius")
        }
        vectors = {"eigenvectors": Array(self.vectors, "", ("rank", "parameter"))}
        return {
            **self.leading.arrays(unit, "", "rank"),
            **self.ends.arrays(unit, ENDS, "largest, smallest"),
            "density_nodes": Array(quadrature.nodes, unit, ("probe", "node")),
            "density_weights": Array(quadrature.weights, "fraction", ("probe", "node")),
            "trace_samples": Array(quadrature.traces, unit, ("probe",)),
            "residual_bits": Array(self.residual_bits, ""),
            **components.arrays(unit),
            **held_out_arrays(self.held_out, unit),
            **estimates,
            **scalars,
            **(vectors if self.vectors.size else {}),
        }

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, NDArray[Any]], label: str, settings: Any, provenance: Provenance
    ) -> Self:
        """The inverse of :meth:`arrays`."""
        scalars: dict[str, Any] = {name: float(arrays[name]) for name in _scalars("")}
        scalars |= {name: int(arrays[name]) for name in COUNTS}
        dof = len(arrays["trace_samples"]) - 1
        leading = Eigenvalues.by_magnitude(arrays)
        has_ends = f"{ENDS}eigenvalues" in arrays
        return cls(
            eigenvalues=leading.values,
            residuals=leading.residuals,
            converged=leading.converged,
            sampling_errors=leading.sampling_errors,
            ends=Eigenvalues.from_arrays(arrays, ENDS) if has_ends else leading.ends,
            quadrature=Quadrature(
                arrays["density_nodes"], arrays["density_weights"], arrays["trace_samples"]
            ),
            # Files of earlier versions have none.
            second_difference=Estimate(*map(float, arrays.get("second_difference", (nan, nan)))),
            trace=Estimate(*map(float, (*arrays["trace"], dof))),
            frobenius=Estimate(*map(float, (*arrays["frobenius"], dof))),
            components=Components.from_arrays(arrays),
            vectors=arrays.get("eigenvectors", np.empty((0, 0), np.float32)),
            held_out=held_out_from_arrays(arrays),
            # Earlier versions took these products in the precision of the weights.
            residual_bits=int(
                arrays.get("residual_bits", 64 if provenance.precision == "float64" else 32)
            ),
            **scalars,
            label=label,
            settings=settings,
            provenance=provenance,
        )

    def beside(self, sections: Collection[str]) -> Self:
        """The spectrum without its components if these have a section of their own."""
        return replace(self, components=NO_COMPONENTS) if "components" in sections else self

    @property
    def leading(self) -> Eigenvalues:
        """The eigenvalues of largest magnitude with their errors."""
        return Eigenvalues(self.eigenvalues, self.residuals, self.converged, self.sampling_errors)

    @property
    def edges(self) -> dict[str, float]:
        """The largest curvature at which a step of the training's learning rate is stable.

        Keys: ``lr``, ``edge`` and, for SAM, ``sam_edge``. Empty if the learning rate is 0 or not
        recorded, and for all optimizers but SGD: the edge of an adaptive one depends on its
        preconditioner.
        """
        training = self.provenance.origin.get("training") or {}
        rate = training.get("lr")
        if not has_known_edge(training) or not rate:
            return {}
        momentum = training.get("momentum") or 0.0
        nesterov = bool(training.get("nesterov"))
        edges = {"lr": rate, "edge": gradient_descent_edge(rate, momentum, nesterov=nesterov)}
        if training.get("rho"):
            edges["sam_edge"] = sam_edge(
                rate, training["rho"], self.gradient_norm, momentum, nesterov=nesterov
            )
        return edges

    def headline(self) -> dict[str, Any]:
        """Eigenvalues and both ends with the errors of each, trace with its error, cost."""
        has_density = bool(self.settings.probes)
        negative, negative_error = self.quadrature.negative_share if has_density else (None, None)
        components = self.components
        return {
            "eigenvalues": self.eigenvalues,
            "residuals": self.residuals,
            "converged": bool(self.converged.all()),
            "residual_bits": self.residual_bits,
            "eigenpairs": [self.leading.headline(k) for k in range(len(self.eigenvalues))],
            "sampling_error": self.sampling_errors[0],
            "lambda_max": self.ends.headline(LARGEST),
            "lambda_min": self.ends.headline(SMALLEST),
            "held_out": held_out_headline(self.held_out, float(self.ends.values[LARGEST])),
            "second_difference": self.second_difference.value,
            "second_difference_error": self.second_difference.stderr,
            "trace": self.trace.value if has_density else None,
            "trace_stderr": self.trace.stderr if has_density else None,
            "frobenius": self.frobenius.value if has_density else None,
            "frobenius_stderr": self.frobenius.stderr if has_density else None,
            "negative_share": negative,
            "negative_share_stderr": negative_error,
            "dof_of_probes": self.quadrature.dof if has_density else None,
            "components": components.headline(),
            "loss": self.loss,
            "loss_stderr": self.loss_stderr,
            "gradient_norm": self.gradient_norm,
            "cosine_of_gradient_and_first_eigenvector": self.cosine,
            "stability": self.edges,
            "products": self.products,
            "block_products": self.block_products,
            "seconds": self.provenance.seconds,
        }

    def headline_units(self) -> dict[str, str]:
        """The units of numbers that no array has."""
        unit = self.provenance.loss_unit
        in_unit = ("quotient", "extrapolated", "eigenvalues_of_halves", "edge", "sam_edge")
        return {
            **curvature_units(unit),
            **dict.fromkeys(in_unit, unit),
            "residuals_of_halves": "relative",
            "negative_share": "fraction",
            "seconds": "s",
        }


def _scalars(unit: str) -> dict[str, str]:
    """The units of a spectrum's scalar fields by name."""
    return {
        "loss": unit,
        "loss_stderr": unit,
        "gradient_norm": unit,
        "cosine": "",
        **dict.fromkeys(COUNTS, ""),
    }

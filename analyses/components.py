"""The sharpness of components: the paper's Table 3.

For every component (embedding, attention or token mixing, MLP or channel mixing, each block,
queries, keys, values, projections, norms, head, and groups of one's own) the largest eigenvalue of
its diagonal block of the Hessian, all other weights held fixed.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from analyses import hessian
from analyses.component_curvature import Components
from analyses.hessian_result import Spectrum
from analyses.hessian_settings import MatrixSettings
from landscape.errors import NotMeasurableError
from landscape.objective import Objective
from landscape.provenance import Provenance
from landscape.results import Array, Result
from landscape.work import IN_MEMORY, Work

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from analyses.style import Look

Settings = MatrixSettings

TITLE = "Sharpness of components"
SUMMARY = "the largest Hessian eigenvalue within each component of the network"
READING = {
    "": (
        "Where the sharpness sits: the largest curvature within each part of the network while all "
        "other weights are held fixed. No part's is above that of the whole network; the one that "
        "comes closest to it carries it. Together with its residual an eigenvalue is a bound: a "
        "true one of this sample's block lies within residual × |λ|."
    ),
}


@dataclass(frozen=True)
class ComponentCurvature(Result):
    """``components``, and of the whole network the largest eigenvalue with its residual, (1,) each.

    ``sampling_error`` is that of the whole network's.
    """

    components: Components
    eigenvalues: NDArray[np.float64]
    residuals: NDArray[np.float64]
    converged: NDArray[np.bool_]
    sampling_error: float

    analysis: ClassVar[str] = "components"
    settings_type: ClassVar[type[Any]] = Settings

    def arrays(self) -> dict[str, Array]:
        """Components and the whole network."""
        unit = self.provenance.loss_unit
        return {
            "eigenvalues": Array(self.eigenvalues, unit, ("rank",)),
            "residuals": Array(self.residuals, "relative", ("rank",)),
            "converged": Array(self.converged, "", ("rank",)),
            "sampling_error": Array(self.sampling_error, unit),
            **self.components.arrays(unit),
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
            Components.from_arrays(arrays),
            arrays["eigenvalues"],
            arrays["residuals"],
            arrays["converged"].astype(bool),
            float(arrays["sampling_error"]),
        )

    def headline(self) -> dict[str, Any]:
        """Size, eigenvalue, residual and verdict of each component and of the whole network."""
        return {
            "components": self.components.headline(),
            "whole": {
                "eigenvalue": self.eigenvalues[0],
                "residual": self.residuals[0],
                "converged": bool(self.converged[0]),
                "sampling_error": self.sampling_error,
            },
        }


def compute(
    objective: Objective, settings: Settings | None = None, work: Work = IN_MEMORY
) -> ComponentCurvature | None:
    """One Lanczos process for each component, side by side; None in all ranks but the first.

    What a Hessian spectrum of the same objective has found out already is taken from it. Raises
    NotMeasurableError for a network in which no component is known and none was named.
    """
    settings = settings or Settings()
    started = time.perf_counter()
    spectrum = _known(work, settings)
    exchange = f"known/{ComponentCurvature.analysis}/{objective.origin.get('label', '')}"
    if not work.ranks.share(exchange, spectrum is not None):  # only the first rank has results
        spectrum = _measure(objective, settings, work)
    if spectrum is None:
        return None
    if not spectrum.components.names:
        raise NotMeasurableError(
            f"{type(objective.module).__name__} has no list of blocks and no norm layer, by which "
            "components are told; name them with --group NAME=REGEX"
        )
    return ComponentCurvature(
        label=objective.origin.get("label", ""),
        settings=settings,
        provenance=objective.provenance(time.perf_counter() - started),
        components=spectrum.components,
        eigenvalues=spectrum.eigenvalues[:1],
        residuals=spectrum.residuals[:1],
        converged=spectrum.converged[:1],
        sampling_error=spectrum.sampling_error,
    )


def _known(work: Work, settings: Settings) -> Spectrum | None:
    """The spectrum that was measured with these settings, if it has components."""
    known = work.known.get(Spectrum.analysis)
    if not isinstance(known, Spectrum):
        return None
    asked = replace(known.settings, components="auto", **_shared(settings))
    return known if known.settings == asked else None


def _measure(objective: Objective, settings: Settings, work: Work) -> Spectrum | None:
    asked = hessian.Settings(top=1, probes=0, **_shared(settings))
    return hessian.measure_spectrum(objective, asked, work, ComponentCurvature.analysis)


def _shared(settings: Settings) -> dict[str, Any]:
    return {field.name: getattr(settings, field.name) for field in fields(Settings)}


def tabulate(results: Sequence[ComponentCurvature]) -> dict[str, list[dict[str, str]]]:
    """A row for each checkpoint, as in the paper's Table 3, with relative residuals."""
    from analyses.components_table import component_cells

    return {"Largest eigenvalue, ± sampling error (relative residual)": component_cells(results)}


def draw(results: Sequence[ComponentCurvature], look: Look | None = None) -> dict[str, Figure]:
    """The largest eigenvalue of each component, and of the whole network below."""
    from analyses.components_figures import component_curvatures

    return {"components": component_curvatures(results)}

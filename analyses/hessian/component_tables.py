"""The tables of components, which the reports of the spectrum and of components share."""

import math
from collections.abc import Sequence

from analyses.drawing.numbers import with_residual
from analyses.hessian.component_curvature import HasComponents, component_names
from analyses.hessian.eigenvalues import LARGEST, SMALLEST, Eigenvalues
from analyses.replicate_rows import average_replicates

# Every Rayleigh quotient is between the two ends: what it is of an end where it has not converged.
_BOUND = {LARGEST: "λ is at least this", SMALLEST: "λ is at most this"}


def component_rows(results: Sequence[HasComponents], end: int = LARGEST) -> list[dict[str, str]]:
    """A row for each component and the whole network below, a column for each checkpoint.

    Replicates share a column. Empty without components. Arguments are those of
    :func:`component_cells`.
    """
    cells = average_replicates({"": component_cells(results, end)}, results)[""]
    return [
        {"component": name, **{row["checkpoint"]: row[name] for row in cells}}
        for name in cells[0]
        if name != "checkpoint" and len(cells[0]) > 2
    ]


def component_cells(results: Sequence[HasComponents], end: int = LARGEST) -> list[dict[str, str]]:
    """A row for each checkpoint, a column for each component and one for the whole network.

    Args:
        results: the checkpoints.
        end: of the spectrum, :data:`LARGEST` or :data:`SMALLEST`.
    """
    names = component_names(results)
    return [
        {
            "checkpoint": result.label,
            **{name: _component(result, name, end) for name in names},
            "whole network": end_text(result.ends, end, end),
        }
        for result in results
    ]


def _component(result: HasComponents, name: str, end: int) -> str:
    components = result.components
    if name not in components.names:
        return "–"
    values = (components.largest, components.smallest)[end]
    return end_text(values, components.names.index(name), end)


def end_text(eigenvalues: Eigenvalues, place: int, end: int) -> str:
    """An end of a spectrum with its errors; a dash where it is not known.

    One that has not converged is a bound.

    Args:
        eigenvalues: ends of spectra.
        place: which of them.
        end: which end it is.
    """
    value = float(eigenvalues.values[place])
    if math.isnan(value):
        return "–"
    is_converged = bool(eigenvalues.converged[place])
    text = with_residual(
        value,
        float(eigenvalues.residuals[place]),
        is_converged,
        float(eigenvalues.sampling_errors[place]),
    )
    return text if is_converged else text.within(f"{{}}: {_BOUND[end]}")

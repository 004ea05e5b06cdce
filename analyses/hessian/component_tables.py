"""The table of components, which the reports of the spectrum and of components share."""

from collections.abc import Sequence

from analyses.drawing.numbers import with_residual
from analyses.hessian.component_curvature import HasComponents, component_names


def component_rows(results: Sequence[HasComponents]) -> list[dict[str, str]]:
    """A row for each component and the whole network below, a column for each checkpoint.

    Empty without components.
    """
    cells = component_cells(results)
    return [
        {"component": name, **{row["checkpoint"]: row[name] for row in cells}}
        for name in cells[0]
        if name != "checkpoint" and len(cells[0]) > 2
    ]


def component_cells(results: Sequence[HasComponents]) -> list[dict[str, str]]:
    """A row for each checkpoint, a column for each component and one for the whole network."""
    names = component_names(results)
    return [
        {
            "checkpoint": result.label,
            **{name: _component(result, name) for name in names},
            "whole network": with_residual(
                float(result.eigenvalues[0]),
                float(result.residuals[0]),
                bool(result.converged[0]),
                result.sampling_error,
            ),
        }
        for result in results
    ]


def _component(result: HasComponents, name: str) -> str:
    components = result.components
    if name not in components.names:
        return "–"
    k = components.names.index(name)
    return with_residual(
        float(components.eigenvalues[k]),
        float(components.residuals[k]),
        bool(components.converged[k]),
        float(components.sampling_errors[k]),
    )

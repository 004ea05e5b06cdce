"""The report's table of components."""

from collections.abc import Sequence

from analyses.components.result import ComponentCurvature
from analyses.hessian.component_tables import component_cells
from analyses.hessian.eigenvalues import SMALLEST


def tabulate(results: Sequence[ComponentCurvature]) -> dict[str, list[dict[str, str]]]:
    """A row for each checkpoint, as in the paper's Table 3, with relative residuals.

    The second table has the other end of each spectrum.
    """
    return {
        "Largest eigenvalue, ± sampling error (relative residual)": component_cells(results),
        "Smallest eigenvalue, ± sampling error (relative residual)": component_cells(
            results, SMALLEST
        ),
    }

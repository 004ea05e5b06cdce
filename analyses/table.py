"""The table of analyses: add a module and a line here, and the command, files and report follow."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from analyses import hessian, line, sparsity, surface
from landscape.objective import Objective
from landscape.results import Result

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Analysis(Protocol):
    """What a module in this folder has to offer to be an analysis."""

    TITLE: str
    SUMMARY: str  # for --help
    READING: str  # how to read its pictures, for the report

    @property
    def Settings(self) -> type[Any]:  # noqa: N802
        """A frozen dataclass whose fields become flags."""

    def compute(self, objective: Objective, settings: Any = None) -> Any:
        """Ask the objective; returns a Result."""

    def tabulate(self, results: Sequence[Any]) -> list[dict[str, str]]:
        """A row of the report's table for each result."""

    def draw(self, results: Sequence[Any]) -> "dict[str, Figure]":
        """Pictures of all results together, by file name."""


ANALYSES: dict[str, Analysis] = {
    "surface": surface,
    "line": line,
    "hessian": hessian,
    "sparsity": sparsity,
}

RESULTS: dict[str, type[Result]] = {
    "surface": surface.Surface,
    "line": line.Line,
    "hessian": hessian.Spectrum,
    "sparsity": sparsity.Sparsity,
}

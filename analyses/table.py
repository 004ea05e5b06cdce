"""The table of analyses: add a module and a line here, and the command, files and report follow."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from analyses import (
    attention,
    attention_result,
    components,
    curves,
    flatness,
    flatness_result,
    hessian,
    hessian_result,
    interpolate,
    line,
    linearity,
    linearity_result,
    minibatch,
    norms,
    ntk,
    ntk_result,
    recursion,
    recursion_result,
    robustness,
    robustness_result,
    sharpness,
    similarity,
    similarity_result,
    sparsity,
    sparsity_result,
    surface,
    trajectory,
)
from landscape.objective import Objective
from landscape.results import Result
from landscape.work import IN_MEMORY, Work

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Analysis(Protocol):
    """What a module in this folder has to offer to be an analysis."""

    TITLE: str
    SUMMARY: str  # for --help
    # How to read the analysis, under "", and its pictures, by their names: for the report.
    READING: dict[str, str]

    @property
    def Settings(self) -> type[Any]:  # noqa: N802
        """A frozen dataclass whose fields become flags."""

    def compute(self, objective: Objective, settings: Any = None, work: Work = IN_MEMORY) -> Any:
        """Ask the objective; returns a Result. ``work`` is for what takes long."""

    def tabulate(self, results: Sequence[Any]) -> dict[str, list[dict[str, str]]]:
        """The report's tables by caption, each a list of rows by column."""

    def draw(self, results: Sequence[Any], look: Any = None) -> "dict[str, Figure]":
        """Pictures of all results together, by file name; ``look`` is for surfaces and lines."""


ANALYSES: dict[str, Analysis] = {
    "surface": surface,
    "line": line,
    "interpolate": interpolate,
    "trajectory": trajectory,
    "hessian": hessian,
    "components": components,
    "minibatch": minibatch,
    "sharpness": sharpness,
    "ntk": ntk,
    "flatness": flatness,
    "norms": norms,
    "sparsity": sparsity,
    "recursion": recursion,
    "attention": attention,
    "similarity": similarity,
    "linearity": linearity,
    "robustness": robustness,
    "curves": curves,
}

RESULTS: dict[str, type[Result]] = {
    "surface": surface.Surface,
    "line": line.Line,
    "interpolate": interpolate.Interpolation,
    "trajectory": trajectory.Trajectory,
    "hessian": hessian_result.Spectrum,
    "components": components.ComponentCurvature,
    "minibatch": minibatch.MinibatchSpectra,
    "sharpness": sharpness.Sharpness,
    "ntk": ntk_result.TangentKernel,
    "flatness": flatness_result.Flatness,
    "norms": norms.Norms,
    "sparsity": sparsity_result.Sparsity,
    "recursion": recursion_result.Recursion,
    "attention": attention_result.Attention,
    "similarity": similarity_result.Similarity,
    "linearity": linearity_result.Linearity,
    "robustness": robustness_result.Robustness,
    "curves": curves.Curves,
}

# What is said of data that were held out: measured on the test split, unless another is asked for.
HELD_OUT = frozenset({"robustness"})

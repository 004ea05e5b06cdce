"""The analyses by name, one line each; packages of other projects add theirs as entry points."""

from functools import cache
from importlib.metadata import entry_points
from typing import Any

from analyses import (
    attention,
    components,
    curves,
    flatness,
    hessian,
    interpolate,
    line,
    linearity,
    minibatch,
    norms,
    ntk,
    recursion,
    robustness,
    sharpness,
    similarity,
    sparsity,
    surface,
    trajectory,
)
from analyses.analysis import Analysis
from landscape.errors import InputError

# The entry-point group by which an installed package adds an analysis: its value names an Analysis.
GROUP = "landscape.analyses"
# The subcommands that are no analysis.
OTHER_SUBCOMMANDS = ("report", "show", "diff")

# In the order of the subcommands and of the report's sections.
_OWN: tuple[Analysis[Any, Any], ...] = (
    surface.ANALYSIS,
    line.ANALYSIS,
    interpolate.ANALYSIS,
    trajectory.ANALYSIS,
    hessian.ANALYSIS,
    components.ANALYSIS,
    minibatch.ANALYSIS,
    sharpness.ANALYSIS,
    ntk.ANALYSIS,
    flatness.ANALYSIS,
    norms.ANALYSIS,
    sparsity.ANALYSIS,
    recursion.ANALYSIS,
    attention.ANALYSIS,
    similarity.ANALYSIS,
    linearity.ANALYSIS,
    robustness.ANALYSIS,
    curves.ANALYSIS,
)


@cache
def known_analyses() -> dict[str, Analysis[Any, Any]]:
    """Every analysis by its name: this project's, then those of installed packages.

    Raises InputError if an entry point can't be loaded, is no Analysis, or takes a name that is
    taken.
    """
    known = {analysis.name: analysis for analysis in _OWN}
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        try:
            analysis = entry.load()
        except Exception as error:  # the code of another package
            raise InputError(f"the analysis {entry.value} can't be imported: {error}") from error
        if not isinstance(analysis, Analysis):
            raise InputError(f"{entry.value} has to be an Analysis, got {type(analysis).__name__}")
        if analysis.name in (*known, *OTHER_SUBCOMMANDS):
            raise InputError(f"{entry.value} is called {analysis.name!r}, a name that is taken")
        known[analysis.name] = analysis
    return known

"""The command, and the runs that it measures."""

from tests.analyses.command.conftest import done, plot, refused, runs

__all__ = ["done", "plot", "refused", "runs"]

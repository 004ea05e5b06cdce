"""The command ``landscape-plot``: measure checkpoints and draw them side by side."""

import argparse
from collections.abc import Sequence

from analyses.command.arguments import build_parser
from landscape.runtime.console import run_command


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    return run_command(
        "landscape-plot",
        _plot,
        build_parser,
        argv,
        when_interrupted="what is finished is kept; the same command continues from there",
    )


def _plot(arguments: argparse.Namespace) -> None:
    from analyses.command.plot import plot  # imports torch and matplotlib, which --help need not

    plot(arguments)

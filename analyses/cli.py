"""The command ``landscape-plot``: measure checkpoints and draw them side by side.

Everything is imported within functions, where Ctrl-C is answered: --help imports neither torch nor
matplotlib.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from landscape.runtime.console import Parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    try:
        from landscape.runtime.console import run_command
    except KeyboardInterrupt:
        return 130
    return run_command(
        "landscape-plot",
        _plot,
        _build_parser,
        argv,
        when_interrupted="what is finished is kept; the same command continues from there",
        expand=_with_config_file,
    )


def _build_parser() -> Parser:
    from analyses.command.arguments import build_parser

    return build_parser()


def _with_config_file(parser: argparse.ArgumentParser, words: list[str]) -> list[str]:
    if not any(word.startswith("--config") for word in words):
        return words
    from analyses.catalog import known_analyses
    from landscape.command_line.config_file import with_config_file

    filled = {
        name: (analysis.second_checkpoint, analysis.reference)
        for name, analysis in known_analyses().items()
    }
    return with_config_file(parser, words, filled)


def _plot(arguments: argparse.Namespace) -> None:
    from analyses.inspection.arguments import SUMMARIES

    if arguments.analysis in SUMMARIES:
        from analyses.inspection.command import inspect

        inspect(arguments)
        return
    from analyses.command.plot import plot

    plot(arguments)

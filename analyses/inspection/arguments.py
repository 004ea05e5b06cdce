"""The subcommands that look into result files, beside those that measure."""

import argparse
from pathlib import Path

from landscape.runtime.console import Parser, add_console_options

SHOW, DIFF = "show", "diff"
SUMMARIES = {
    SHOW: "what a result file holds: numbers, arrays, settings, provenance, and how to repeat it",
    DIFF: "what differs between two result files, numbers in standard errors of their difference",
}


def add_inspections(commands: "argparse._SubParsersAction[Parser]") -> None:
    """Add the subcommands to those of the analyses."""
    show = _add(commands, SHOW, f"{SHOW} [--all] RESULT.h5 ...")
    show.add_argument(
        "results",
        nargs="+",
        type=Path,
        metavar="RESULT",
        help="a result file (.h5), also a line or surface of the original tool",
    )
    diff = _add(commands, DIFF, f"{DIFF} [--all] BEFORE.h5 AFTER.h5")
    for name in ("before", "after"):
        diff.add_argument(
            name, type=Path, metavar=name.upper(), help="a result file (.h5) of the same analysis"
        )


def _add(commands: "argparse._SubParsersAction[Parser]", name: str, usage: str) -> Parser:
    command = commands.add_parser(
        name,
        help=SUMMARIES[name],
        description=f"Print {SUMMARIES[name]}. Nothing is measured or written.",
        usage=f"landscape-plot {usage}",
        allow_abbrev=False,
    )
    command.add_argument("--all", action="store_true", help="every entry of long lists")
    add_console_options(command)
    return command

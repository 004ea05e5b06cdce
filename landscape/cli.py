"""The command ``landscape-train``: train a network, with or without SAM, into a run directory."""

import argparse
from collections.abc import Sequence

from landscape.runtime.console import run_command
from landscape.training.command.arguments import build_parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    return run_command(
        "landscape-train",
        _train,
        build_parser,
        argv,
        when_interrupted="the same command with --resume continues after the last finished epoch",
    )


def _train(arguments: argparse.Namespace) -> None:
    from landscape.training.command.train import train_command  # imports torch; --help needs none

    train_command(arguments)

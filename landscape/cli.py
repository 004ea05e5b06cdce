"""The command ``landscape-train``: train a network, with or without SAM, into a run directory.

Everything is imported within functions, where Ctrl-C is answered: --help imports no torch.
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
        "landscape-train",
        _train,
        _build_parser,
        argv,
        when_interrupted="the same command with --resume continues after the last finished epoch",
        expand=_with_config_file,
    )


def _build_parser() -> Parser:
    from landscape.training.command.arguments import build_parser

    return build_parser()


def _with_config_file(parser: argparse.ArgumentParser, words: list[str]) -> list[str]:
    if not any(word.startswith("--config") for word in words):
        return words
    from landscape.command_line.config_file import with_config_file

    return with_config_file(parser, words)


def _train(arguments: argparse.Namespace) -> None:
    from landscape.training.command.train import train_command

    train_command(arguments)

"""``landscape-plot show`` and ``landscape-plot diff``."""

import argparse

from analyses.inspection.arguments import DIFF
from analyses.inspection.diff import differences_of
from analyses.inspection.show import description_of
from analyses.stored import load
from landscape.runtime.console import show


def inspect(arguments: argparse.Namespace) -> None:
    """Print what a command line asks for.

    Raises:
        InputError: a file can't be read, or two are of different analyses.
    """
    is_whole = arguments.all
    if arguments.analysis == DIFF:
        before, after = arguments.before, arguments.after
        lines = differences_of(before, load(before), after, load(after), is_whole=is_whole)
        show(*lines)
        return
    # Each is read before the first is printed, so that one that is wrong is all that is said.
    described = [description_of(path, load(path), is_whole=is_whole) for path in arguments.results]
    for number, lines in enumerate(described):
        show(*([""] if number else []), *lines)

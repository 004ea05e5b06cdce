"""Progress on standard error: what is being done and how long is left."""

import sys
from collections.abc import Iterable
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")

# A terminal is one per process, and so is this.
_quiet = False


def be_quiet(quiet: bool) -> None:
    """Turn bars and messages off (``--quiet``) or on again."""
    global _quiet
    _quiet = quiet


def is_live() -> bool:
    """Whether a bar can be drawn: standard error is a terminal and nobody asked for silence."""
    return sys.stderr.isatty() and not _quiet


def track(
    items: Iterable[Item] | None, task: str, *, total: int | None = None, done: int = 0
) -> "tqdm[Item]":
    """Iterate over ``items`` under a bar that names the task and estimates the time left.

    Without ``items`` the caller moves the bar, from ``done`` to ``total``, with ``update()``.

    Nothing is drawn where standard error is no terminal, so that logs stay readable and using
    the library from a program prints nothing.
    """
    return tqdm(
        items,
        desc=task,
        total=total,
        initial=done,
        disable=not is_live(),
        dynamic_ncols=True,
        leave=False,
    )


def message(text: str) -> None:
    """Print a line for the person at the terminal, above any bar that is being drawn."""
    if not _quiet:
        tqdm.write(text, file=sys.stderr)

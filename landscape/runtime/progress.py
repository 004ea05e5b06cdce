"""Progress on standard error: bars and messages of a command; a library call prints neither.

Modules log to loggers of their own names. :func:`show_messages` prints what they log, above any
bar that is being drawn.
"""

import logging
import sys
from collections.abc import Iterable
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")

PACKAGES = ("landscape", "analyses")


class _Terminal(logging.Handler):
    """Prints messages as lines on standard error; silent with ``is_quiet``."""

    is_quiet = False

    def emit(self, record: logging.LogRecord) -> None:
        """Print one message."""
        if not self.is_quiet:
            tqdm.write(self.format(record), file=sys.stderr)


# A terminal is one per process, and so is its handler.
_TERMINAL = _Terminal()


def show_messages(*, quiet: bool = False) -> None:
    """Print what the toolkit logs, and draw its bars; with ``quiet`` (``--quiet``) do neither."""
    _TERMINAL.is_quiet = quiet
    for package in PACKAGES:
        logger = logging.getLogger(package)
        logger.setLevel(logging.INFO)
        logger.addHandler(_TERMINAL)  # a handler is added once


def hide_messages() -> None:
    """Print and draw nothing, as before :func:`show_messages`."""
    _TERMINAL.is_quiet = False
    for package in PACKAGES:
        logging.getLogger(package).removeHandler(_TERMINAL)
        logging.getLogger(package).setLevel(logging.NOTSET)


def is_live() -> bool:
    """Whether a bar can be drawn: standard error is a terminal and nobody asked for silence."""
    return sys.stderr.isatty() and not _TERMINAL.is_quiet


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

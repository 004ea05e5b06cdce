"""Progress on standard error: the bars and messages of a command; a library call prints neither.

Work of which a bar is drawn is announced where it will take long, with a bar or without one.

Every module logs to a logger of its own name. :func:`show_messages` prints what they log, above
any bar that is being drawn.
"""

import logging
import operator
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any, TypeVar

from tqdm import tqdm

from landscape.runtime.cost import LongWork
from landscape.runtime.visible_text import for_terminal

Item = TypeVar("Item")

PACKAGES = ("landscape", "analyses")
# Of what a bar is called, in characters: the bar needs room beside it.
LONGEST_TASK = 60


class _Terminal(logging.Handler):
    """Prints log messages as lines on standard error, unless ``is_quiet``."""

    is_quiet = False

    def emit(self, record: logging.LogRecord) -> None:
        """Print one message, on one line."""
        if not self.is_quiet:
            with suppress(OSError):  # nobody reads it any more; the work is worth more
                tqdm.write(for_terminal(record.getMessage()), file=sys.stderr)


# A terminal is one per process, and so is its handler.
_TERMINAL = _Terminal()


def show_messages(*, quiet: bool = False) -> None:
    """Print what the toolkit logs and draw progress bars; with ``quiet`` do neither."""
    _TERMINAL.is_quiet = quiet
    for package in PACKAGES:
        logger = logging.getLogger(package)
        logger.setLevel(logging.INFO)
        logger.addHandler(_TERMINAL)  # does nothing the second time


def hide_messages() -> None:
    """Undo :func:`show_messages`: print nothing."""
    _TERMINAL.is_quiet = False
    for package in PACKAGES:
        logging.getLogger(package).removeHandler(_TERMINAL)
        logging.getLogger(package).setLevel(logging.NOTSET)


def is_live() -> bool:
    """Whether bars are drawn: standard error is a terminal and ``--quiet`` was not given."""
    return sys.stderr.isatty() and not _TERMINAL.is_quiet


class _CountedBar(tqdm):  # type: ignore[misc]  # which has no types
    """A bar that its owner moves with ``update``, which announces long work."""

    def __init__(self, work: LongWork, **keywords: Any) -> None:
        super().__init__(**keywords)
        self._work = work

    def update(self, n: float | None = 1) -> bool | None:
        """Move the bar by ``n`` units."""
        self._work.advance(int(n or 0))
        return super().update(n)


def track(
    items: Iterable[Item] | None,
    task: str,
    *,
    total: int | None = None,
    done: int = 0,
    less: str = "",
) -> "tqdm[Item]":
    """Iterate over ``items`` under a progress bar that estimates the time left.

    Nothing is drawn if standard error is not a terminal, so that log files stay readable. Where the
    first items show that all of them will take over ten minutes, a message says so.

    Args:
        items: What to iterate over. If None, the caller moves the bar with ``update()``.
        task: What the bar is called.
        total: The number of items, if ``items`` has no length.
        done: How many of them were done before.
        less: What makes the work less, such as ``lower --probes``.
    """
    if total is None:
        total = operator.length_hint(items) or None
    work = LongWork(task, total, done, less)
    drawing: dict[str, Any] = {
        "desc": for_terminal(task, LONGEST_TASK),
        "total": total,
        "initial": done,
        "disable": not is_live(),
        "dynamic_ncols": True,
        "leave": False,
    }
    if items is None:
        return _CountedBar(work, **drawing)
    return tqdm(_counted(items, work), **drawing)


def _counted(items: Iterable[Item], work: LongWork) -> Iterator[Item]:
    for item in items:
        yield item
        work.advance()

"""What there is of an unfinished result, shown now and then while it is being measured."""

import math
import time
from collections.abc import Callable
from pathlib import Path

from landscape.results.result import Result, is_complete

SECONDS = 5.0  # between two, unless writing one takes long itself
LARGEST_SHARE = 0.05  # of the time that goes into writing


class Watchers:
    """Shows an unfinished result to each watcher whose turn it is."""

    def __init__(self, *watchers: Callable[[Result], None] | None) -> None:
        self._watchers = [watcher for watcher in watchers if watcher is not None]
        self._next = [0.0] * len(self._watchers)

    @property
    def is_due(self) -> bool:
        """Whether any of them is to be called again."""
        return time.monotonic() >= min(self._next, default=math.inf)

    def __call__(self, unfinished: Result) -> None:
        """Call those that are due."""
        for number, watcher in enumerate(self._watchers):
            started = time.monotonic()
            if started >= self._next[number]:
                watcher(unfinished)
                took = time.monotonic() - started
                self._next[number] = started + max(SECONDS, took / LARGEST_SHARE)


class PartialFile:
    """Keeps a result file of the unfinished result, marked as not complete."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, unfinished: Result) -> None:
        """Write it, unless a finished result is there that --force will replace in the end."""
        if not self._path.exists() or not is_complete(self._path):
            unfinished.save(self._path, complete=False)

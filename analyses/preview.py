"""What there is of a surface while it is being measured: as a file, and as a picture."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy.interpolate import NearestNDInterpolator

from analyses.slice_result import Slice
from analyses.style import save_figures, styled
from landscape.results import Result, is_complete

Draw = Callable[[Sequence[Any]], dict[str, Figure]]

SECONDS = 5.0  # between two, unless writing one takes long itself
LARGEST_SHARE = 0.05  # of the time that goes into writing


class Watchers:
    """Shows an unfinished slice to each watcher whose turn it is."""

    def __init__(self, *watchers: Callable[[Slice], None] | None) -> None:
        self._watchers = [watcher for watcher in watchers if watcher is not None]
        self._next = [0.0] * len(self._watchers)

    @property
    def is_due(self) -> bool:
        """Whether any of them is to be called again."""
        return time.monotonic() >= min(self._next, default=np.inf)

    def __call__(self, unfinished: Slice) -> None:
        """Call those that are due."""
        for number, watcher in enumerate(self._watchers):
            started = time.monotonic()
            if started >= self._next[number]:
                watcher(unfinished)
                took = time.monotonic() - started
                self._next[number] = started + max(SECONDS, took / LARGEST_SHARE)


class PartialFile:
    """Keeps a result file of what there is, marked as not complete."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, unfinished: Slice) -> None:
        """Write it, unless a finished result is there that --force will replace in the end."""
        if not self._path.exists() or not is_complete(self._path):
            unfinished.save(self._path, complete=False)


class Preview:
    """Draws an unfinished slice beside the finished ones."""

    def __init__(self, draw: Draw, folder: Path, finished: Sequence[Result]) -> None:
        self._draw = draw
        self._folder = folder
        self._finished = finished

    def __call__(self, unfinished: Slice) -> None:
        """Draw it, if there is enough to draw."""
        if unfinished.measured.sum() < 4:
            return
        with styled():
            drawn = self._draw([*self._finished, filled(unfinished)])
            save_figures(drawn, self._folder, ["png"])


def filled(unfinished: Slice) -> Slice:
    """Every point that is not measured yet takes the values of the nearest that is."""
    places = np.argwhere(np.atleast_2d(unfinished.measured)).astype(float)
    shape = np.atleast_2d(unfinished.measured).shape
    everywhere = np.argwhere(np.ones(shape, dtype=bool)).astype(float)
    number = np.arange(len(places))
    nearest = NearestNDInterpolator(places, number)(everywhere).astype(int)
    rows, columns = places.astype(int)[nearest].T
    done = int(unfinished.measured.sum())
    return replace(
        unfinished,
        label=f"{unfinished.label} ({done:,} of {unfinished.measured.size:,} points)",
        values={
            name: np.atleast_2d(found)[rows, columns].reshape(found.shape)
            for name, found in unfinished.values.items()
        },
    )

"""Many points, each measured once: shared by several ranks, and recorded as they come.

The points wait in one queue. Every rank takes the next few when it has finished its last, so that
slow ranks don't block others, and records each in a journal of its own. The value of a point does
not depend on the rank that measures it.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from landscape.results.journal import (
    Journal,
    Key,
    Values,
    find_journals,
    read_journal,
    set_aside_if_other,
)
from landscape.runtime.distributed import ALONE, Ranks
from landscape.runtime.progress import track

LOGGER = logging.getLogger(__name__)

# A rank takes points for about this long at a time.
CLAIM_SECONDS = 0.5

Evaluate = Callable[[Key], Values]
EvaluateTogether = Callable[[Sequence[Key]], Sequence[Values]]


class PointQueue:
    """The points of one question: those that have been measured, and a way to measure more.

    Args:
        question: the fingerprint of what is measured; points of another one are never mixed in.
        journal: the file that records the points of rank 0 until the result is saved, beside which
            other ranks keep theirs; None records nothing.
        ranks: the processes that share the work. All of them have to make the same calls.
        task: what the progress bar says.
        less: what makes it less work, such as ``lower --x``.
        on_progress: called by rank 0 now and then with a function that returns the points that
            can be seen so far.

    Attributes:
        values: the measured points that this rank knows.
        decisions: how points are measured, as recorded by an earlier run; None without one.

    Example:
        >>> queue = PointQueue({"seed": 0}, Path("surface.journal"))
        >>> queue.begin(queue.decisions or {"precision": "fp32"})
        >>> queue.measure([(0, 0), (0, 1)], lambda key: np.array([float(sum(key))]))
        >>> queue.shared_values([(0, 1)])
        {(0, 1): array([1.])}
    """

    def __init__(
        self,
        question: Mapping[str, Any],
        journal: Path | None = None,
        ranks: Ranks = ALONE,
        *,
        task: str = "points",
        less: str = "",
        on_progress: Callable[[Callable[[], dict[Key, Values]]], None] | None = None,
    ) -> None:
        self._ranks = ranks
        self._question = ranks.broadcast(f"{task}/question", dict(question))
        self._base = journal  # where rank 0 records its points
        self._task = task
        self._less = less
        self._on_progress = on_progress
        self._round = 0
        self._seconds = 0.0  # the last group's
        self.values: dict[Key, Values] = {}
        self.decisions: dict[str, Any] | None = None
        self._journal: Journal | None = None
        if journal is not None and ranks.is_first:
            self._resume(journal)
        self.decisions = ranks.broadcast(f"{task}/decisions", self.decisions)
        self._share_resumed()

    def begin(self, decisions: Mapping[str, Any]) -> None:
        """Start to record.

        Args:
            decisions: how points are measured, of JSON types; those of rank 0 count.
        """
        self.decisions = self._ranks.broadcast(f"{self._task}/begin", dict(decisions))
        if self._base is not None:
            self._journal = Journal(self._path(), self._question, self.decisions)

    def measure(self, keys: Sequence[Key], evaluate: Evaluate) -> None:
        """Measure those of ``keys`` that are not known yet; afterwards rank 0 has all of them.

        Args:
            keys: the points, in the order in which they are taken.
            evaluate: the value of a point, of shape (n,).
        """
        self.measure_together([(key,) for key in keys], lambda group: [evaluate(group[0])])

    def measure_together(self, groups: Sequence[Sequence[Key]], evaluate: EvaluateTogether) -> None:
        """The same where points that are evaluated together depend on each other's company.

        A group of which some points are known is evaluated as a whole, for the same bits.

        Args:
            groups: the points, in the order in which they are taken.
            evaluate: the values of a group's points, each of shape (n,).
        """
        self._round += 1
        name = f"{self._task}/{self._round}"
        unfinished = [group for group in groups if any(key not in self.values for key in group)]
        todo = self._ranks.broadcast(
            f"{name}/todo", [[list(key) for key in group] for group in unfinished]
        )
        measured: dict[Key, Values] = {}
        total, left = (sum(map(len, each)) for each in (groups, todo))
        with track(None, self._task, total=total, done=total - left, less=self._less) as bar:
            taken = 0
            while taken < len(todo):
                count = self._claim_size(len(todo) - taken)
                start = self._ranks.claim(f"{name}/next", count, taken)
                bar.update(sum(map(len, todo[taken:start])))  # by other ranks
                for items in todo[start : start + count]:
                    group = [tuple(item) for item in items]
                    started = time.perf_counter()
                    values = evaluate(group)
                    self._seconds = time.perf_counter() - started
                    for key, value in zip(group, values, strict=True):
                        self._record(key, value, measured)
                    bar.update(len(group))
                taken = start + count
                if self._on_progress is not None and self._ranks.is_first:
                    self._on_progress(self._visible)
        self._collect(f"{name}/done", measured)

    def shared_values(self, keys: Sequence[Key]) -> dict[Key, Values]:
        """The values of measured points, the same bits in every rank."""
        self._round += 1
        points = {key: self.values[key] for key in keys} if self._ranks.is_first else {}
        if self._ranks.world_size == 1:
            return points
        name = f"{self._task}/{self._round}/values"
        return _unpack(self._ranks.broadcast(name, _pack(points)))

    def finish(self) -> None:
        """Wait in rank 0, which may hold the store, until every other rank has read its last."""
        self._ranks.gather(f"{self._task}/finish", True)

    def close(self) -> None:
        """Close the journal, which is not deleted."""
        if self._journal is not None:
            self._journal.close()

    def _record(self, key: Key, value: Values, measured: dict[Key, Values]) -> None:
        """Keep the value of a point that was not known."""
        if key in self.values:
            return
        measured[key] = value
        if self._journal is not None:
            self._journal.add(key, value)
        if self._ranks.is_first:
            self.values[key] = value

    def _claim_size(self, left: int) -> int:
        if self._ranks.world_size == 1:
            return min(left, max(1, int(CLAIM_SECONDS / self._seconds))) if self._seconds else 1
        fair = max(1, left // (4 * self._ranks.world_size))
        return min(fair, max(1, int(CLAIM_SECONDS / self._seconds))) if self._seconds else 1

    def _resume(self, base: Path) -> None:
        """Take over the points of every journal that belongs to the question."""
        for path in find_journals(base):
            set_aside_if_other(path, self._question)
            entries = read_journal(path)
            if entries is not None:
                self.decisions = entries.decisions
                self.values.update(entries.values)
        if self.values:
            LOGGER.info(f"Resuming after {len(self.values):,} points ({base})")

    def _share_resumed(self) -> None:
        """Give rank 0 the points of journals that are on another machine's disk."""
        points: dict[Key, Values] = {}
        if self._base is not None and not self._ranks.is_first:
            entries = read_journal(self._path())
            if entries is not None and entries.question == self._question:
                points = entries.values
        self._collect(f"{self._task}/resumed", points)

    def _collect(self, name: str, points: dict[Key, Values]) -> None:
        """Add every rank's points to those of rank 0."""
        if self._ranks.world_size == 1:
            return
        for packed in self._ranks.gather(name, _pack(points))[1:]:
            self.values.update(_unpack(packed))

    def _visible(self) -> dict[Key, Values]:
        """All points that rank 0 can see while other ranks are at work."""
        points = dict(self.values)
        if self._base is not None and self._ranks.world_size > 1:
            for path in find_journals(self._base):
                entries = read_journal(path)
                points.update(entries.values if entries else {})
        return points

    def _path(self) -> Path:
        """The journal of this rank."""
        assert self._base is not None
        rank = self._ranks.rank
        return self._base if rank == 0 else self._base.with_name(f"{self._base.name}.{rank}")


def _pack(points: Mapping[Key, Values]) -> list[Any]:
    """Points as JSON types, exact to the last bit."""
    return [[list(key), [float(v).hex() for v in values]] for key, values in points.items()]


def _unpack(packed: Sequence[Any]) -> dict[Key, Values]:
    return {tuple(key): np.array(list(map(float.fromhex, values))) for key, values in packed}

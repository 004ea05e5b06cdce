"""Many points, each measured once: shared over processes, and kept as they come.

The points wait in one queue. Every process takes the next few when it has finished its last, so
that a slow one holds nobody back, and writes each into a journal of its own. Where a point is
measured does not enter its value.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from landscape.results.files import put_aside
from landscape.results.fingerprint import differences
from landscape.results.journal import Journal, Key, Values, read_journal
from landscape.runtime.distributed import ALONE, Ranks
from landscape.runtime.progress import track

LOGGER = logging.getLogger(__name__)

# A process takes points for about this long at a time.
CLAIM_SECONDS = 0.5

Evaluate = Callable[[Key], Values]


class PointQueue:
    """The points measured so far in answer to one question.

    Args:
        question: what is measured, by name; points of another question are never mixed in.
        journal: where points are kept while the question is not answered; None keeps none.
        ranks: the processes that share the work. All have to make the same calls.
        task: what the progress bar says.
        on_progress: called by rank 0 now and then with a function that gives what points there are.
    """

    def __init__(
        self,
        question: Mapping[str, Any],
        journal: Path | None = None,
        ranks: Ranks = ALONE,
        *,
        task: str = "points",
        on_progress: Callable[[Callable[[], dict[Key, Values]]], None] | None = None,
    ) -> None:
        self._ranks = ranks
        self._question = ranks.broadcast(f"{task}/question", dict(question))
        self._base = journal
        self._task = task
        self._on_progress = on_progress
        self._round = 0
        self._seconds = 0.0  # the last point's
        self.values: dict[Key, Values] = {}
        self.decisions: dict[str, Any] | None = None
        self._journal: Journal | None = None
        if journal is not None and ranks.is_first:
            self._resume(journal)
        known = ranks.broadcast(f"{task}/decisions", self.decisions)
        self.decisions = known
        self._collect_own()

    def begin(self, decisions: Mapping[str, Any]) -> None:
        """Start to record; ``decisions`` (rank 0's) is how points are measured."""
        self.decisions = self._ranks.broadcast(f"{self._task}/begin", dict(decisions))
        if self._base is not None:
            header = {"question": self._question, "decisions": self.decisions}
            path = self._path(self._ranks.rank)
            entries = read_journal(path)
            if path.exists() and (entries is None or entries.header != header):
                put_aside(path)  # on a disk that rank 0 does not see
            self._journal = Journal(path, header)

    def measure(
        self, keys: Sequence[Key], evaluate: Evaluate, done: int = 0, total: int = 0
    ) -> None:
        """Measure those of ``keys`` that are not known yet; rank 0 then has all of them."""
        self._round += 1
        name = f"{self._task}/{self._round}"
        todo = [list(key) for key in keys if key not in self.values]
        todo = self._ranks.broadcast(f"{name}/todo", todo)
        own: dict[Key, Values] = {}
        with track(None, self._task, total=len(keys), done=len(keys) - len(todo)) as bar:
            taken = 0
            while taken < len(todo):
                count = self._claim_size(len(todo) - taken)
                start = self._ranks.claim(f"{name}/next", count, taken)
                bar.update(max(0, min(start, len(todo)) - taken))  # what others took
                for item in todo[start : start + count]:
                    key = tuple(item)
                    started = time.perf_counter()
                    own[key] = evaluate(key)
                    self._seconds = time.perf_counter() - started
                    if self._journal is not None:
                        self._journal.add(key, own[key])
                    if self._ranks.is_first:
                        self.values[key] = own[key]
                    bar.update(1)
                taken = start + count
                if self._on_progress is not None and self._ranks.is_first:
                    self._on_progress(self._visible)
        sent = [[list(key), [v.hex() for v in map(float, found)]] for key, found in own.items()]
        for share in self._ranks.gather(f"{name}/done", sent)[1:]:
            self._receive(share)

    def shared_values(self, keys: Sequence[Key]) -> dict[Key, Values]:
        """The values of measured points, the same bits in every rank."""
        self._round += 1
        own = [[float(v).hex() for v in self.values[key]] for key in keys if self._ranks.is_first]
        found = self._ranks.broadcast(f"{self._task}/{self._round}/values", own)
        arrays = (np.array([float.fromhex(value) for value in values]) for values in found)
        return dict(zip(keys, arrays, strict=True))

    def finish(self) -> None:
        """Rank 0, which may hold the store, waits until every other rank has read its last."""
        self._ranks.gather(f"{self._task}/finish", True)

    def close(self) -> None:
        """Let go of the journal; :func:`remove_journals` deletes it once the answer is saved."""
        if self._journal is not None:
            self._journal.close()

    def _claim_size(self, left: int) -> int:
        if self._ranks.world_size == 1:
            return min(left, max(1, int(CLAIM_SECONDS / self._seconds))) if self._seconds else 1
        fair = max(1, left // (4 * self._ranks.world_size))
        return min(fair, max(1, int(CLAIM_SECONDS / self._seconds))) if self._seconds else 1

    def _resume(self, base: Path) -> None:
        """Take over what the journals hold, or put them aside if they answer another question."""
        for path in self._journals():
            entries = read_journal(path)
            question = entries.header.get("question", {}) if entries else {}
            changed = differences(question, self._question)
            if entries is None or changed:
                why = "; ".join(changed) if entries else "its first line can't be read"
                aside = put_aside(path)
                LOGGER.info(f"{path} belongs to another question ({why}): kept as {aside.name}")
                continue
            self.decisions = entries.header.get("decisions")
            self.values.update(entries.values)
        if self.values:
            LOGGER.info(f"{base}: going on after {len(self.values):,} points")

    def _collect_own(self) -> None:
        """On a machine of its own, with a disk of its own, a rank brings what it had finished."""
        found = []
        if self._base is not None and not self._ranks.is_first:
            entries = read_journal(self._path(self._ranks.rank))
            if entries is not None and entries.header.get("question") == self._question:
                found = [
                    [list(key), [float(v).hex() for v in values]]
                    for key, values in entries.values.items()
                ]
        for share in self._ranks.gather(f"{self._task}/resumed", found)[1:]:
            self._receive(share)

    def _receive(self, share: Sequence[Any]) -> None:
        for key, values in share:
            self.values[tuple(key)] = np.array([float.fromhex(value) for value in values])

    def _visible(self) -> dict[Key, Values]:
        """All points that can be seen from here while other ranks are at work."""
        found = dict(self.values)
        if self._ranks.world_size > 1:
            for path in self._journals():
                entries = read_journal(path)
                found.update(entries.values if entries else {})
        return found

    def _path(self, rank: int) -> Path:
        assert self._base is not None
        return self._base if rank == 0 else self._base.with_name(f"{self._base.name}.{rank}")

    def _journals(self) -> list[Path]:
        return find_journals(self._base) if self._base is not None else []


def find_journals(base: Path) -> list[Path]:
    """The journals of all ranks."""
    others = sorted(base.parent.glob(f"{base.name}.[0-9]*"))
    return [path for path in (base, *others) if path.is_file()]


def remove_journals(base: Path) -> None:
    """Delete them: the answer that they led to is saved."""
    for path in find_journals(base):
        path.unlink(missing_ok=True)

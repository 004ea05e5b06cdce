"""The surroundings of a long computation: who shares it, where it is kept, who watches it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from landscape.results.result import Result
from landscape.runtime.distributed import ALONE, Ranks


class Watch(Protocol):
    """Something that shows an unfinished result now and then."""

    @property
    def is_due(self) -> bool:
        """Whether it is time to show it again; building what is shown takes time itself."""

    def __call__(self, unfinished: Any) -> None:
        """Show the unfinished result."""


@dataclass(frozen=True)
class RunContext:
    """Where a computation runs; by default in one process, in memory and unwatched.

    Args:
        folder: where an unfinished computation keeps its journal; None keeps none.
        ranks: the processes that share the work.
        watch: is shown the unfinished result whenever it says that it ``is_due``.
        known: results of the same objective by analysis, for analyses that can use them.
    """

    folder: Path | None = None
    ranks: Ranks = ALONE
    watch: Watch | None = None
    known: Mapping[str, Result] = field(default_factory=dict)

    def journal(self, analysis: str) -> Path | None:
        """The file in which an analysis keeps finished work; None where none is kept."""
        return None if self.folder is None else self.folder / f"{analysis}.journal"


IN_MEMORY = RunContext()

"""The surroundings of a long computation: who shares it, where it is kept, who watches."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from landscape.results.result import Result
from landscape.runtime.distributed import ALONE, Ranks


class Watch(Protocol):
    """Somebody who wants to see an unfinished result now and then."""

    @property
    def is_due(self) -> bool:
        """Whether it is time again: making what is shown costs something."""

    def __call__(self, unfinished: Any) -> None:
        """Look at it."""


@dataclass(frozen=True)
class RunContext:
    """By default alone, in memory, unwatched.

    ``folder`` is where an unfinished computation keeps its journal. ``watch`` is shown the
    unfinished result whenever it says that it ``is_due``. ``known`` are results of the same
    objective by analysis, for those that can use what another one has found out.
    """

    folder: Path | None = None
    ranks: Ranks = ALONE
    watch: Watch | None = None
    known: Mapping[str, Result] = field(default_factory=dict)

    def journal(self, analysis: str) -> Path | None:
        """The file for the finished points of an analysis."""
        return None if self.folder is None else self.folder / f"{analysis}.journal"


IN_MEMORY = RunContext()

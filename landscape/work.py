"""The surroundings of a long computation: who shares it, where it is kept, who watches."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from landscape.distributed import ALONE, Ranks


class Watch(Protocol):
    """Somebody who wants to see an unfinished result now and then."""

    @property
    def is_due(self) -> bool:
        """Whether it is time again: making what is shown costs something."""

    def __call__(self, unfinished: Any) -> None:
        """Look at it."""


@dataclass(frozen=True)
class Work:
    """By default alone, in memory, unwatched.

    ``folder`` is where an unfinished computation keeps its journal. ``watch`` is shown the
    unfinished result whenever it says that it ``is_due``.
    """

    folder: Path | None = None
    ranks: Ranks = ALONE
    watch: Watch | None = None

    def journal(self, analysis: str) -> Path | None:
        """The file for the finished points of an analysis."""
        return None if self.folder is None else self.folder / f"{analysis}.journal"


IN_MEMORY = Work()

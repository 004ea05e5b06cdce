"""What a reader makes of a damaged file, within bounds of time and memory."""

import os
import resource
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from landscape.errors import LandscapeError
from tests.fuzz.damage import Damaged
from tests.profile import repeats

# How many damaged files of each kind; `make fuzz` sets more.
CASES = int(os.environ.get("LANDSCAPE_FUZZ_CASES", repeats(15, 300)))
# Of files that are read by a child process: each is a fork of all that the tests have imported.
CASES_OF_CHILDREN = int(os.environ.get("LANDSCAPE_FUZZ_CASES", repeats(6, 300)))
SECONDS = 10.0
MEMORY = 2 * 1024**3  # bytes beyond what the process has at first


class TooSlowError(BaseException):
    """A reader took too long; no reader catches it."""


@dataclass
class Outcomes:
    """How often which outcome came, and examples of those that should not come.

    Attributes:
        counts: ``same``, ``other`` values, ``refused`` in one line, and ``failed`` in another way.
        examples: A line for each that failed, and with ``other``, for each that was read as other
            values.
        slowest: The longest time that one took, in seconds.
    """

    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    slowest: float = 0.0

    def add(self, kind: str, example: str) -> None:
        """Count an outcome."""
        self.counts[kind] += 1
        self.examples.setdefault(kind, []).append(example)

    def assert_within_bounds(self) -> None:
        """Fail if a file was answered by anything but its content or one line, in time."""
        self.assert_none("failed")
        assert self.counts, "no file was damaged"
        assert self.slowest < SECONDS

    def assert_none(self, *kinds: str) -> None:
        """Fail with examples if one of these outcomes came."""
        for kind in kinds:
            examples = self.examples.get(kind, [])
            assert not examples, f"{len(examples)} {kind}: " + "\n".join(examples[:10])


def outcomes_of(
    file: Path,
    damaged: Iterable[Damaged],
    read: Callable[[], Any],
    is_same: Callable[[Any], bool] = lambda _: True,
) -> Outcomes:
    """Put each damaged content in the place of a file and read it; the file is restored.

    Args:
        file: The file that is damaged.
        damaged: The damaged contents.
        read: Reads the file, or what it is a part of.
        is_same: Whether what was read is what the intact file says.
    """
    intact = file.read_bytes()
    outcomes = Outcomes()
    try:
        for case in damaged:
            file.write_bytes(case.content)
            start = time.perf_counter()
            kind, message = _outcome(read, is_same)
            outcomes.slowest = max(outcomes.slowest, time.perf_counter() - start)
            outcomes.add(kind, f"{case.what}: {message}")
    finally:
        file.write_bytes(intact)
    return outcomes


def _outcome(read: Callable[[], Any], is_same: Callable[[Any], bool]) -> tuple[str, str]:
    try:
        with bounded():
            content = read()
    except LandscapeError as error:
        text = str(error)
        is_clear = 0 < len(text) < 1000 and "\n" not in text
        return ("refused" if is_clear else "failed"), text[:1500]
    except (Exception, SystemExit, TooSlowError) as error:
        return "failed", f"{type(error).__name__}: {str(error)[:300]}"
    return ("same" if is_same(content) else "other"), ""


@contextmanager
def bounded(seconds: float = SECONDS, memory: int = MEMORY) -> Iterator[None]:
    """Raise TooSlowError, or MemoryError, in a block that takes more than this."""

    def stop(*_: object) -> None:
        raise TooSlowError(f"longer than {seconds:g} s")

    limit = resource.getrlimit(resource.RLIMIT_AS)
    handler = signal.signal(signal.SIGALRM, stop)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + memory, limit[1]))
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        resource.setrlimit(resource.RLIMIT_AS, limit)

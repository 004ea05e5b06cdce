"""What work will cost: memory that is refused or announced before it is taken, and long work.

Nothing here asks a question: a line on standard error says how much it will be, how that was
estimated, and which flag makes it less.
"""

import logging
import time

from landscape.errors import NotMeasurableError
from landscape.runtime.machine.memory import available_memory

LOGGER = logging.getLogger(__name__)

# What is announced before it begins.
LONG_SECONDS = 600.0
LARGE_BYTES = 2 * 10**9
# The first unit of some work prepares the others; a slow one is not waited for twice.
SLOW_SECONDS = 60.0


def need_memory(size: int, purpose: str, advice: str, free: int | None = None) -> None:
    """Refuse what there is no memory for; announce what takes much of it.

    Args:
        size: In bytes, computed from sizes before the memory is taken.
        purpose: What it is for, such as ``vectors of 6 probes``.
        advice: What makes it less, such as ``lower --probes``.
        free: How many bytes there are; those of the host if None.

    Raises:
        NotMeasurableError: There is not that much.

    Example:
        >>> need_memory(8 * 51 * 51, "the losses of 51 x 51 points", "lower --x and --y")
    """
    free = available_memory() if free is None else free
    if size > free:
        raise NotMeasurableError(
            f"{purpose} would take {in_bytes(size)} of memory, and {in_bytes(free)} are free; "
            f"{advice}"
        )
    if size > LARGE_BYTES:
        LOGGER.info(f"{purpose} takes {in_bytes(size)} of memory; to take less, {advice}")


def in_bytes(size: int) -> str:
    """A number of bytes in words: ``3.1 GB``."""
    number, unit = float(size), "bytes"
    for larger in ("kB", "MB", "GB", "TB", "PB", "EB"):
        if number < 1000:
            break
        number, unit = number / 1000, larger
    return f"{number:.3g} {unit}" if number < 1000 else f"{number:.1e} {unit}"


def in_time(seconds: float) -> str:
    """A time in words, in its two largest units at most: ``2 h 10 min``."""
    if seconds < 60:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days = hours / 24
    return f"{days:,.0f} days" if days < 1000 else f"{days / 365.25:,.3g} years"


class LongWork:
    """Work in units of about equal time: announced, once, where it will take over ten minutes.

    Args:
        task: What the work is called.
        total: How many units it has; None where that is not known, which announces nothing.
        done: How many of them were done before.
        advice: What makes it less, such as ``lower --probes``.

    Example:
        >>> work = LongWork("surface", total=2601, advice="lower --x and --y")
        >>> work.advance()
    """

    def __init__(self, task: str, total: int | None, done: int = 0, advice: str = "") -> None:
        self._task = task
        self._advice = advice
        self._left = 0 if total is None else total - done
        self._done = 0
        self._first = 0  # units of the first advance, which prepares the others
        self._first_at = 0.0
        self._started = time.perf_counter()
        self._is_announced = total is None

    def advance(self, count: int = 1) -> None:
        """Note that further units are done."""
        if self._is_announced or count <= 0:
            return
        now = time.perf_counter()
        self._done += count
        if not self._first:
            self._first, self._first_at = self._done, now
            if now - self._started >= SLOW_SECONDS:
                self._tell((now - self._started) / self._done)
        else:
            self._tell((now - self._first_at) / (self._done - self._first))

    def _tell(self, seconds_a_unit: float) -> None:
        self._is_announced = True
        left = self._left - self._done
        if left * seconds_a_unit > LONG_SECONDS:
            advice = f"; to take less, {self._advice}" if self._advice else ""
            LOGGER.info(
                f"{self._task}: {in_time(left * seconds_a_unit)} more, estimated from the first "
                f"{self._done} of {self._left:,} at {in_time(seconds_a_unit)} each{advice}"
            )

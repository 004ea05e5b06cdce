"""Requests to stop: the signals that a scheduler sends before it takes the machine away."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

SIGNALS = (signal.SIGTERM, signal.SIGUSR1)


class StopRequested(BaseException):
    """The training has stopped. Not an Exception, so that no handler on the way swallows it."""


class StopRequest:
    """Whether one of the signals has come, and which.

    Attributes:
        name: The name of the signal; empty if none has come.
        has_stopped: Whether the training has stopped; signals that come later are ignored.
    """

    def __init__(self) -> None:
        self.name = ""
        self.has_stopped = False
        self._stops_at_once = True

    @property
    def came(self) -> bool:
        """Whether to save and stop at the next opportunity."""
        return bool(self.name)

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Only note signals within the context; elsewhere they raise StopRequested at once."""
        self._stops_at_once = False
        try:
            yield
        finally:
            self._stops_at_once = True

    def stop(self) -> NoReturn:
        """Stop as this process, or another of those that train together, was asked to.

        Raises:
            StopRequested: Always.
        """
        self.has_stopped = True
        raise StopRequested(self.name or "another process was asked to stop")

    def handle(self, number: int, _frame: FrameType | None) -> None:
        """Handle a signal."""
        if self.has_stopped:
            return
        self.name = signal.Signals(number).name
        if self._stops_at_once:
            self.stop()


@contextmanager
def stop_requests(*, ends_process: bool = False) -> Iterator[StopRequest]:
    """Handle SIGTERM and SIGUSR1 as requests to stop, for as long as the context lasts.

    Python lets only the main thread handle signals; in another thread no request ever comes.

    Args:
        ends_process: A process that has stopped is about to end: go on ignoring signals then. One
            rank's signal stops them all, and theirs, which may come later, must not kill them.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = {number: signal.signal(number, request.handle) for number in SIGNALS}
    try:
        yield request
    finally:
        if not (ends_process and request.has_stopped):
            for number, handler in before.items():
                signal.signal(number, handler)

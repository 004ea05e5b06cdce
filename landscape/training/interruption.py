"""Requests to stop: the signals that a scheduler sends before it takes the machine away."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGUSR1)


class StopRequested(BaseException):
    """The training has stopped. Not an Exception, so that no handler on the way swallows it."""


class StopRequest:
    """Whether one of the signals has come, and which.

    Attributes:
        name: The name of the signal; empty if none has come.
    """

    def __init__(self) -> None:
        self.name = ""
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

    def handle(self, number: int, _frame: FrameType | None) -> None:
        """Handle a signal."""
        self.name = signal.Signals(number).name
        if self._stops_at_once:
            raise StopRequested(self.name)


@contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """Handle SIGTERM and SIGUSR1 as requests to stop, for as long as the context lasts.

    Python lets only the main thread handle signals; in another thread no request ever comes.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = {number: signal.signal(number, request.handle) for number in SIGNALS}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

"""Requests to stop: a scheduler's warning, before it takes the machine away."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGUSR1)


class StopRequested(BaseException):
    """Stop now, with nothing to save. Not an Exception: nobody should handle it on the way."""


class StopRequest:
    """Whether one of the signals has come, and which."""

    def __init__(self) -> None:
        self.name = ""
        self._is_safe_to_leave = True

    @property
    def came(self) -> bool:
        """Whether to save and stop at the next occasion."""
        return bool(self.name)

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Within, a signal is noted only; elsewhere it raises StopRequested where it comes."""
        self._is_safe_to_leave = False
        try:
            yield
        finally:
            self._is_safe_to_leave = True

    def handle(self, number: int, _frame: FrameType | None) -> None:
        """Note the signal."""
        self.name = signal.Signals(number).name
        if self._is_safe_to_leave:
            raise StopRequested(self.name)


@contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """Take SIGTERM and SIGUSR1 as requests, while the context lasts.

    Only a program's main thread can; in another nothing is ever requested.
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

"""Ctrl-C that waits until a short piece of work is done."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Raise KeyboardInterrupt at the end of the block if Ctrl-C is pressed within it.

    Only where Ctrl-C would raise KeyboardInterrupt: in the main thread, under Python's handler.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed within the block.

    Example:
        >>> with interrupts_held():
        ...     os.write(descriptor, b"all of it")
    """
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    pressed = threading.Event()

    def note(_number: int, _frame: FrameType | None) -> None:
        pressed.set()

    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if pressed.is_set():
            raise KeyboardInterrupt

"""Ctrl-C that waits for a short piece of work."""

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from landscape.results.files import replacing
from landscape.runtime.interrupts import interrupts_held


@pytest.fixture(autouse=True)
def _handler_of_python() -> Iterator[None]:
    """A shell starts what runs in its background with Ctrl-C ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def press() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_an_interrupt_comes_at_the_end_of_the_block():
    done = []

    def work() -> None:
        with interrupts_held():
            press()
            done.append("after Ctrl-C")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["after Ctrl-C"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with pytest.raises(KeyboardInterrupt):
        press()


def test_an_interrupt_is_not_lost_where_the_block_fails():
    def work() -> None:
        with interrupts_held():
            press()
            raise ValueError("a disk that is full")

    with pytest.raises(KeyboardInterrupt) as caught:
        work()
    assert isinstance(caught.value.__context__, ValueError)


def test_an_inner_block_leaves_it_to_the_outer_block():
    done = []

    def work() -> None:
        with interrupts_held():
            with interrupts_held():
                press()
            done.append("between")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["between"]


def test_a_handler_of_the_caller_is_left_alone():
    came = []
    before = signal.signal(signal.SIGINT, lambda number, _frame: came.append(number))
    try:
        with interrupts_held():
            press()
            assert came == [signal.SIGINT]
    finally:
        signal.signal(signal.SIGINT, before)


def test_other_threads_hold_nothing():
    handlers = []

    def work() -> None:
        with interrupts_held():
            handlers.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert handlers == [signal.default_int_handler]


def test_a_file_under_way_is_finished_first(tmp_path):
    path = tmp_path / "file"

    def write() -> None:
        with replacing(path) as temporary:
            press()
            temporary.write_text("whole")

    with pytest.raises(KeyboardInterrupt):
        write()
    assert path.read_text() == "whole"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]

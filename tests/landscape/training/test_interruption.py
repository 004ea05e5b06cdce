"""Requests to stop, and what may still come after them."""

import os
import signal

import pytest

from landscape.training.interruption import StopRequested, stop_requests


@pytest.fixture
def handlers():
    """What the signals do outside of the tests, put back after one that has changed it."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1)}
    yield before
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("ends_process", [False, True])
def test_signals_after_the_stop_are_ignored(ends_process, handlers):
    with stop_requests(ends_process=ends_process) as request:
        with request.noted():
            os.kill(os.getpid(), signal.SIGUSR1)
        assert request.came
        with pytest.raises(StopRequested, match="SIGUSR1"):
            request.stop()
        os.kill(os.getpid(), signal.SIGTERM)
        assert request.name == "SIGUSR1"
    if ends_process:
        for number in handlers:
            os.kill(os.getpid(), number)
    else:
        assert {number: signal.getsignal(number) for number in handlers} == handlers


def test_handlers_are_put_back_where_nothing_was_stopped(handlers):
    with stop_requests(ends_process=True):
        assert {number: signal.getsignal(number) for number in handlers} != handlers
    assert {number: signal.getsignal(number) for number in handlers} == handlers


def test_a_stop_that_another_process_was_asked_for_says_so():
    with (
        stop_requests() as request,
        pytest.raises(StopRequested, match="another process was asked to stop"),
    ):
        request.stop()

"""What is refused or announced before memory and time are taken."""

import logging
from types import SimpleNamespace

import pytest

from landscape.errors import InputError
from landscape.runtime import cost
from landscape.runtime.cost import LongWork, in_bytes, in_time, need_memory
from landscape.runtime.progress import show_messages, track


@pytest.fixture
def clock(monkeypatch):
    """The time that the module sees, which a test moves."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(cost.time, "perf_counter", lambda: clock.now)
    return clock


@pytest.fixture
def messages(caplog):
    caplog.set_level(logging.INFO, "landscape")
    return caplog


def test_what_memory_does_not_hold_is_refused_with_its_size():
    with pytest.raises(InputError) as caught:
        need_memory(3_000_000_000, "a grid", "take fewer points", free=2_000_000_000)
    assert str(caught.value) == (
        "a grid would take 3 GB of memory, and 2 GB are free; take fewer points"
    )


def test_much_memory_is_announced_and_little_is_not(messages):
    need_memory(2_000_000_000, "a grid", "take fewer points", free=10**10)
    assert messages.messages == []
    need_memory(2_100_000_000, "a grid", "take fewer points", free=10**10)
    assert messages.messages == ["a grid takes 2.1 GB of memory; to take less, take fewer points"]


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (999, "999 bytes"),
        (1000, "1 kB"),
        (3.14e9, "3.14 GB"),
        (10**18, "1 EB"),
        (4e24, "4.0e+06 EB"),
    ],
)
def test_sizes_in_words(size, words):
    assert in_bytes(size) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0123, "0.012 s"),
        (42, "42 s"),
        (150, "2 min"),
        (3600, "1 h"),
        (7800, "2 h 10 min"),
        (86400 * 10, "10 days"),
        (365.25 * 86400 * 5000, "5e+03 years"),
    ],
)
def test_times_in_words(seconds, words):
    assert in_time(seconds) == words


def test_long_work_is_announced_once_and_the_first_unit_does_not_count(clock, messages):
    work = LongWork("surface", total=1002, advice="lower --x")
    clock.now = 50  # it prepares the others
    work.advance()
    assert messages.messages == []
    clock.now = 52
    work.advance()
    expected = "surface: 33 min more, estimated from the first 2 of 1,002 at 2 s each"
    assert messages.messages == [f"{expected}; to take less, lower --x"]
    clock.now = 500
    work.advance()
    assert len(messages.messages) == 1


def test_a_first_unit_of_minutes_is_reason_enough(clock, messages):
    work = LongWork("surface", total=5)
    clock.now = 300
    work.advance()
    assert messages.messages == [
        "surface: 20 min more, estimated from the first 1 of 5 at 5 min each"
    ]


@pytest.mark.parametrize(("total", "done"), [(100, 0), (None, 0), (2000, 1900)])
def test_work_of_minutes_is_not_announced(clock, messages, total, done):
    work = LongWork("surface", total, done)
    for _ in range(20):
        clock.now += 5
        work.advance()
    assert messages.messages == []


def test_bars_announce_whether_they_are_moved_or_iterate(clock, messages):
    for number in track(range(1000), "items"):
        clock.now += 1
        if number == 5:
            break
    with track(None, "steps", total=1000, less="lower --epochs") as bar:
        for _ in range(5):
            clock.now += 1
            bar.update()
    assert messages.messages == [
        "items: 17 min more, estimated from the first 2 of 1,000 at 1 s each",
        "steps: 17 min more, estimated from the first 2 of 1,000 at 1 s each; to take less, "
        "lower --epochs",
    ]


@pytest.mark.parametrize("quiet", [False, True])
def test_it_is_a_line_on_standard_error_unless_quiet(clock, capsys, quiet):
    show_messages(quiet=quiet)
    for number in track(range(1000), "items"):
        clock.now += 1
        if number == 5:
            break
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == (0 if quiet else 1)

"""Seconds of calls that compute on a processor or on a CUDA device."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import torch


def wait(device: torch.device) -> None:
    """Wait until a device has done all that it was told to do; a processor has."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds_of(
    call: Callable[[], Any],
    device: torch.device,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """The seconds of one call, to the end of what it starts on the device.

    Args:
        call: What is timed.
        device: Where it computes.
        clock: ``time.process_time`` counts the seconds of the processor that this process has
            used, whatever else the machine does; on several threads they add up.
    """
    wait(device)
    started = clock()
    call()
    wait(device)
    return clock() - started


def seconds_in_turn(
    calls: Mapping[str, Callable[[], Any]],
    rounds: int,
    device: torch.device,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """The seconds of every call in every round, which takes the calls in turn.

    Whatever slows the machine down for a while slows all of them. Each is called once before.
    ``clock`` is as in :func:`seconds_of`.
    """
    for call in calls.values():
        call()
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            seconds[name].append(seconds_of(call, device, clock))
    return seconds

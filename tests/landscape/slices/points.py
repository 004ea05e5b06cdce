"""Points whose values are known, for queues of them."""

import struct
import time

import numpy as np
import pytest

from landscape.results.journal import Journal
from landscape.slices.point_queue import PointQueue

QUESTION = {"x": "-1:1:5", "seed": 0, "weights": "a" * 64}
DECISIONS = {"precision": "fp32", "error": 1.25e-7}
KEYS = [(0, row, column) for row in range(4) for column in range(5)]
ODD = {0: 0.1, 1: float("nan"), 2: -0.0, 3: 5e-324, 4: float("inf")}


def value(key):
    _, row, column = key
    return np.array([ODD[column], row / 3])


def bits(points):
    return {key: [struct.pack("<d", v) for v in numbers] for key, numbers in points.items()}


EXPECTED = bits({key: value(key) for key in KEYS})


class Recorder:
    """Evaluates points and remembers which; ``stop_after`` so many it is interrupted."""

    def __init__(self, stop_after=None, seconds=0.0, factor=1.0):
        self.keys = []
        self.stop_after = stop_after
        self.seconds = seconds
        self.factor = factor

    def __call__(self, key):
        if len(self.keys) == self.stop_after:
            raise KeyboardInterrupt
        self.keys.append(key)
        time.sleep(self.seconds)
        return value(key) * self.factor


def measure(journal, evaluate, question=QUESTION, decisions=DECISIONS, ranks=None, keys=KEYS):
    """As an analysis does; returns the queue and the values of ``keys``."""
    queue = PointQueue(question, journal, **({"ranks": ranks} if ranks else {}))
    try:
        queue.begin(decisions if queue.decisions is None else queue.decisions)
        queue.measure(keys, evaluate)
        return queue, queue.shared_values(keys)
    finally:
        queue.close()


def interrupted(journal, count, **more):
    with pytest.raises(KeyboardInterrupt):
        measure(journal, Recorder(stop_after=count), **more)


def record(path, keys, question=QUESTION, decisions=DECISIONS, factor=1.0):
    """A journal of these points."""
    with Journal(path, question, decisions) as journal:
        for key in keys:
            journal.add(key, value(key) * factor)

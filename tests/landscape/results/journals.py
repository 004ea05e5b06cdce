"""Journals of a few points that are hard to write."""

import struct

import numpy as np

from landscape.results.journal import Journal, read_journal

QUESTION = {"x": "-1:1:3", "note": "Größe\nmit Zeile"}
DECISIONS = {"error": 1e-7}
ODD = (0.1, float("nan"), float("inf"), -float("inf"), -0.0, 5e-324, 2.2250738585072011e-308, 1e308)
POINTS = {
    (0, 0, 0): ODD,
    (0, 12, 7): (1.0, -2.5),
    (3, 0, 50): (float("nan"),),
    (-1, 10**12): (3.0, 4.0, 5.0),
}


def bits(numbers):
    """What has to come back: every bit, but that there is only one nan."""
    return [b"nan" if v != v else struct.pack("<d", v) for v in map(float, numbers)]


def write(path, points, question=QUESTION, decisions=DECISIONS):
    with Journal(path, question, decisions) as journal:
        for key, numbers in points.items():
            journal.add(key, np.array(numbers))


def assert_holds(path, points):
    entries = read_journal(path)
    expected = {key: bits(numbers) for key, numbers in points.items()}
    assert {key: bits(numbers) for key, numbers in entries.values.items()} == expected

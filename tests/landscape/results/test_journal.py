import json
import struct
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landscape.results.journal import Journal, read_journal

HEADER = {"question": {"x": "-1:1:3", "note": "Größe\nmit Zeile"}, "decisions": {"error": 1e-7}}
ODD = (0.1, float("nan"), float("inf"), -float("inf"), -0.0, 5e-324, 2.2250738585072011e-308, 1e308)
POINTS = {
    (0, 0, 0): ODD,
    (0, 12, 7): (1.0, -2.5),
    (3, 0, 50): (float("nan"),),
    (-1, 10**12): (3.0, 4.0, 5.0),
}

keys = st.lists(st.integers(-(2**70), 2**70), min_size=1, max_size=4).map(tuple)
values = st.lists(st.floats(width=64), min_size=1, max_size=6).map(tuple)


def bits(numbers):
    """What has to come back: every bit, but that there is only one nan."""
    return [b"nan" if v != v else struct.pack("<d", v) for v in map(float, numbers)]


def write(path, points, header=HEADER):
    journal = Journal(path, header)
    for key, found in points.items():
        journal.add(key, found)
    journal.close()


def assert_holds(path, points):
    entries = read_journal(path)
    assert {k: bits(v) for k, v in entries.values.items()} == {
        k: bits(v) for k, v in points.items()
    }


@pytest.fixture
def whole(tmp_path):
    """A journal of POINTS as bytes, and where each of its lines ends."""
    write(tmp_path / "whole", POINTS)
    content = (tmp_path / "whole").read_bytes()
    ends = [place for place, byte in enumerate(content) if byte == ord("\n")]
    assert len(ends) == 1 + len(POINTS)
    return content, ends


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(keys, values, max_size=8), st.booleans())
def test_every_bit_comes_back(points, as_array):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal"
        write(path, {k: np.array(v) if as_array else v for k, v in points.items()})
        assert read_journal(path).header == HEADER
        assert_holds(path, points)


def test_numbers_that_are_hard_to_write(tmp_path):
    write(tmp_path / "journal", POINTS)
    found = read_journal(tmp_path / "journal").values
    assert set(found) == set(POINTS)
    assert all(array.dtype == np.float64 for array in found.values())
    assert_holds(tmp_path / "journal", POINTS)


def test_the_last_of_two_values_counts(tmp_path):
    journal = Journal(tmp_path / "journal", HEADER)
    journal.add((1,), [1.0])
    journal.add((1,), [2.0])
    journal.close()
    assert_holds(tmp_path / "journal", {(1,): [2.0]})


def test_points_are_there_before_the_journal_is_closed(tmp_path):
    journal = Journal(tmp_path / "journal", HEADER)
    for number in range(3):
        journal.add((number,), [number])
        assert len(read_journal(tmp_path / "journal").values) == number + 1
    journal.close()


def test_an_opened_journal_keeps_its_header_and_points(tmp_path):
    write(tmp_path / "journal", {(1,): (1.0,)})
    write(tmp_path / "journal", {(2,): (2.0,)}, header={"something": "else"})
    assert read_journal(tmp_path / "journal").header == HEADER
    assert_holds(tmp_path / "journal", {(1,): (1.0,), (2,): (2.0,)})


def test_a_journal_that_was_cut_anywhere(whole, tmp_path):
    """Whole lines are read; what is appended later is neither lost nor mixed up with the rest."""
    content, ends = whole
    path = tmp_path / "cut"
    later = {(9, 9, 9): ODD, (9, 9, 10): (1.0,)}
    for length in range(len(content) + 1):
        path.write_bytes(content[:length])
        finished = sum(length >= end for end in ends) - 1  # a line needs no newline to be whole
        entries = read_journal(path)
        assert (entries is None) == (finished < 0), length
        kept = dict(list(POINTS.items())[: max(finished, 0)])
        if entries is not None:
            assert entries.header == HEADER
            assert_holds(path, kept)
        write(path, later)
        assert read_journal(path).header == HEADER
        assert_holds(path, {**kept, **later})


@pytest.mark.parametrize("change", [0x01, 0x02, 0x20, 0x80, 0xFF])
def test_a_spoilt_byte_loses_its_line_and_no_other(whole, tmp_path, change):
    content, ends = whole
    path = tmp_path / "spoilt"
    everything = list(POINTS.items())
    for place in range(ends[0] + 1, len(content)):
        path.write_bytes(content[:place] + bytes([content[place] ^ change]) + content[place + 1 :])
        line = sum(place > end for end in ends) - 1
        lost = {line}
        if place in ends:  # without a newline two lines are one
            lost.add(line + 1)
        kept = dict(point for k, point in enumerate(everything) if k not in lost)
        found = read_journal(path).values
        assert {k: bits(v) for k, v in found.items()} == {k: bits(v) for k, v in kept.items()}
        write(path, {(9,): (9.0,)})
        assert_holds(path, {**kept, (9,): (9.0,)})


def test_no_value_is_read_that_was_not_written(whole, tmp_path):
    """Whatever single byte of the points becomes whatever other one."""
    content, ends = whole
    path = tmp_path / "spoilt"
    source = np.random.default_rng(0)
    expected = {k: bits(v) for k, v in POINTS.items()}
    for place in source.integers(ends[0] + 1, len(content), 300):
        spoilt = bytearray(content)
        spoilt[place] = source.integers(256)
        path.write_bytes(spoilt)
        for key, found in read_journal(path).values.items():
            assert bits(found) == expected[key]


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"{", b"[1, 2]\n", b"null\n", b"\x00" * 300, b"\xff\xfe", b"0 0x1p0 00000000\n"],
)
def test_no_journal(tmp_path, content):
    path = tmp_path / "journal"
    path.write_bytes(content)
    assert read_journal(path) is None
    write(path, POINTS)  # opened for writing it is begun anew
    assert_holds(path, POINTS)


def test_no_file(tmp_path):
    assert read_journal(tmp_path / "journal") is None


def test_zeros_as_a_power_cut_leaves_them(whole, tmp_path):
    content, ends = whole
    path = tmp_path / "journal"
    for finished, start in enumerate(ends):
        path.write_bytes(content[:start] + b"\x00" * 500)  # in place of the newline and the rest
        write(path, {(9,): (9.0,)})
        assert_holds(path, {**dict(list(POINTS.items())[: max(finished - 1, 0)]), (9,): (9.0,)})


def test_two_writers_do_not_mix_their_lines(tmp_path):
    one, other = (Journal(tmp_path / "journal", HEADER) for _ in range(2))
    for number in range(50):
        one.add((number, 0), ODD)
        other.add((number, 1), ODD)
    one.close()
    other.close()
    assert_holds(tmp_path / "journal", {(n, k): ODD for n in range(50) for k in range(2)})


def test_the_header_is_one_line_of_json(whole):
    content, ends = whole
    assert json.loads(content[: ends[0]]) == HEADER
    assert b"\n" not in content[: ends[0]]

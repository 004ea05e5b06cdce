"""The records of a journal survive kills and damage: what is whole is read, and nothing else."""

import numpy as np
import pytest

from landscape.results import records
from landscape.results.journal import Journal, read_journal
from tests.landscape.results.journals import ODD, POINTS, QUESTION, assert_holds, bits, write
from tests.profile import repeats


@pytest.fixture
def whole(tmp_path):
    """A journal of POINTS as bytes, and where its header and each of its records end."""
    path = tmp_path / "whole"
    write(path, {})
    ends = [path.stat().st_size]
    for key, numbers in POINTS.items():
        write(path, {key: numbers})
        ends.append(path.stat().st_size)
    return path.read_bytes(), ends


def test_a_journal_that_was_cut_anywhere(whole, tmp_path):
    """Whole records are read; what is appended later is neither lost nor mixed up with the rest."""
    content, ends = whole
    path = tmp_path / "cut"
    later = {(9, 9, 9): ODD, (9, 9, 10): (1.0,)}
    for length in range(ends[0], len(content) + 1):
        path.write_bytes(content[:length])
        finished = sum(length >= end for end in ends) - 1
        kept = dict(list(POINTS.items())[:finished])
        assert_holds(path, kept)
        assert path.stat().st_size == length  # reading leaves the file as it is
        write(path, {})
        assert path.read_bytes() == content[: ends[finished]]  # and opening truncates it
        write(path, later)
        assert_holds(path, {**kept, **later})


@pytest.mark.parametrize("change", [0x01, 0xFF, 0x02, 0x20, 0x80][: repeats(2, 5)])
def test_a_spoilt_byte_loses_its_record_and_no_other(whole, tmp_path, change):
    content, ends = whole
    path = tmp_path / "spoilt"
    everything = list(POINTS.items())
    for place in range(ends[0], len(content)):
        path.write_bytes(content[:place] + bytes([content[place] ^ change]) + content[place + 1 :])
        lost = sum(place >= end for end in ends) - 1
        kept = dict(point for k, point in enumerate(everything) if k != lost)
        assert_holds(path, kept)
        write(path, {(9,): (9.0,)})
        assert_holds(path, {**kept, (9,): (9.0,)})


def test_no_value_is_read_that_was_not_written(whole, tmp_path):
    """Whatever single byte of the points becomes whatever other one."""
    content, ends = whole
    path = tmp_path / "spoilt"
    source = np.random.default_rng(0)
    expected = {k: bits(v) for k, v in POINTS.items()}
    for place in source.integers(ends[0], len(content), 300):
        spoilt = bytearray(content)
        spoilt[place] = source.integers(256)
        path.write_bytes(spoilt)
        for key, numbers in read_journal(path).values.items():
            assert bits(numbers) == expected[key]


def test_zeros_as_a_power_cut_leaves_them(whole, tmp_path):
    content, ends = whole
    path = tmp_path / "journal"
    for finished, start in enumerate(ends):
        path.write_bytes(content[:start] + b"\x00" * 500)
        write(path, {(9,): (9.0,)})
        assert_holds(path, {**dict(list(POINTS.items())[:finished]), (9,): (9.0,)})


def test_records_are_found_behind_a_long_stretch_of_damage(whole, tmp_path, monkeypatch):
    """Also where a marker lies across two pieces that are read apart."""
    content, ends = whole
    path = tmp_path / "journal"
    for piece in (5, 7, 64):
        monkeypatch.setattr(records, "_PIECE", piece)
        path.write_bytes(content[: ends[1]] + b"\xa7re" * 100 + content[ends[1] :])
        assert_holds(path, POINTS)


def test_short_writes_and_reads_are_continued(tmp_path, monkeypatch):
    write_some, read_some = records.os.write, records.os.pread
    monkeypatch.setattr(records.os, "write", lambda f, data: write_some(f, data[:10]))
    monkeypatch.setattr(records.os, "pread", lambda f, count, at: read_some(f, min(count, 7), at))
    write(tmp_path / "journal", POINTS)
    assert_holds(tmp_path / "journal", POINTS)


def test_two_writers_do_not_mix_their_records(tmp_path):
    first, second = (Journal(tmp_path / "journal", QUESTION) for _ in range(2))
    for number in range(50):
        first.add((number, 0), np.array(ODD))
        second.add((number, 1), np.array(ODD))
        assert bits(first.values((number, 0))) == bits(second.values((number, 1))) == bits(ODD)
    first.close()
    second.close()
    assert_holds(tmp_path / "journal", {(n, k): ODD for n in range(50) for k in range(2)})

"""A journal gives back, bit by bit, whatever it took in before it was cut short or damaged."""

import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landscape.results import journal as journal_module
from landscape.results import records
from landscape.results.journal import (
    Journal,
    find_journals,
    read_journal,
    remove_journals,
    set_aside_if_other,
)
from tests.landscape.results.journals import (
    DECISIONS,
    POINTS,
    QUESTION,
    assert_holds,
    bits,
    write,
)
from tests.profile import repeats

keys = st.lists(st.integers(-(2**70), 2**70), min_size=1, max_size=4).map(tuple)
values = st.lists(st.floats(width=64), min_size=1, max_size=6).map(tuple)


# ------------------------------------------------------------------------------ what comes back


@settings(max_examples=repeats(25, 100), deadline=None)
@given(st.dictionaries(keys, values, max_size=8))
def test_every_bit_comes_back(points):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal"
        write(path, points)
        entries = read_journal(path)
        assert (entries.question, entries.decisions) == (QUESTION, DECISIONS)
        assert_holds(path, points)
        with Journal(path, QUESTION, DECISIONS) as journal:
            assert len(journal) == len(points)
            for key, numbers in points.items():
                assert bits(journal.values(key)) == bits(numbers)


@settings(max_examples=repeats(25, 100), deadline=None)
@given(st.dictionaries(keys, st.binary(max_size=40), max_size=8))
def test_every_byte_comes_back(contents):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal"
        for _ in range(2):  # in the process that wrote them and in the next one
            with Journal(path, QUESTION) as journal:
                for key, content in contents.items():
                    if journal.content(key) is None:
                        journal.add(key, content)
                assert {key: journal.content(key) for key in contents} == contents
                assert journal.content((1, 2, 3, 4, 5)) is None


def test_numbers_that_are_hard_to_write(tmp_path):
    write(tmp_path / "journal", POINTS)
    values = read_journal(tmp_path / "journal").values
    assert set(values) == set(POINTS)
    assert all(array.dtype == np.float64 for array in values.values())
    assert_holds(tmp_path / "journal", POINTS)


def test_the_last_of_two_values_counts(tmp_path):
    path = tmp_path / "journal"
    with Journal(path, QUESTION, DECISIONS) as journal:
        journal.add((1,), np.array([1.0]))
        journal.add((1,), np.array([2.0]))
        assert journal.values((1,)).tolist() == [2.0]
    assert_holds(path, {(1,): [2.0]})


def test_values_may_be_written_to(tmp_path):
    write(tmp_path / "journal", {(1,): (1.0,)})
    read_journal(tmp_path / "journal").values[1,][0] = 2.0
    with Journal(tmp_path / "journal", QUESTION, DECISIONS) as journal:
        journal.values((1,))[0] = 2.0
        assert journal.values((1,)).tolist() == [1.0]


def test_points_are_there_before_the_journal_is_closed(tmp_path):
    path = tmp_path / "journal"
    with Journal(path, QUESTION, DECISIONS) as journal:
        for number in range(3):
            journal.add((number,), np.array([float(number)]))
            assert len(read_journal(path).values) == len(journal) == number + 1


def test_no_file(tmp_path):
    assert read_journal(tmp_path / "journal") is None


def test_an_opened_journal_keeps_its_points(tmp_path):
    write(tmp_path / "journal", {(1,): (1.0,)})
    write(tmp_path / "journal", {(2,): (2.0,)})
    assert_holds(tmp_path / "journal", {(1,): (1.0,), (2,): (2.0,)})


# ---------------------------------------------------------------------------- disks that are full


def test_a_full_disk_is_not_filled_further(tmp_path, monkeypatch, caplog):
    class Usage:
        free = 10

    caplog.set_level("INFO")
    monkeypatch.setattr(journal_module.shutil, "disk_usage", lambda _: Usage)
    path = tmp_path / "journal"
    write(path, POINTS)
    assert caplog.messages == [f"{path} records nothing further: the disk is nearly full"]
    assert_holds(path, {})


def test_a_write_that_fails_ends_the_recording_and_not_the_work(tmp_path, monkeypatch, caplog):
    def full(*_):
        raise OSError(28, "No space left on device")

    caplog.set_level("INFO")
    path = tmp_path / "journal"
    write(path, {(1,): (1.0,)})
    with monkeypatch.context() as patch:
        patch.setattr(records.os, "write", full)
        write(path, POINTS)
    assert len(caplog.messages) == 1
    assert "No space left on device" in caplog.messages[0]
    write(path, {(2,): (2.0,)})
    assert_holds(path, {(1,): (1.0,), (2,): (2.0,)})


# ------------------------------------------------------------------------------ another question


@pytest.mark.parametrize(
    ("question", "decisions", "text"),
    [
        ({**QUESTION, "x": "-2:2:3"}, DECISIONS, "x -1:1:3, now -2:2:3"),
        ({**QUESTION, "bn": "fixed"}, DECISIONS, "bn not given, now fixed"),
        ({"x": "-1:1:3", "note": ""}, DECISIONS, "note Größe\nmit Zeile, now not given"),
        ({"note": QUESTION["note"]}, DECISIONS, "x -1:1:3, now not given"),
        (QUESTION, {"error": 0.5}, "error 1e-07, now 0.5"),
        (QUESTION, None, "error 1e-07, now not given"),
    ],
)
def test_a_journal_of_another_question_is_set_aside(tmp_path, caplog, question, decisions, text):
    caplog.set_level("INFO")
    path = tmp_path / "surface.journal"
    write(path, POINTS)
    before = path.read_bytes()
    write(path, {(1,): (1.0,)}, question, decisions)
    assert_holds(path, {(1,): (1.0,)})
    assert (tmp_path / "surface.1.journal").read_bytes() == before
    assert caplog.messages == [
        f"{path} belongs to another question ({text}): kept as surface.1.journal"
    ]


def test_decisions_that_are_not_given_are_not_compared(tmp_path):
    path = tmp_path / "surface.journal"
    write(path, POINTS)
    set_aside_if_other(path, QUESTION)
    assert_holds(path, POINTS)
    set_aside_if_other(path, {**QUESTION, "x": "0:1:3"})
    assert [file.name for file in tmp_path.iterdir()] == ["surface.1.journal"]
    set_aside_if_other(path, QUESTION)  # there is none any more


def test_the_same_question_after_json(tmp_path, caplog):
    caplog.set_level("INFO")
    question = {"kinds": ["random"], "model_args": {"depth": 2, "name": "Größe"}, "none": None}
    for number in range(2):
        write(tmp_path / "journal", {(number,): (1.0,)}, question)
    assert len(read_journal(tmp_path / "journal").values) == 2
    assert caplog.messages == []


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"\n", b"{", b"[1, 2]\n", b"null\n", b"\x00" * 300, b"\xff\xfe"),
        b"0 0x1p0 00000000\n",
        b'{"question": {}, "decisions": {}}\n',  # of an earlier version
        b'{"format": 2}\n',
        b'{"format": 2, "question": {}, "decisions": {}}',  # no end of the line
    ],
)
def test_no_journal(tmp_path, content, caplog):
    caplog.set_level("INFO")
    path = tmp_path / "a.journal"
    path.write_bytes(content)
    assert read_journal(path) is None
    write(path, POINTS)
    assert_holds(path, POINTS)
    assert (tmp_path / "a.1.journal").read_bytes() == content
    assert len(caplog.messages) == 1
    assert "its first line can't be read" in caplog.messages[0]


def test_the_header_is_one_line_of_json(tmp_path):
    write(tmp_path / "journal", {})
    content = (tmp_path / "journal").read_bytes()
    assert json.loads(content) == {"format": 2, "question": QUESTION, "decisions": DECISIONS}
    assert content.count(b"\n") == 1


# -------------------------------------------------------------------------------- several ranks


def test_find_and_remove_journals(tmp_path):
    journal = tmp_path / "surface.journal"
    of_ranks = ["surface.journal", "surface.journal.1", "surface.journal.10"]
    unrelated = ["surface.1.journal", "surface.h5", "line.journal", "surface.1.journal.1"]
    for name in (*of_ranks, *unrelated):
        journal.with_name(name).write_text("")
    assert [path.name for path in find_journals(journal)] == of_ranks
    remove_journals(journal)
    assert {path.name for path in journal.parent.iterdir()} == set(unrelated)
    remove_journals(journal)

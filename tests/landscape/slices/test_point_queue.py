"""A queue of points: each is measured once, also after a kill."""

import pytest

from landscape.results.journal import Journal, read_journal
from landscape.slices import point_queue
from landscape.slices.point_queue import PointQueue
from tests.landscape.slices.points import (
    DECISIONS,
    EXPECTED,
    KEYS,
    QUESTION,
    Recorder,
    bits,
    interrupted,
    measure,
    record,
    value,
)


def test_in_memory(tmp_path):
    evaluate = Recorder()
    queue, points = measure(None, evaluate)
    assert evaluate.keys == KEYS
    assert bits(points) == bits(queue.values) == EXPECTED
    assert list(tmp_path.iterdir()) == []


def test_a_point_is_measured_once_whoever_asks_again(journal):
    queue = PointQueue(QUESTION, journal)
    queue.begin(DECISIONS)
    evaluate = Recorder()
    queue.measure(KEYS[:7], evaluate)
    queue.measure(KEYS, evaluate)
    queue.measure(KEYS, evaluate)
    assert evaluate.keys == KEYS
    assert bits(queue.shared_values(KEYS[3:5])) == {k: EXPECTED[k] for k in KEYS[3:5]}
    queue.close()


@pytest.mark.parametrize("count", [0, 1, 7, 19])
def test_an_interrupted_queue_is_resumed(journal, count, caplog):
    caplog.set_level("INFO")
    interrupted(journal, count)
    assert list(read_journal(journal).values) == KEYS[:count]
    caplog.clear()
    evaluate = Recorder()
    _, points = measure(journal, evaluate)
    assert evaluate.keys == KEYS[count:]
    assert bits(points) == EXPECTED
    expected = f"Resuming after {count} points ({journal})"
    assert caplog.messages == ([expected] if count else [])


def test_a_finished_journal_is_measured_no_more(journal):
    measure(journal, Recorder())
    evaluate = Recorder()
    _, points = measure(journal, evaluate)
    assert evaluate.keys == []
    assert bits(points) == EXPECTED


@pytest.mark.parametrize("count", [0, 1, 5, 12, 19])
def test_a_group_that_was_cut_short_is_evaluated_as_a_whole(journal, count):
    groups = [KEYS[start : start + 6] for start in range(0, len(KEYS), 6)]

    def evaluate(group):
        """Values that depend on the company."""
        evaluated.append(group)
        return [value(key) + groups.index(group) + len(group) / 7 for key in group]

    evaluated = []
    queue = PointQueue(QUESTION)
    queue.measure_together(groups, evaluate)
    expected = queue.shared_values(KEYS)
    assert evaluated == groups
    record(journal, [])
    with Journal(journal, QUESTION, DECISIONS) as opened:
        for key in KEYS[:count]:
            opened.add(key, expected[key])
    evaluated.clear()
    queue = PointQueue(QUESTION, journal)
    queue.begin(queue.decisions)
    queue.measure_together(groups, evaluate)
    assert evaluated == groups[count // 6 :]
    assert bits(queue.shared_values(KEYS)) == bits(expected)
    queue.close()
    assert list(read_journal(journal).values) == KEYS


def test_decisions_are_kept(journal):
    interrupted(journal, 3)
    queue, _ = measure(journal, Recorder(), decisions={"precision": "bf16"})
    assert queue.decisions == DECISIONS
    entries = read_journal(journal)
    assert (entries.question, entries.decisions) == (QUESTION, DECISIONS)


def test_decisions_of_another_question_are_not(journal):
    interrupted(journal, 3)
    queue, _ = measure(journal, Recorder(), {**QUESTION, "seed": 1}, {"precision": "bf16"})
    assert queue.decisions == {"precision": "bf16"}


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"seed": 1}, "seed 0, now 1"),
        ({"weights": "b" * 64}, "other weights"),
        ({"x": "-2:2:5", "seed": 1}, "x -1:1:5, now -2:2:5; seed 0, now 1"),
        ({"bn": "reestimate"}, "bn not given, now reestimate"),
    ],
)
def test_points_of_another_question_are_set_aside(journal, caplog, change, text):
    caplog.set_level("INFO")
    interrupted(journal, 6)
    before = journal.read_bytes()
    evaluate = Recorder(factor=2.0)
    _, points = measure(journal, evaluate, {**QUESTION, **change})
    assert evaluate.keys == KEYS
    assert bits(points) == bits({key: value(key) * 2.0 for key in KEYS})
    aside = journal.with_name("surface.1.journal")
    assert aside.read_bytes() == before
    assert caplog.messages == [
        f"{journal} belongs to another question ({text}): kept as surface.1.journal"
    ]
    assert read_journal(journal).question == {**QUESTION, **change}


def test_the_question_may_hold_what_json_changes(journal, caplog):
    caplog.set_level("INFO")
    question = {"kinds": ["random"], "model_args": {"depth": 2, "name": "Größe"}, "none": None}
    interrupted(journal, 6, question=question)
    evaluate = Recorder()
    measure(journal, evaluate, question)
    assert evaluate.keys == KEYS[6:]
    assert "another question" not in caplog.text


@pytest.mark.parametrize("content", [b"", b"\x00" * 50, b"no json\n0,0,0 0x1p+0 00000000\n"])
def test_a_journal_that_cannot_be_read_is_set_aside(journal, caplog, content):
    caplog.set_level("INFO")
    journal.write_bytes(content)
    evaluate = Recorder()
    measure(journal, evaluate)
    assert evaluate.keys == KEYS
    assert journal.with_name("surface.1.journal").read_bytes() == content
    (text,) = caplog.messages
    assert "its first line can't be read" in text


def test_the_journals_of_several_ranks_are_merged(journal, caplog):
    caplog.set_level("INFO")
    for name, keys in (("", KEYS[:4]), (".1", KEYS[4:6]), (".11", KEYS[6:9])):
        record(journal.with_name(journal.name + name), keys)
    evaluate = Recorder()
    queue, points = measure(journal, evaluate)
    assert evaluate.keys == KEYS[9:]
    assert bits(points) == EXPECTED
    assert queue.decisions == DECISIONS
    assert "Resuming after 9 points" in caplog.text


def test_of_several_journals_only_those_of_the_question_count(journal, caplog):
    caplog.set_level("INFO")
    for key, name, seed in zip(KEYS, ("", ".1", ".2"), (0, 1, 0), strict=False):
        path = journal.with_name(journal.name + name)
        record(path, [key], {**QUESTION, "seed": seed}, factor=1 + seed)
    evaluate = Recorder()
    _, points = measure(journal, evaluate)
    assert evaluate.keys == [KEYS[1], *KEYS[3:]]
    assert bits(points) == EXPECTED
    assert "kept as surface.1.journal.1" in caplog.text


def test_the_journal_of_a_rank_alone_is_enough(journal):
    record(journal.with_name("surface.journal.3"), KEYS[:1], decisions={})
    evaluate = Recorder()
    measure(journal, evaluate)
    assert evaluate.keys == KEYS[1:]


def test_progress_is_shown_what_is_there(monkeypatch):
    monkeypatch.setattr(point_queue, "CLAIM_SECONDS", 0.005)
    seen = []
    queue = PointQueue(QUESTION, on_progress=lambda visible: seen.append(list(visible())))
    queue.begin(DECISIONS)
    queue.measure(KEYS, Recorder(seconds=0.002))
    assert seen[0] == KEYS[:1]
    assert seen[-1] == KEYS
    assert len(seen) > 5
    assert all(points == KEYS[: len(points)] for points in seen)

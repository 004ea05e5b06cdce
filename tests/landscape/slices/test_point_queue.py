import json
import struct
import threading
import time
from datetime import timedelta

import numpy as np
import pytest
import torch.distributed as dist

from landscape.results.journal import Journal, read_journal
from landscape.runtime.distributed import Ranks
from landscape.slices import point_queue as survey_module
from landscape.slices.point_queue import PointQueue, find_journals, remove_journals

QUESTION = {"x": "-1:1:5", "seed": 0, "weights": "a" * 64}
DECISIONS = {"precision": "fp32", "error": 1.25e-7}
KEYS = [(0, row, column) for row in range(4) for column in range(5)]
ODD = {0: 0.1, 1: float("nan"), 2: -0.0, 3: 5e-324, 4: float("inf")}


def value(key):
    _, row, column = key
    return np.array([ODD[column], row / 3])


def bits(found):
    return {key: [struct.pack("<d", v) for v in numbers] for key, numbers in found.items()}


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
    """As an analysis does; returns the survey and the values of ``keys``."""
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


def in_ranks(work, count=2):
    """``work(ranks)`` in each of several ranks, here threads; returns what they return."""
    store, found, errors = dist.HashStore(), {}, []
    store.set_timeout(timedelta(seconds=20))

    def run(number):
        try:
            found[number] = work(Ranks(number, count, store))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(k,), daemon=True) for k in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not errors, errors
    return [found[number] for number in range(count)]


@pytest.fixture
def journal(tmp_path):
    return tmp_path / "surface.journal"


def test_in_memory(tmp_path):
    evaluate = Recorder()
    queue, found = measure(None, evaluate)
    assert evaluate.keys == KEYS
    assert bits(found) == bits(queue.values) == EXPECTED
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
def test_an_interrupted_survey_goes_on(journal, count, capsys):
    interrupted(journal, count)
    assert list(read_journal(journal).values) == KEYS[:count]
    capsys.readouterr()
    evaluate = Recorder()
    _, found = measure(journal, evaluate)
    assert evaluate.keys == KEYS[count:]
    assert bits(found) == EXPECTED
    text = capsys.readouterr().err
    assert text == (f"{journal}: going on after {count} points\n" if count else "")


def test_a_finished_journal_is_measured_no_more(journal):
    measure(journal, Recorder())
    evaluate = Recorder()
    _, found = measure(journal, evaluate)
    assert evaluate.keys == []
    assert bits(found) == EXPECTED


def test_decisions_are_kept(journal):
    interrupted(journal, 3)
    queue, _ = measure(journal, Recorder(), decisions={"precision": "bf16"})
    assert queue.decisions == DECISIONS
    assert read_journal(journal).header == {"question": QUESTION, "decisions": DECISIONS}


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
def test_points_of_another_question_are_put_aside(journal, capsys, change, text):
    interrupted(journal, 6)
    before = journal.read_bytes()
    evaluate = Recorder(factor=2.0)
    _, found = measure(journal, evaluate, {**QUESTION, **change})
    assert evaluate.keys == KEYS
    assert bits(found) == bits({key: value(key) * 2.0 for key in KEYS})
    aside = journal.with_name("surface.1.journal")
    assert aside.read_bytes() == before
    assert capsys.readouterr().err == (
        f"{journal} belongs to another question ({text}): kept as surface.1.journal\n"
    )
    assert read_journal(journal).header["question"] == {**QUESTION, **change}


def test_the_question_may_hold_what_json_changes(journal, capsys):
    question = {"kinds": ["random"], "model_args": {"depth": 2, "name": "Größe"}, "none": None}
    interrupted(journal, 6, question=question)
    evaluate = Recorder()
    measure(journal, evaluate, question)
    assert evaluate.keys == KEYS[6:]
    assert "another question" not in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"", b"\x00" * 50, b"no json\n0,0,0 0x1p+0 00000000\n"])
def test_a_journal_that_cannot_be_read_is_put_aside(journal, capsys, content):
    journal.write_bytes(content)
    evaluate = Recorder()
    measure(journal, evaluate)
    assert evaluate.keys == KEYS
    assert journal.with_name("surface.1.journal").read_bytes() == content
    text = capsys.readouterr().err
    assert "its first line can't be read" in text
    assert len(text.splitlines()) == 1


def test_the_journals_of_several_ranks_are_merged(journal, capsys):
    header = {"question": QUESTION, "decisions": DECISIONS}
    for name, keys in (("", KEYS[:4]), (".1", KEYS[4:6]), (".11", KEYS[6:9])):
        one = Journal(journal.with_name(journal.name + name), header)
        for key in keys:
            one.add(key, value(key))
        one.close()
    evaluate = Recorder()
    queue, found = measure(journal, evaluate)
    assert evaluate.keys == KEYS[9:]
    assert bits(found) == EXPECTED
    assert queue.decisions == DECISIONS
    assert "going on after 9 points" in capsys.readouterr().err


def test_of_several_journals_only_those_of_the_question_count(journal, capsys):
    for name, seed in (("", 0), (".1", 1), (".2", 0)):
        path = journal.with_name(journal.name + name)
        one = Journal(path, {"question": {**QUESTION, "seed": seed}, "decisions": DECISIONS})
        key = KEYS[len(find_journals(journal)) - 1]
        one.add(key, value(key) * (1 + seed))
        one.close()
    evaluate = Recorder()
    _, found = measure(journal, evaluate)
    assert evaluate.keys == [KEYS[1], *KEYS[3:]]
    assert bits(found) == EXPECTED
    assert "kept as surface.1.journal.1" in capsys.readouterr().err


def test_the_journal_of_a_rank_alone_is_enough(journal):
    one = Journal(journal.with_name("surface.journal.3"), {"question": QUESTION, "decisions": {}})
    one.add(KEYS[0], value(KEYS[0]))
    one.close()
    evaluate = Recorder()
    measure(journal, evaluate)
    assert evaluate.keys == KEYS[1:]


def test_find_and_remove_journals(journal):
    ours = ["surface.journal", "surface.journal.1", "surface.journal.10"]
    others = ["surface.1.journal", "surface.h5", "line.journal", "surface.1.journal.1"]
    for name in (*ours, *others):
        journal.with_name(name).write_text("")
    assert [path.name for path in find_journals(journal)] == ours
    remove_journals(journal)
    assert {path.name for path in journal.parent.iterdir()} == set(others)
    remove_journals(journal)


def test_progress_is_shown_what_is_there(monkeypatch):
    monkeypatch.setattr(survey_module, "CLAIM_SECONDS", 0.005)
    seen = []
    queue = PointQueue(QUESTION, on_progress=lambda visible: seen.append(list(visible())))
    queue.begin(DECISIONS)
    queue.measure(KEYS, Recorder(seconds=0.002))
    assert seen[0] == KEYS[:1]
    assert seen[-1] == KEYS
    assert len(seen) > 5
    assert all(found == KEYS[: len(found)] for found in seen)


def test_ranks_share_the_points(journal, monkeypatch):
    monkeypatch.setattr(survey_module, "CLAIM_SECONDS", 0.004)
    seen = []

    def work(ranks):
        evaluate = Recorder(seconds=0.002)
        queue = PointQueue(
            QUESTION, journal, ranks, on_progress=lambda visible: seen.append(visible())
        )
        queue.begin(DECISIONS if ranks.is_first else {})
        queue.measure(KEYS, evaluate)
        found = queue.shared_values(KEYS)
        queue.close()
        return evaluate.keys, found, queue.decisions

    results = in_ranks(work, 3)
    assert sorted(key for keys, _, _ in results for key in keys) == sorted(KEYS)
    assert all(keys for keys, _, _ in results)
    for _, found, decisions in results:
        assert bits(found) == EXPECTED  # the same bits in every rank
        assert decisions == DECISIONS
    names = [path.name for path in find_journals(journal)]
    assert names == ["surface.journal", "surface.journal.1", "surface.journal.2"]
    # What is shown includes what other ranks have measured.
    assert all(bits(found).items() <= EXPECTED.items() for found in seen)
    own = set(results[0][0])
    assert any(set(found) - own for found in seen)


def test_ranks_go_on_from_what_one_process_had(journal):
    interrupted(journal, 8)

    def work(ranks):
        evaluate = Recorder(seconds=0.001)
        _, found = measure(journal, evaluate, ranks=ranks, decisions={})
        return evaluate.keys, found

    results = in_ranks(work)
    assert sorted(key for keys, _ in results for key in keys) == sorted(KEYS[8:])
    assert all(bits(found) == EXPECTED for _, found in results)


def on_disks_of_their_own(tmp_path, question, evaluate=None, count=2):
    """Two ranks that see no common folder; returns (keys measured, values) of each."""

    def work(ranks):
        folder = tmp_path / f"machine{ranks.rank}"
        folder.mkdir(exist_ok=True)
        recorder = (evaluate or Recorder)()
        _, found = measure(folder / "surface.journal", recorder, question, ranks=ranks)
        return recorder.keys, found

    return in_ranks(work, count)


def keep(tmp_path, question, keys):
    """What rank 1 keeps on a disk of its own when it is killed."""
    path = tmp_path / "machine1" / "surface.journal.1"
    path.parent.mkdir(exist_ok=True)
    journal = Journal(path, {"question": question, "decisions": DECISIONS})
    for key in keys:
        journal.add(key, value(key))
    journal.close()


def test_ranks_on_disks_of_their_own_bring_what_they_had(tmp_path):
    keep(tmp_path, QUESTION, KEYS[3:9])
    results = on_disks_of_their_own(tmp_path, QUESTION)
    measured = [key for keys, _ in results for key in keys]
    assert sorted(measured) == sorted([*KEYS[:3], *KEYS[9:]])
    assert all(bits(found) == EXPECTED for _, found in results)


def test_ranks_on_disks_of_their_own_keep_questions_apart(tmp_path):
    """Points of a second question must not enter a journal that a first one left there."""
    other = {**QUESTION, "seed": 1}
    keep(tmp_path, QUESTION, KEYS[:2])
    results = on_disks_of_their_own(tmp_path, other, lambda: Recorder(seconds=0.001, factor=2.0))
    shifted = bits({key: value(key) * 2.0 for key in KEYS})
    assert all(bits(found) == shifted for _, found in results)
    # Now the first question again, with the journals that the second left behind.
    (tmp_path / "machine0" / "surface.journal").unlink()
    results = on_disks_of_their_own(tmp_path, QUESTION)
    assert all(bits(found) == EXPECTED for _, found in results)


def test_the_header_is_json_of_question_and_decisions(journal):
    interrupted(journal, 1)
    header = json.loads(journal.read_text().splitlines()[0])
    assert header == {"question": QUESTION, "decisions": DECISIONS}

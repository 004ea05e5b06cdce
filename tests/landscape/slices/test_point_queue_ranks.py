"""A queue that several ranks share, here threads that meet in a store."""

import threading
from datetime import timedelta

import pytest
import torch.distributed as dist

from landscape.results.journal import find_journals
from landscape.runtime.distributed import Ranks
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


@pytest.fixture
def journal(tmp_path):
    return tmp_path / "surface.journal"


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


def test_ranks_share_the_points(journal, monkeypatch):
    monkeypatch.setattr(point_queue, "CLAIM_SECONDS", 0.004)
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
    record(path, keys, question)


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

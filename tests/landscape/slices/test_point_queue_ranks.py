"""A queue that several ranks share, here threads that meet in a store."""

import threading
from datetime import timedelta

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


def in_ranks(work, world_size=2):
    """``work(ranks)`` in each of several ranks, here threads; returns what they return."""
    store, results, errors = dist.HashStore(), {}, []
    store.set_timeout(timedelta(seconds=20))

    def run(rank):
        try:
            results[rank] = work(Ranks(rank, world_size, store))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(k,), daemon=True) for k in range(world_size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not errors, errors
    return [results[rank] for rank in range(world_size)]


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
        points = queue.shared_values(KEYS)
        queue.close()
        return evaluate.keys, points, queue.decisions

    results = in_ranks(work, 3)
    assert sorted(key for keys, _, _ in results for key in keys) == sorted(KEYS)
    assert all(keys for keys, _, _ in results)
    for _, points, decisions in results:
        assert bits(points) == EXPECTED  # the same bits in every rank
        assert decisions == DECISIONS
    names = [path.name for path in find_journals(journal)]
    assert names == ["surface.journal", "surface.journal.1", "surface.journal.2"]
    # What is shown includes what other ranks have measured.
    assert all(bits(points).items() <= EXPECTED.items() for points in seen)
    own = set(results[0][0])
    assert any(set(points) - own for points in seen)


def test_ranks_go_on_from_what_one_process_had(journal):
    interrupted(journal, 8)

    def work(ranks):
        evaluate = Recorder(seconds=0.001)
        _, points = measure(journal, evaluate, ranks=ranks, decisions={})
        return evaluate.keys, points

    results = in_ranks(work)
    assert sorted(key for keys, _ in results for key in keys) == sorted(KEYS[8:])
    assert all(bits(points) == EXPECTED for _, points in results)


def on_disks_of_their_own(tmp_path, question, evaluate=None, count=2):
    """Two ranks that see no common folder; returns (keys measured, values) of each."""

    def work(ranks):
        folder = tmp_path / f"machine{ranks.rank}"
        folder.mkdir(exist_ok=True)
        recorder = (evaluate or Recorder)()
        _, points = measure(folder / "surface.journal", recorder, question, ranks=ranks)
        return recorder.keys, points

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
    assert all(bits(points) == EXPECTED for _, points in results)


def test_ranks_on_disks_of_their_own_keep_questions_apart(tmp_path):
    """Points of a second question must not enter a journal that a first one left there."""
    other = {**QUESTION, "seed": 1}
    keep(tmp_path, QUESTION, KEYS[:2])
    results = on_disks_of_their_own(tmp_path, other, lambda: Recorder(seconds=0.001, factor=2.0))
    shifted = bits({key: value(key) * 2.0 for key in KEYS})
    assert all(bits(points) == shifted for _, points in results)
    # Now the first question again, with the journals that the second left behind.
    (tmp_path / "machine0" / "surface.journal").unlink()
    results = on_disks_of_their_own(tmp_path, QUESTION)
    assert all(bits(points) == EXPECTED for _, points in results)

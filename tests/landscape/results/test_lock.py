"""Locks, as other processes see them that know nothing but flock."""

import errno
import fcntl
import gc
import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
import torch.distributed as dist

from landscape.errors import InputError, InUseError
from landscape.results.lock import hold_lock, locked
from landscape.runtime.distributed import Ranks
from tests.holder import holder, is_locked


def test_a_lock_keeps_others_out_and_says_who_has_it(tmp_path):
    folder = tmp_path / "run"
    with locked(folder):
        assert is_locked(folder / ".lock")
        said = json.loads((folder / ".lock").read_text())
        assert (said["host"], said["pid"]) == (socket.gethostname(), os.getpid())
        since = datetime.now(UTC) - datetime.fromisoformat(said["since"])
        assert timedelta(0) <= since < timedelta(minutes=5)
    assert list(folder.iterdir()) == []


def test_the_second_one_is_told_in_one_line(tmp_path):
    with holder(tmp_path / ".lock", "far-away") as process:
        before = (tmp_path / ".lock").read_bytes()
        with pytest.raises(InUseError) as error, locked(tmp_path):
            pass
        assert (tmp_path / ".lock").read_bytes() == before
    assert str(error.value) == (
        f"{tmp_path} is being written by process {process.pid} on far-away since "
        "2026-01-02T03:04:05+00:00; wait until it ends, or stop it, or choose another folder"
    )


def test_a_killed_holder_does_not_block(tmp_path):
    with holder(tmp_path / ".lock") as process:
        process.kill()
        process.wait()
        assert (tmp_path / ".lock").exists()
        with locked(tmp_path):
            assert json.loads((tmp_path / ".lock").read_text())["pid"] == os.getpid()
    assert list(tmp_path.iterdir()) == []


def test_names_are_locked_by_themselves(tmp_path):
    with holder(tmp_path / ".surface.lock"):
        with locked(tmp_path), locked(tmp_path, "line"):
            names = {path.name for path in tmp_path.iterdir()}
        assert names == {".lock", ".line.lock", ".surface.lock"}
        told = pytest.raises(InUseError, match=f"^surface in {tmp_path} is being written")
        with told, locked(tmp_path, "surface"):
            pass


def test_a_process_enters_again_what_it_has_locked(tmp_path):
    with locked(tmp_path):
        with locked(tmp_path):
            assert is_locked(tmp_path / ".lock")
        assert is_locked(tmp_path / ".lock")
    assert not (tmp_path / ".lock").exists()


def test_waiting_for_another_one(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    with holder(tmp_path / ".page.lock") as process:
        threading.Timer(0.2, process.stdin.close).start()
        started = time.monotonic()
        with locked(tmp_path, "page", waits=True):
            assert time.monotonic() - started > 0.1
            assert is_locked(tmp_path / ".page.lock")
    assert f"process {process.pid} " in caplog.text
    assert "waiting for its end" in caplog.text
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_was_removed_meanwhile_is_no_lock(tmp_path, monkeypatch):
    """Its holder has removed it between our opening and our locking it."""
    path, flock, calls = tmp_path / ".lock", fcntl.flock, []

    def late(descriptor, operation):
        calls.append(operation)
        if len(calls) < 3:
            path.unlink()
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    with locked(tmp_path) as descriptor:
        assert len(calls) == 3
        assert os.path.samestat(os.fstat(descriptor), path.stat())
        assert is_locked(path)


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_file_system_without_locks(tmp_path, monkeypatch, caplog, number):
    def refuse(*_words):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with locked(tmp_path) as descriptor, locked(tmp_path):
        assert descriptor is None
        assert list(tmp_path.iterdir()) == []
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert record.getMessage() == (
        f"{tmp_path} can't be locked ({os.strerror(number)}): make sure that no other process "
        "writes it"
    )


def test_a_system_without_locks(tmp_path, monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "fcntl", None)
    with locked(tmp_path) as descriptor:
        assert descriptor is None
    assert "this system has no flock" in caplog.text
    assert list(tmp_path.iterdir()) == []


def test_a_child_process_that_inherits_the_lock_holds_it(tmp_path):
    with locked(tmp_path) as descriptor:
        child = subprocess.Popen(["sleep", "60"], pass_fds=(descriptor,))
    with pytest.raises(InUseError), locked(tmp_path):
        pass
    child.kill()
    child.wait()
    with locked(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_can_not_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot write to"), locked(tmp_path / "file" / "run"):
        pass


def test_a_lock_is_held_as_long_as_its_owner_lives(tmp_path):
    class Owner:
        pass

    owner, second = Owner(), Owner()
    hold_lock(owner, tmp_path)
    hold_lock(second, tmp_path)
    del owner
    gc.collect()
    assert is_locked(tmp_path / ".lock")
    del second
    gc.collect()
    assert list(tmp_path.iterdir()) == []


def in_ranks(folder):
    """What two ranks, as threads, get for the lock of a folder: a descriptor or an error."""
    store, outcomes = dist.HashStore(), {}
    store.set_timeout(timedelta(seconds=20))
    both = threading.Barrier(2)

    def enter(rank):
        try:
            with locked(folder, ranks=Ranks(rank, 2, store)) as descriptor:
                outcomes[rank] = descriptor
                both.wait(20)
        except (InUseError, InputError) as error:
            outcomes[rank] = error

    threads = [threading.Thread(target=enter, args=(rank,)) for rank in (1, 0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes[0], outcomes[1]


def test_the_ranks_of_a_job_are_one_holder(tmp_path):
    first, second = in_ranks(tmp_path)
    assert isinstance(first, int)
    assert second is None


def test_a_refusal_is_the_same_in_all_ranks(tmp_path):
    with holder(tmp_path / ".lock"):
        first, second = in_ranks(tmp_path)
    assert isinstance(first, InUseError)
    assert isinstance(second, InUseError)
    assert str(first) == str(second)
    (tmp_path / "file").touch()
    first, second = in_ranks(tmp_path / "file")
    assert (type(first), type(second)) == (InputError, InputError)

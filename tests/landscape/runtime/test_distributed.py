import json
import time
from datetime import timedelta

import pytest
import torch
import torch.distributed as dist

from landscape.errors import InputError
from landscape.runtime import distributed
from landscape.runtime.distributed import ALONE, Ranks, join_ranks
from tests.commands import free_port
from tests.profile import some
from tests.warm import Warm


@pytest.fixture(scope="module")
def warm(server, tmp_path_factory):
    """Starts processes that exchange values."""
    warm = Warm(server, tmp_path_factory.mktemp("warm"), "exchange")
    yield warm
    warm.close()


def environment(rank, count, port):
    return {
        "RANK": str(rank),
        "WORLD_SIZE": str(count),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }


@pytest.mark.parametrize("variables", [{}, {"WORLD_SIZE": "1"}, {"WORLD_SIZE": "1", "RANK": "0"}])
def test_alone(variables):
    assert join_ranks(variables) is ALONE
    assert (ALONE.rank, ALONE.world_size, ALONE.is_first) == (0, 1, True)


def test_alone_by_the_environment_of_the_process(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert join_ranks() is ALONE


def test_alone_nothing_is_exchanged():
    value = {"as": object()}
    assert ALONE.broadcast("key", value) is value
    assert ALONE.broadcast("key", value) is value
    assert ALONE.gather("key", value) == [value]
    assert ALONE.claim("queue", 5, 0) == 0
    assert ALONE.claim("queue", 5, 5) == 5


@pytest.mark.parametrize("launcher", some(["environment", "torchrun's agent"], 1))
def test_processes_share_gather_and_claim(warm, launcher):
    if launcher == "environment":
        processes = warm.start_ranks(count=2)
    else:
        processes = [warm.start(launches=True)]
    assert [process.end() for process in processes] == [0] * len(processes), processes[0].err
    lines = [line for process in processes for line in process.out.splitlines()]
    first, second = sorted(json.loads(line) for line in lines)
    for number, (rank, count, shared, nothing, claimed, _, _) in enumerate((first, second)):
        assert (rank, count) == (number, 2)
        assert shared == {"x": [1, None, "ä"]}
        assert nothing is None
        assert claimed == sorted(claimed)
    # Each item once; rank 0 has everybody's, in their order.
    assert sorted(first[4] + second[4]) == list(range(40))
    assert first[4]
    assert second[4]
    assert first[5:] == [[first[4], second[4]], [0, 1]]
    assert second[5:] == [[second[4]], [1]]


def test_a_store_in_memory():
    store = dist.HashStore()
    store.set_timeout(timedelta(seconds=5))
    ranks = [Ranks(k, 3, store) for k in range(3)]
    assert [rank.is_first for rank in ranks] == [True, False, False]
    assert [rank.broadcast("key", {"from": rank.rank}) for rank in ranks] == [{"from": 0}] * 3
    assert [rank.gather("all", rank.rank) for rank in ranks[1:]] == [[1], [2]]
    assert ranks[0].gather("all", 0) == [0, 1, 2]
    assert [ranks[k % 3].claim("queue", k + 1, 0) for k in range(5)] == [0, 1, 3, 6, 10]
    assert ranks[2].claim("another queue", 1, 7) == 0


def test_shared_numbers_keep_their_bits():
    store = dist.HashStore()
    values = [0.1, 1 / 3, 5e-324, 1.7976931348623157e308, -0.0]
    Ranks(0, 2, store).broadcast("key", values)
    received = Ranks(1, 2, store).broadcast("key")
    assert [v.hex() for v in received] == [v.hex() for v in values]


def test_a_master_that_cannot_be_reached(monkeypatch):
    monkeypatch.setattr(distributed, "JOIN_TIMEOUT", timedelta(seconds=1))
    started = time.monotonic()
    with pytest.raises(InputError, match="the other processes can't be reached") as caught:
        join_ranks(environment(1, 2, free_port()))
    assert time.monotonic() - started < 20
    assert len(str(caught.value).splitlines()) == 1
    assert "torchrun" in str(caught.value)
    assert "WORLD_SIZE" in str(caught.value)


@pytest.mark.parametrize("missing", ["RANK", "MASTER_ADDR", "MASTER_PORT"])
def test_half_an_environment(monkeypatch, missing):
    variables = environment(1, 2, free_port())
    del variables[missing]
    monkeypatch.delenv(missing, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=f"{missing}.*start them with torchrun"):
        join_ranks()


@pytest.mark.parametrize("count", ["two", "1.5"])
def test_a_count_that_is_none(count):
    with pytest.raises(InputError):
        join_ranks({**environment(0, 2, 1), "WORLD_SIZE": count})


@pytest.mark.parametrize(
    ("device", "cards", "processes", "backend"),
    [
        ("cpu", 0, "2", "gloo"),
        ("cuda", 2, "2", "nccl"),
        ("cuda", 1, "1", "nccl"),
        ("cuda", 1, None, "nccl"),
        ("cuda", 1, "2", "gloo"),  # NCCL refuses two processes on one card
    ],
)
def test_the_library_of_collective_operations(device, cards, processes, backend, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cards)
    variables = {} if processes is None else {"LOCAL_WORLD_SIZE": processes}
    assert distributed.backend_for(torch.device(device), variables) == backend

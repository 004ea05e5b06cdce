"""Several processes that share a task: rank, world size and what they exchange.

Started by ``torchrun`` (or anything that sets its environment variables), processes meet in the
launcher's key-value store. The points of a surface are independent, so the store is all that they
need: without collective operations a slow rank doesn't block the others. Where ranks do compute
something together, :func:`process_group` connects them with gloo or NCCL.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous

from landscape.errors import InputError

# Processes that are started together meet soon or never.
JOIN_TIMEOUT = timedelta(minutes=5)
# Once they have met, a rank waits for another's results as long as these take.
STORE_TIMEOUT = timedelta(days=30)


@dataclass(frozen=True)
class Ranks:
    """This process among ``world_size`` processes; rank 0 decides, collects and writes results.

    Attributes:
        rank: The number of this process.
        world_size: How many processes there are.
        store: The key-value store that they share; None for a process that is alone.
    """

    rank: int = 0
    world_size: int = 1
    store: Any = None

    @property
    def is_first(self) -> bool:
        """Whether this is rank 0."""
        return self.rank == 0

    def within(self, name: str) -> "Ranks":
        """The same processes with exchanges of their own, whose keys don't meet those of others."""
        store = None if self.store is None else PrefixStore(name, self.store)
        return Ranks(self.rank, self.world_size, store)

    def broadcast(self, key: str, value: Any = None) -> Any:
        """Send rank 0's ``value`` to every rank; the others wait for it.

        Args:
            key: A name for this exchange, which can't be used twice.
            value: What rank 0 sends, made of JSON types. Other ranks' values are ignored.

        Returns:
            Rank 0's value.
        """
        if self.store is None:
            return value
        if self.is_first:
            self.store.set(key, json.dumps(value))
            return value
        return json.loads(self.store.get(key))

    def gather(self, key: str, value: Any) -> list[Any]:
        """Collect every rank's ``value``, made of JSON types, in rank 0, which waits for them.

        Returns:
            All values by rank in rank 0, and the rank's own value alone in the others.
        """
        if self.store is None:
            return [value]
        if not self.is_first:
            self.store.set(f"{key}/{self.rank}", json.dumps(value))
            return [value]
        received = [json.loads(self.store.get(f"{key}/{k}")) for k in range(1, self.world_size)]
        for k in range(1, self.world_size):
            self.store.delete_key(f"{key}/{k}")
        return [value, *received]

    def claim(self, key: str, count: int, taken: int) -> int:
        """Take the next ``count`` items of the queue ``key``, which no other rank then gets.

        Args:
            key: The name of the queue.
            count: How many items to take.
            taken: How many items were taken before; used by a process that is alone.

        Returns:
            The number of the first of these items, counted from 0.
        """
        if self.store is None:
            return taken
        return int(self.store.add(key, count)) - count


ALONE = Ranks()


def join_ranks(environment: Mapping[str, str] | None = None) -> Ranks:
    """Meet the other processes that torchrun started.

    Args:
        environment: Used instead of the process's environment variables.

    Returns:
        This process's place among them, or :data:`ALONE` if torchrun did not start it.

    Raises:
        InputError: The other processes can't be reached.
    """
    environment = os.environ if environment is None else environment
    text = environment.get("WORLD_SIZE", "1")
    try:
        world_size = int(text)
    except ValueError as error:
        raise InputError(f"WORLD_SIZE has to be a number, got {text!r}; unset it") from error
    if world_size == 1:
        return ALONE
    try:
        store, rank, world_size = next(rendezvous("env://", timeout=JOIN_TIMEOUT))
    except (RuntimeError, ValueError, dist.DistError) as error:
        raise InputError(
            f"the other processes can't be reached ({error}); start them with torchrun, or unset "
            "WORLD_SIZE"
        ) from error
    store.set_timeout(STORE_TIMEOUT)
    # torchrun keeps its store when it starts all processes again after one has died.
    attempt = environment.get("TORCHELASTIC_RESTART_COUNT", "0")
    return Ranks(rank, world_size, PrefixStore(f"attempt/{attempt}", store))


def backend_for(device: torch.device, environment: Mapping[str, str] | None = None) -> str:
    """The library for collective operations on a device.

    Args:
        device: Where the tensors are.
        environment: Used instead of the process's environment variables.

    Returns:
        ``nccl`` on CUDA devices; ``gloo`` on the CPU, and where a machine has more processes than
        CUDA devices, since NCCL refuses two processes on one.
    """
    environment = os.environ if environment is None else environment
    processes = int(environment.get("LOCAL_WORLD_SIZE", "1"))
    shares = processes > torch.cuda.device_count()
    return "nccl" if device.type == "cuda" and not shares else "gloo"


@contextmanager
def process_group(
    ranks: Ranks, device: torch.device, key: str, timeout: timedelta = STORE_TIMEOUT
) -> Iterator[None]:
    """Connect all ranks for collective operations of ``torch.distributed`` within the context.

    Args:
        ranks: More than one of them; all have to enter.
        device: Where the tensors are; it decides the library (:func:`backend_for`).
        key: A name under which they meet, which can't be used twice.
        timeout: How long one operation waits for the slowest rank.
    """
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group(
        backend_for(device),
        store=PrefixStore(key, ranks.store),
        rank=ranks.rank,
        world_size=ranks.world_size,
        timeout=timeout,
    )
    try:
        yield
    finally:
        dist.destroy_process_group()

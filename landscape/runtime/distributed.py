"""Several processes on one question: who am I, who takes which point, who collects.

Started by ``torchrun`` (or anything that sets its environment variables), processes meet in the
launcher's key-value store. Points of a surface are independent, so that is all they need: no
collective operation, hence no process group (gloo or nccl) and nobody who waits for the slowest.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch.distributed as dist
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous

from landscape.errors import InputError

# Ranks meet soon or never; once they have met, one waits for another's points as long as it takes.
JOINING = timedelta(minutes=5)
PATIENCE = timedelta(days=30)


@dataclass(frozen=True)
class Ranks:
    """This process among ``world_size``; rank 0 decides, collects and writes results."""

    rank: int = 0
    world_size: int = 1
    store: Any = None

    @property
    def is_first(self) -> bool:
        """Whether this is rank 0."""
        return self.rank == 0

    def broadcast(self, key: str, value: Any = None) -> Any:
        """Rank 0's ``value``, of JSON types, in every rank; the others wait for it.

        A key means one exchange: it can't be used twice.
        """
        if self.store is None:
            return value
        if self.is_first:
            self.store.set(key, json.dumps(value))
            return value
        return json.loads(self.store.get(key))

    def gather(self, key: str, value: Any) -> list[Any]:
        """Every rank's ``value`` in rank 0, which waits for them; its own alone in the others."""
        if self.store is None:
            return [value]
        if not self.is_first:
            self.store.set(f"{key}/{self.rank}", json.dumps(value))
            return [value]
        others = [json.loads(self.store.get(f"{key}/{k}")) for k in range(1, self.world_size)]
        for k in range(1, self.world_size):
            self.store.delete_key(f"{key}/{k}")
        return [value, *others]

    def claim(self, key: str, count: int, taken: int) -> int:
        """Take the next ``count`` items of a queue; returns the number of the first.

        ``taken`` is how many were taken before, for a process that is alone.
        """
        if self.store is None:
            return taken
        return int(self.store.add(key, count)) - count


ALONE = Ranks()


def join_ranks(environment: Mapping[str, str] | None = None) -> Ranks:
    """This process among those that torchrun started; alone where it did not.

    Raises InputError if the others can't be reached.
    """
    environment = os.environ if environment is None else environment
    words = environment.get("WORLD_SIZE", "1")
    try:
        world_size = int(words)
    except ValueError as error:
        raise InputError(f"WORLD_SIZE has to be a number, got {words!r}; unset it") from error
    if world_size == 1:
        return ALONE
    try:
        store, rank, world_size = next(rendezvous("env://", timeout=JOINING))
    except (RuntimeError, ValueError, dist.DistError) as error:
        raise InputError(
            f"the other processes can't be reached ({error}); start them with torchrun, or unset "
            "WORLD_SIZE"
        ) from error
    store.set_timeout(PATIENCE)
    # torchrun keeps its store when it starts all processes again after one has died.
    attempt = environment.get("TORCHELASTIC_RESTART_COUNT", "0")
    return Ranks(rank, world_size, PrefixStore(f"attempt/{attempt}", store))

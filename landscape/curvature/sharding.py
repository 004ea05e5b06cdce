"""Products whose samples are shared by several processes.

The first rank runs the algorithm and holds its vectors; the others wait for requests, answer for
their share of the samples, and the answers are summed (gloo, or nccl on GPUs). So no rank decides
anything by itself, and none can take another path than the rest.
"""

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch.distributed as dist
from torch import Tensor

from landscape.curvature.products import LocalProducts, ProductRequest, Products
from landscape.data.batches import Batch
from landscape.errors import NotMeasurableError
from landscape.objective.objective import Objective
from landscape.parameters.groups import Group
from landscape.runtime.distributed import Ranks, process_group

# Every group meets under keys of its own; all ranks make the same groups in the same order.
_GROUPS = itertools.count()


@contextmanager
def shared_products(
    objective: Objective, ranks: Ranks, matrix: str = "hessian"
) -> Iterator[Products | None]:
    """Products over all samples in the first rank; None in the others, which have done their part.

    Every rank has to enter with the same objective.
    """
    local = LocalProducts(
        objective,
        matrix=matrix,
        batches=share_of(objective.batches, ranks.rank, ranks.world_size),
        num_samples=objective.num_samples,
    )
    if ranks.world_size == 1:
        yield local
        return
    with process_group(ranks, objective.device, f"curvature/{next(_GROUPS)}"):
        shared = ShardedProducts(local, objective)
        if not ranks.is_first:
            try:
                shared.serve()
            except NotMeasurableError as error:
                # Of this rank alone: a report would go on without it, and the first rank wait.
                raise RuntimeError(f"rank {ranks.rank}: {error}") from error
            yield None
            return
        try:
            yield shared
        finally:
            shared.dismiss()


class ShardedProducts:
    """The first rank's view of all of them; in the others only :meth:`serve` is called."""

    def __init__(self, local: LocalProducts, objective: Objective) -> None:
        self._local = local
        self._objective = objective

    def __call__(self, requests: Sequence[ProductRequest], *, exact: bool = False) -> list[Tensor]:
        """The products over all samples."""
        groups = [one.group for one in requests]
        _send(("products", groups, [one.vectors.shape[1] for one in requests], exact))
        for one in requests:
            dist.broadcast(one.vectors.contiguous(), 0)
        return self._summed(self._local(requests, exact=exact))

    def gradient(self) -> Tensor:
        """The gradient over all samples, of shape (P,)."""
        _send(("gradient",))
        return self._summed([self._local.gradient()])[0]

    def dismiss(self) -> None:
        """Let the others go on."""
        _send(("dismiss",))

    def serve(self) -> None:
        """Answer until dismissed."""
        while True:
            kind, *details = _receive()
            if kind == "dismiss":
                return
            if kind == "gradient":
                self._summed([self._local.gradient()])
                continue
            groups, columns, exact = details
            requests = [self._receive_request(*one) for one in zip(groups, columns, strict=True)]
            self._summed(self._local(requests, exact=exact))

    def _receive_request(self, group: Group | None, columns: int) -> ProductRequest:
        theta = self._objective.theta
        size = len(theta) if group is None else group.size
        vectors = theta.new_empty(size, columns)
        dist.broadcast(vectors, 0)
        return ProductRequest(vectors, group)

    @staticmethod
    def _summed(parts: list[Tensor]) -> list[Tensor]:
        for part in parts:
            dist.reduce(part, 0)
        return parts


def share_of(batches: Sequence[Batch], number: int, count: int) -> list[Batch]:
    """The samples of one rank among ``count``: equal shares to one sample, in order."""
    total = sum(batch.size for batch in batches)
    start, stop = total * number // count, total * (number + 1) // count
    found, position = [], 0
    for batch in batches:
        first, last = max(start - position, 0), min(stop - position, batch.size)
        if first < last:
            found.append(batch if last - first == batch.size else batch.slice(first, last))
        position += batch.size
    return found


def _send(header: tuple[Any, ...]) -> None:
    dist.broadcast_object_list([header], 0)


def _receive() -> tuple[Any, ...]:
    holder: list[Any] = [None]
    dist.broadcast_object_list(holder, 0)
    found: tuple[Any, ...] = holder[0]
    return found

"""Products whose samples are sharded over several ranks.

Rank 0 runs the algorithm and holds its vectors. The other ranks wait for requests and compute the
products over their shards of the samples, which are then reduced (by gloo, or nccl on GPUs). So
only rank 0 takes decisions, and ranks cannot diverge.
"""

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from landscape.curvature.products import LocalProducts
from landscape.curvature.requests import ProductRequest, Products
from landscape.data.batches import Batch
from landscape.errors import NotMeasurableError
from landscape.objective.objective import Objective
from landscape.parameters.groups import Group
from landscape.runtime.distributed import Ranks, process_group

# Each process group has keys of its own; all ranks make the same groups in the same order.
_GROUPS = itertools.count()


@contextmanager
def shared_products(
    objective: Objective,
    ranks: Ranks,
    matrix: str = "hessian",
    batches: Sequence[Batch] | None = None,
) -> Iterator[Products | None]:
    """A context with the products over the samples of ``objective``, which all ranks enter.

    Args:
        objective: the same in every rank.
        ranks: this process among those that share the work.
        matrix: one of ``landscape.curvature.matrices.MATRICES``.
        batches: a part of the samples, the same in every rank; by default all of them.

    Yields:
        The products in rank 0. None in the other ranks, which serve rank 0 before that.
    """
    batches = objective.batches if batches is None else batches
    local = LocalProducts(
        objective,
        matrix=matrix,
        batches=shard_of(batches, ranks.rank, ranks.world_size),
        total_weight=sum(batch.weight for batch in batches),
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
                # A report would continue without this rank, and rank 0 wait for it forever.
                raise RuntimeError(f"rank {ranks.rank}: {error}") from error
            yield None
            return
        try:
            yield shared
        finally:
            shared.dismiss()


class ShardedProducts:
    """Products reduced over all ranks. Rank 0 calls it; the other ranks call :meth:`serve`."""

    def __init__(self, local: LocalProducts, objective: Objective) -> None:
        self._local = local
        self._objective = objective

    def __call__(self, requests: Sequence[ProductRequest], *, exact: bool = False) -> list[Tensor]:
        """The products over all samples."""
        groups = [request.group for request in requests]
        kinds = [(request.vectors.shape[1], request.vectors.dtype) for request in requests]
        _send(("products", groups, kinds, exact))
        for request in requests:
            dist.broadcast(request.vectors.contiguous(), 0)
        return self._products(requests, exact)

    def gradient(self) -> Tensor:
        """The gradient over all samples, of shape (P,)."""
        _send(("gradient",))
        return self._reduced([self._local.gradient()])[0]

    def dismiss(self) -> None:
        """End :meth:`serve` in the other ranks."""
        _send(("dismiss",))

    def serve(self) -> None:
        """Answer the requests of rank 0 until it calls :meth:`dismiss`."""
        while True:
            kind, *details = _receive()
            if kind == "dismiss":
                return
            if kind == "gradient":
                self._reduced([self._local.gradient()])
                continue
            groups, kinds, exact = details
            requests = [
                self._receive_request(group, *kind)
                for group, kind in zip(groups, kinds, strict=True)
            ]
            self._products(requests, exact)

    def _receive_request(
        self, group: Group | None, columns: int, dtype: torch.dtype
    ) -> ProductRequest:
        theta = self._objective.theta
        size = len(theta) if group is None else group.size
        vectors = theta.new_empty(size, columns, dtype=dtype)
        dist.broadcast(vectors, 0)
        return ProductRequest(vectors, group)

    def _products(self, requests: Sequence[ProductRequest], exact: bool) -> list[Tensor]:
        """The sums over all ranks, in rank 0, in float64 where all ranks' shards take it."""
        products = self._local(requests, exact=exact)
        theta = self._objective.theta
        if exact and theta.dtype != torch.float64:
            takes_float64 = theta.new_tensor(
                [products[0].dtype == torch.float64], dtype=torch.int32
            )
            dist.all_reduce(takes_float64, dist.ReduceOp.MIN)
            if not takes_float64:
                products = [product.to(theta) for product in products]
        return self._reduced(products)

    @staticmethod
    def _reduced(tensors: list[Tensor]) -> list[Tensor]:
        """The sums over all ranks, in rank 0."""
        # What is reduced is memory, whose order the strides of rank 0's columns have changed.
        reduced = [tensor.contiguous() for tensor in tensors]
        for tensor in reduced:
            dist.reduce(tensor, 0)
        return reduced


def shard_of(batches: Sequence[Batch], rank: int, world_size: int) -> list[Batch]:
    """The samples of one rank, in order. The numbers of samples differ by one at most.

    Batches that can't be cut go to the rank that their middle belongs to; slices that count nothing
    in the mean are left out.
    """
    total = sum(batch.size for batch in batches)
    start, stop = total * rank // world_size, total * (rank + 1) // world_size
    shard, position = [], 0
    for batch in batches:
        first, last = max(start - position, 0), min(stop - position, batch.size)
        if batch.is_whole:
            middle = position + batch.size // 2
            first, last = (0, batch.size) if start <= middle < stop else (0, 0)
        if first < last:
            shard.append(batch if last - first == batch.size else batch.slice(first, last))
        position += batch.size
    # The loss of a slice that counts nothing, such as one of class weight 0, is nan.
    return [batch for batch in shard if batch.weight > 0]


def _send(header: tuple[Any, ...]) -> None:
    dist.broadcast_object_list([header], 0)


def _receive() -> tuple[Any, ...]:
    holder: list[Any] = [None]
    dist.broadcast_object_list(holder, 0)
    header: tuple[Any, ...] = holder[0]
    return header

"""Several processes on one training: each takes its part of every batch.

torchrun, or a scheduler that sets the same environment variables, starts them. They meet in
gloo on processors and in nccl on GPUs.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.distributed_c10d import PrefixStore
from torch.nn.parallel import DistributedDataParallel

from landscape.runtime.distributed import Ranks

# A rank may wait for another that reads pictures or writes a checkpoint, but not for one that died.
PATIENCE = timedelta(minutes=30)


@dataclass(frozen=True)
class DataParallelGroup:
    """This process among ``world_size``; alone, none of the methods does anything."""

    rank: int = 0
    world_size: int = 1
    device: torch.device = torch.device("cpu")

    @property
    def is_first(self) -> bool:
        """Whether this is rank 0, which writes."""
        return self.rank == 0

    def part(self, whole: Tensor) -> Tensor:
        """This rank's part of a batch, in order."""
        size = len(whole) // self.world_size
        return whole[self.rank * size : (self.rank + 1) * size]

    def wrap(self, module: nn.Module, *, some_unused: bool = False) -> nn.Module:
        """``module`` with gradients that are averaged over the ranks as they are computed."""
        if self.world_size == 1:
            return module
        # Each rank has its own batch statistics until average_statistics() makes one of them.
        DistributedDataParallel._set_params_and_buffers_to_ignore_for_model(
            module, [name for name, _ in module.named_buffers()]
        )
        return DistributedDataParallel(
            module,
            device_ids=[self.device] if self.device.type == "cuda" else None,
            gradient_as_bucket_view=True,
            find_unused_parameters=some_unused,
        )

    @staticmethod
    def unsynchronised(module: nn.Module) -> AbstractContextManager[Any]:
        """A context in which the wrapped ``module`` leaves gradients as they are."""
        if isinstance(module, DistributedDataParallel):
            return module.no_sync()
        return nullcontext()

    def average(self, tensors: Sequence[Tensor | None]) -> None:
        """The mean over ranks, in place; None is skipped, alike in all of them."""
        present = [tensor for tensor in tensors if tensor is not None]
        if self.world_size == 1 or not present:
            return
        flat = torch.cat([tensor.reshape(-1) for tensor in present])
        dist.all_reduce(flat)
        flat /= self.world_size
        pieces = flat.split([tensor.numel() for tensor in present])
        for tensor, piece in zip(present, pieces, strict=True):
            tensor.copy_(piece.view_as(tensor))

    def total(self, tensor: Tensor) -> Tensor:
        """The sum over ranks, in place."""
        if self.world_size > 1:
            dist.all_reduce(tensor)
        return tensor

    def any_of(self, *flags: bool) -> tuple[bool, ...]:
        """For each flag whether it is up in some rank. They all have to ask."""
        if self.world_size == 1:
            return flags
        raised = torch.tensor(flags, dtype=torch.int32, device=self.device)
        dist.all_reduce(raised, dist.ReduceOp.MAX)
        return tuple(bool(flag) for flag in raised.tolist())

    def average_statistics(self, module: nn.Module) -> None:
        """One set of BatchNorm statistics, the mean of those of the ranks."""
        self.average([b for b in module.buffers() if b.is_floating_point()])

    def wait(self) -> None:
        """Until all are here."""
        if self.world_size > 1:
            dist.barrier()


ALONE = DataParallelGroup()


@contextmanager
def join_data_parallel_group(ranks: Ranks, device: torch.device) -> Iterator[DataParallelGroup]:
    """The team of all ranks, for as long as the context lasts."""
    if ranks.world_size == 1:
        yield DataParallelGroup(device=device)
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group(
        "nccl" if device.type == "cuda" else "gloo",
        store=PrefixStore("training", ranks.store),
        rank=ranks.rank,
        world_size=ranks.world_size,
        timeout=PATIENCE,
    )
    try:
        team = DataParallelGroup(ranks.rank, ranks.world_size, device)
        yield team
        team.wait()  # one that left while another still talks to it would look like a failure
    finally:
        dist.destroy_process_group()

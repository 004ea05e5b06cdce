"""Data parallelism: several processes train one model, each with its share of every batch.

torchrun, or a scheduler that sets the same environment variables, starts the processes. They
communicate with gloo on CPUs and with NCCL on GPUs.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from weakref import finalize

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from landscape.runtime.distributed import ALONE, Ranks, process_group

# A rank may wait for another that reads pictures or writes a checkpoint, but not for one that died.
COLLECTIVE_TIMEOUT = timedelta(minutes=30)


@dataclass(frozen=True)
class DataParallelGroup:
    """The processes that train together; for a process that is alone no method does anything.

    All ranks have to call each method that communicates.

    Attributes:
        ranks: This process among all of them.
        device: The device that this process computes on.
    """

    ranks: Ranks = ALONE
    device: torch.device = torch.device("cpu")

    @property
    def is_alone(self) -> bool:
        """Whether this process is the only one."""
        return self.ranks.world_size == 1

    def share_of(self, batch: Tensor) -> Tensor:
        """This rank's consecutive rows of ``batch``."""
        size = len(batch) // self.ranks.world_size
        return batch[self.ranks.rank * size : (self.ranks.rank + 1) * size]

    def wrap(self, module: nn.Module, *, some_unused: bool = False) -> nn.Module:
        """Make backward passes through ``module`` average the gradients over ranks.

        Args:
            module: What is trained.
            some_unused: Whether some of its parameters do not enter the loss.
        """
        if self.is_alone:
            return module
        # Each rank has its own batch statistics until average_statistics() makes one of them.
        DistributedDataParallel._set_params_and_buffers_to_ignore_for_model(
            module, [name for name, _ in module.named_buffers()]
        )
        wrapped = DistributedDataParallel(
            module,
            device_ids=[self.device] if self.device.type == "cuda" else None,
            gradient_as_bucket_view=True,
            find_unused_parameters=some_unused,
        )
        _keep_until_freed(wrapped.process_group, wrapped.reducer)
        return wrapped

    @staticmethod
    def unsynchronised(module: nn.Module) -> AbstractContextManager[Any]:
        """A context in which a wrapped ``module`` does not average its gradients."""
        if isinstance(module, DistributedDataParallel):
            return module.no_sync()
        return nullcontext()

    def average(self, tensors: Sequence[Tensor | None]) -> None:
        """Replace tensors by their means over ranks; None, in all ranks alike, is skipped."""
        present = [tensor for tensor in tensors if tensor is not None]
        if self.is_alone or not present:
            return
        flat = torch.cat([tensor.reshape(-1) for tensor in present])
        dist.all_reduce(flat)
        flat /= self.ranks.world_size
        pieces = flat.split([tensor.numel() for tensor in present])
        for tensor, piece in zip(present, pieces, strict=True):
            tensor.copy_(piece.view_as(tensor))

    def total(self, tensor: Tensor) -> Tensor:
        """Replace a tensor by its sum over ranks, and return it."""
        if not self.is_alone:
            dist.all_reduce(tensor)
        return tensor

    def any_of(self, *flags: bool) -> tuple[bool, ...]:
        """For each flag, whether it is set in any rank."""
        if self.is_alone:
            return flags
        raised = torch.tensor(flags, dtype=torch.int32, device=self.device)
        dist.all_reduce(raised, dist.ReduceOp.MAX)
        return tuple(bool(flag) for flag in raised.tolist())

    def average_statistics(self, module: nn.Module) -> None:
        """Replace BatchNorm's running statistics by their means over ranks."""
        self.average([b for b in module.buffers() if b.is_floating_point()])

    def wait(self) -> None:
        """Wait until all ranks are here."""
        if not self.is_alone:
            dist.barrier()


SINGLE_PROCESS = DataParallelGroup()


def _keep_until_freed(connection: object, reducer: object) -> None:
    """Keep DDP's process group alive until its reducer has been freed.

    A reducer that holds the last reference to a process group destroys it without releasing the
    GIL: it waits for gloo's threads, which may be waiting for the GIL, and never end
    (pytorch/pytorch#56297). Destroyed by Python, the group releases the GIL.
    """
    finalize(reducer, lambda _: None, connection).atexit = False


def all_processes(device: torch.device) -> DataParallelGroup:
    """The processes that torch.distributed has connected; a single one where it has none."""
    if not (dist.is_available() and dist.is_initialized()):
        return SINGLE_PROCESS
    return DataParallelGroup(Ranks(dist.get_rank(), dist.get_world_size()), device)


@contextmanager
def join_data_parallel_group(ranks: Ranks, device: torch.device) -> Iterator[DataParallelGroup]:
    """The group of all ranks, which exists for as long as the context lasts."""
    group = DataParallelGroup(ranks, device)
    if group.is_alone:
        yield group
        return
    with process_group(ranks, device, "training", COLLECTIVE_TIMEOUT):
        yield group
        group.wait()  # a rank that left while another still talks to it would look like a failure

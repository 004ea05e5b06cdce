"""The choice of a batch size."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

# The memory that the largest intermediate result of a batch may take. On a processor it then stays
# in the cache of a core from one layer to the next (measured: benchmarks/RESULTS.md). A GPU needs
# work for all its cores; how much was not measured.
CACHE_BYTES = 2 << 20
GPU_BYTES = 256 << 20
SMALLEST, LARGEST = 16, 1024


def choose_batch_size(forward: Callable[[], Any], device: torch.device) -> int:
    """The batch size for a model.

    Args:
        forward: a forward pass of one sample.
        device: where it runs.

    Returns:
        A power of two.
    """
    fitting = cache_bytes(device) // max(largest_tensor(forward), 1)
    power = 1 << max(fitting.bit_length() - 1, 0)
    return min(max(power, SMALLEST), LARGEST)


def cache_bytes(device: torch.device) -> int:
    """How many bytes the largest intermediate result of a pass should take at most."""
    return GPU_BYTES if device.type == "cuda" else CACHE_BYTES


def largest_tensor(forward: Callable[[], Any]) -> int:
    """The bytes of the largest tensor that an operation of a forward pass returns."""
    with _Largest() as largest:
        forward()
    return largest.bytes


class _Largest(TorchDispatchMode):
    """Records the size of the largest tensor that an operation returns."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.bytes = 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Nothing is compiled here; to skip its compiler torch would import it, for a second."""
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, tuple | list) else (result,):
            if isinstance(tensor, Tensor) and not _is_view(func):
                self.bytes = max(self.bytes, tensor.numel() * tensor.element_size())
        return result


def _is_view(function: Any) -> bool:
    """Whether an operation returns a view, which is no intermediate result in memory."""
    return any(argument.alias_info is not None for argument in function._schema.returns)

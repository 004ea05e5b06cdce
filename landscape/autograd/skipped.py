"""The parameters that a backward pass leaves out."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from torch import Tensor


class SkippedParameters:
    """The parameters whose derivatives the current backward pass does not need.

    ``torch.autograd.grad`` does not tell a ``torch.autograd.Function`` which inputs it was called
    for. The graph that starts a backward pass therefore states it here, and the operations that
    were recorded with the same object ask it. The state is not thread-local, since the backward
    pass of a GPU runs in a thread of its own.
    """

    def __init__(self) -> None:
        self._addresses: frozenset[int] = frozenset()

    def __contains__(self, parameter: Tensor) -> bool:
        return parameter.data_ptr() in self._addresses

    @contextmanager
    def all_but(self, parameters: Sequence[Tensor], numbers: Sequence[int]) -> Iterator[None]:
        """Skip all of ``parameters`` but those with these numbers."""
        addresses = [parameter.data_ptr() for parameter in parameters]
        self._addresses = frozenset(addresses) - {addresses[number] for number in numbers}
        try:
            yield
        finally:
            self._addresses = frozenset()

"""A gradient that can be differentiated again, and the Gauss-Newton form of it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from torch import Tensor

from landscape.errors import NotMeasurableError
from landscape.parameters.layout import flatten

# Where the parameters lie whose derivatives nobody asks for in the backward pass under way: a
# torch.autograd.Function is not told. Not thread-local: on a GPU its backward has its own thread.
_skipped: frozenset[int] = frozenset()


def is_skipped(parameter: Tensor) -> bool:
    """Whether its derivative is not wanted in the backward pass under way."""
    return parameter.data_ptr() in _skipped


@contextmanager
def _only(parameters: Sequence[Tensor], numbers: Sequence[int]) -> Iterator[None]:
    global _skipped
    places = [parameter.data_ptr() for parameter in parameters]
    _skipped = frozenset(places) - {places[number] for number in numbers}
    try:
        yield
    finally:
        _skipped = frozenset()


class CurvatureGraph(Protocol):
    """A symmetric matrix of curvature, of which one batch's graph is kept."""

    @property
    def gradient(self) -> Tensor:
        """The gradient of the batch's loss, of shape (P,)."""

    def products(
        self, columns: Tensor, tensors: Sequence[int] | None = None, *, keep: bool = False
    ) -> Tensor:
        """The matrix times ``columns``, both of shape (P, K).

        With ``tensors``, some parameters by number, it is their diagonal block: the columns are
        taken to be 0 elsewhere, and so are the products, which are not computed there. ``keep``
        leaves the graph for another time.
        """


class GradientGraph:
    """The gradient of ``value`` with respect to ``parameters``, with the graph of its making.

    A Hessian-vector product is a backward pass through that graph (Pearlmutter, 1994).
    """

    def __init__(self, value: Tensor, parameters: Sequence[Tensor]) -> None:
        self._parameters = parameters
        self._pieces = _derivative(value, parameters)

    @property
    def gradient(self) -> Tensor:
        """Its value, of shape (P,)."""
        return flatten(piece.detach() for piece in self._pieces)

    def products(
        self, columns: Tensor, tensors: Sequence[int] | None = None, *, keep: bool = False
    ) -> Tensor:
        """The Hessian times ``columns`` of shape (P, K)."""
        numbers, active = _chosen(self._pieces, tensors)
        if not active:
            return torch.zeros_like(columns)
        return _by_column(
            lambda parts, keep: torch.autograd.grad(
                [self._pieces[number] for number in active],
                [self._parameters[number] for number in numbers],
                grad_outputs=[parts[number] for number in active],
                retain_graph=keep,
                materialize_grads=True,
            ),
            columns,
            self._parameters,
            numbers,
            keep,
        )


class GaussNewtonGraph:
    """J'CJ for the Jacobian J of ``outputs`` and a symmetric C that ``curve`` multiplies by.

    J times a vector is had by differentiating J'u, which is linear in u, once more.
    """

    def __init__(
        self,
        value: Tensor,
        outputs: Tensor,
        curve: Callable[[Tensor], Tensor],
        parameters: Sequence[Tensor],
    ) -> None:
        self._value = value
        self._outputs = outputs
        self._curve = curve
        self._parameters = parameters
        self._point = torch.zeros_like(outputs, requires_grad=True)
        if outputs.requires_grad:
            self._pieces = differentiable_gradients(outputs, parameters, self._point)
        else:
            self._pieces = [torch.zeros_like(parameter) for parameter in parameters]

    @property
    def gradient(self) -> Tensor:
        """The gradient of the value, of shape (P,)."""
        if not self._value.requires_grad:
            return flatten(torch.zeros_like(parameter) for parameter in self._parameters)
        pieces = torch.autograd.grad(
            self._value, self._parameters, retain_graph=True, materialize_grads=True
        )
        return flatten(pieces)

    def products(
        self, columns: Tensor, tensors: Sequence[int] | None = None, *, keep: bool = False
    ) -> Tensor:
        """J'CJ times ``columns`` of shape (P, K)."""
        numbers, active = _chosen(self._pieces, tensors)
        if not active:
            return torch.zeros_like(columns)

        def multiply(parts: Sequence[Tensor], keep: bool) -> Sequence[Tensor]:
            (forward,) = torch.autograd.grad(
                [self._pieces[number] for number in active],
                [self._point],
                grad_outputs=[parts[number] for number in active],
                retain_graph=True,
                materialize_grads=True,
            )
            return torch.autograd.grad(
                [self._outputs],
                [self._parameters[number] for number in numbers],
                grad_outputs=[self._curve(forward)],
                retain_graph=keep,
                materialize_grads=True,
            )

        return _by_column(multiply, columns, self._parameters, numbers, keep)


def _chosen(
    pieces: Sequence[Tensor], tensors: Sequence[int] | None
) -> tuple[Sequence[int], list[int]]:
    """The numbers asked for, all without ``tensors``, and those among them that have a graph.

    A piece that does not depend on the parameters, as of a loss linear in them, has none.
    """
    numbers = range(len(pieces)) if tensors is None else tensors
    return numbers, [number for number in numbers if pieces[number].requires_grad]


def differentiable_gradients(
    value: Tensor, parameters: Sequence[Tensor], seed: Tensor | None = None
) -> Sequence[Tensor]:
    """The gradients of ``value`` with the graph of their making.

    Raises NotMeasurableError where that goes through a torch.autograd.Function whose backward pass
    is ``@once_differentiable``: torch says so only to who asks for the gradients of all leaves, and
    leaves the rest of the graph out for anybody else.
    """
    pieces = torch.autograd.grad(value, parameters, seed, create_graph=True, materialize_grads=True)
    seen: set[Any] = set()
    waiting: list[Any] = [piece.grad_fn for piece in pieces]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if node.name() == "torch::autograd::Error":
            raise NotMeasurableError(
                "the curvature needs second derivatives, which an operation of the model or the "
                "loss does not have: a backward pass of it is @once_differentiable; write it out "
                "in operations of torch"
            )
        waiting += [parent for parent, _ in node.next_functions]
    return pieces


def _derivative(value: Tensor, parameters: Sequence[Tensor]) -> Sequence[Tensor]:
    if not value.requires_grad:  # no trainable parameter takes part
        return [torch.zeros_like(parameter) for parameter in parameters]
    return differentiable_gradients(value, parameters)


def _by_column(
    multiply: Callable[[Sequence[Tensor], bool], Sequence[Tensor]],
    columns: Tensor,
    parameters: Sequence[Tensor],
    numbers: Sequence[int],
    keep: bool,
) -> Tensor:
    """The products of columns (P, K), taken one by one, with the parameters' numbers filled in.

    One by one: batched (vmapped) double backward of layer norm is wrong in torch.
    """
    sizes = [parameter.numel() for parameter in parameters]
    # Rows, so that every vector is contiguous: some kernels are a hundred times slower otherwise.
    rows = columns.T.contiguous()
    found = torch.zeros_like(rows)
    for k, (row, place) in enumerate(zip(rows, found, strict=True)):
        parts = zip(row.split(sizes), parameters, strict=True)
        views = [part.view_as(parameter) for part, parameter in parts]
        with _only(parameters, numbers):
            pieces = multiply(views, keep or k < len(rows) - 1)
        places = place.split(sizes)
        for number, piece in zip(numbers, pieces, strict=True):
            places[number].copy_(piece.reshape(-1))
    return found.T

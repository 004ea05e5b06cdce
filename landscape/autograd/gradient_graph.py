"""A gradient that can be differentiated again, and the Gauss-Newton form of it."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from landscape.autograd.skipped import SkippedParameters
from landscape.errors import NotMeasurableError
from landscape.parameters.layout import flatten


class CurvatureGraph(Protocol):
    """A symmetric curvature matrix of one batch, as a graph that products are taken through."""

    @property
    def gradient(self) -> Tensor:
        """The gradient of the batch's loss, of shape (P,)."""

    def products(
        self, columns: Tensor, tensors: Sequence[int] | None = None, *, keep: bool = False
    ) -> Tensor:
        """The matrix times ``columns``, both of shape (P, K).

        With ``tensors``, the numbers of some parameters, the matrix is their diagonal block: the
        columns are taken to be 0 elsewhere, and so are the products, which are not computed there.
        ``keep`` retains the graph for further products.
        """


class GradientGraph:
    """The gradient of a loss, with the graph that computed it.

    A Hessian-vector product is a backward pass through that graph (Pearlmutter, 1994).

    Args:
        value: the loss, a scalar.
        parameters: the tensors that it is differentiated by; P scalars in all.
        skipped: what the operations of the graph were recorded with, where they were recorded
            within :class:`landscape.autograd.second_order.SecondOrder`.

    Raises:
        NotMeasurableError: if an operation of the graph has no second derivative.
    """

    def __init__(
        self,
        value: Tensor,
        parameters: Sequence[Tensor],
        skipped: SkippedParameters | None = None,
    ) -> None:
        self._parameters = parameters
        self._skipped = skipped or SkippedParameters()
        self._pieces = _derivative(value, parameters)

    @property
    def gradient(self) -> Tensor:
        """The gradient itself, of shape (P,)."""
        return flatten(piece.detach() for piece in self._pieces)

    def products(
        self, columns: Tensor, tensors: Sequence[int] | None = None, *, keep: bool = False
    ) -> Tensor:
        """The Hessian times ``columns`` of shape (P, K)."""
        numbers, active = _chosen(self._pieces, tensors)
        if not active:
            return torch.zeros_like(columns)

        def multiply(vectors: Sequence[Tensor], keep: bool) -> Sequence[Tensor]:
            with self._skipped.all_but(self._parameters, numbers):
                return torch.autograd.grad(
                    [self._pieces[number] for number in active],
                    [self._parameters[number] for number in numbers],
                    grad_outputs=[vectors[number] for number in active],
                    retain_graph=keep,
                    materialize_grads=True,
                )

        return _by_column(multiply, columns, self._parameters, numbers, keep)


class GaussNewtonGraph:
    """The matrix J'CJ for the Jacobian J of some outputs and a symmetric matrix C.

    J times a vector is obtained by differentiating J'u, which is linear in u, once more.

    Args:
        value: the loss, a scalar.
        outputs: the tensor whose Jacobian J is.
        curve: multiplies C by a tensor of the outputs' shape.
        parameters: the tensors that the outputs are differentiated by; P scalars in all.
        skipped: as for :class:`GradientGraph`.

    Raises:
        NotMeasurableError: if an operation of the graph has no second derivative.
    """

    def __init__(
        self,
        value: Tensor,
        outputs: Tensor,
        curve: Callable[[Tensor], Tensor],
        parameters: Sequence[Tensor],
        skipped: SkippedParameters | None = None,
    ) -> None:
        self._skipped = skipped or SkippedParameters()
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
        """The gradient of the loss, of shape (P,)."""
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

        def multiply(vectors: Sequence[Tensor], keep: bool) -> Sequence[Tensor]:
            with self._skipped.all_but(self._parameters, numbers):
                (forward,) = torch.autograd.grad(
                    [self._pieces[number] for number in active],
                    [self._point],
                    grad_outputs=[vectors[number] for number in active],
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
    """The numbers ``tensors``, by default all, and those among them whose gradient has a graph.

    A gradient that does not depend on the parameters, such as that of a linear loss, has none.
    """
    numbers = range(len(pieces)) if tensors is None else tensors
    return numbers, [number for number in numbers if pieces[number].requires_grad]


def differentiable_gradients(
    value: Tensor, parameters: Sequence[Tensor], seed: Tensor | None = None
) -> Sequence[Tensor]:
    """The gradients of ``value``, by parameter, with the graph that computed them.

    Args:
        value: what is differentiated.
        parameters: by what.
        seed: the vector that the Jacobian's transpose is multiplied by, where ``value`` is not a
            scalar.

    Returns:
        A gradient for each parameter, of its shape; zeros where ``value`` does not depend on it.

    Raises:
        NotMeasurableError: if a backward pass in the graph is ``@once_differentiable``. torch
            itself reports that only where the gradients of all leaves are requested; otherwise it
            silently leaves that part of the graph out.
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
                "loss does not have: its backward pass is @once_differentiable; write the "
                "operation out in torch operations"
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
    """The products with each of the columns (P, K), taken one after the other.

    ``multiply`` takes a column, split into a tensor for each parameter, and returns the product for
    the parameters with these ``numbers``; it is 0 for the others. The columns are not batched,
    since the vmapped double backward pass of layer norm is wrong in torch.
    """
    sizes = [parameter.numel() for parameter in parameters]
    # Rows, so that every vector is contiguous: some kernels are a hundred times slower otherwise.
    rows = columns.T.contiguous()
    products = torch.zeros_like(rows)
    for k, (row, product) in enumerate(zip(rows, products, strict=True)):
        pairs = zip(row.split(sizes), parameters, strict=True)
        vectors = [vector.view_as(parameter) for vector, parameter in pairs]
        pieces = multiply(vectors, keep or k < len(rows) - 1)
        places = product.split(sizes)
        for number, piece in zip(numbers, pieces, strict=True):
            # Zeros that stand for no gradient require one themselves in earlier versions of torch.
            places[number].copy_(piece.detach().reshape(-1))
    return products.T

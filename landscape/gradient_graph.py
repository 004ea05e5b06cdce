"""A gradient that can be differentiated again."""

from collections.abc import Sequence

import torch
from torch import Tensor

from landscape.parameters import flatten


class GradientGraph:
    """The gradient of ``value`` with respect to ``parameters``, with the graph of its making.

    A Hessian-vector product is a backward pass through that graph (Pearlmutter, 1994).
    """

    def __init__(self, value: Tensor, parameters: Sequence[Tensor]) -> None:
        self._parameters = parameters
        self._pieces: Sequence[Tensor]
        if value.requires_grad:
            self._pieces = torch.autograd.grad(
                value, parameters, create_graph=True, materialize_grads=True
            )
        else:  # no trainable parameter takes part
            self._pieces = [torch.zeros_like(parameter) for parameter in parameters]

    @property
    def gradient(self) -> Tensor:
        """Its value, of shape (P,)."""
        return flatten(piece.detach() for piece in self._pieces)

    def products(
        self, columns: Tensor, group: Sequence[int] | None = None, *, keep: bool = False
    ) -> Tensor:
        """The Hessian times ``columns`` of shape (P, K).

        With a ``group`` of parameters, by number, it is the diagonal block of those, of as many
        rows as they have scalars; what they don't depend on is not computed. ``keep`` leaves the
        graph for another time.
        """
        numbers = range(len(self._pieces)) if group is None else group
        wanted = [self._parameters[number] for number in numbers]
        # A piece that does not depend on the parameters, as of a loss linear in them, has no graph.
        active = [k for k, n in enumerate(numbers) if self._pieces[n].requires_grad]
        if not active:
            return torch.zeros_like(columns)
        outputs = [self._pieces[numbers[k]] for k in active]
        found = torch.empty_like(columns)
        # One by one: batched (vmapped) double backward of layer norm is wrong in torch.
        last = columns.shape[1] - 1
        for k in range(columns.shape[1]):
            parts = columns[:, k].split([parameter.numel() for parameter in wanted])
            pieces = torch.autograd.grad(
                outputs,
                wanted,
                grad_outputs=[parts[a].view_as(wanted[a]) for a in active],
                retain_graph=keep or k < last,
                materialize_grads=True,
            )
            found[:, k] = flatten(pieces)
        return found

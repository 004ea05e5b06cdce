"""What is multiplied with a curvature matrix, and the loop over the graphs of a sample."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from landscape.autograd.gradient_graph import CurvatureGraph
from landscape.parameters.groups import Group
from landscape.parameters.layout import ParameterLayout


@dataclass(frozen=True)
class ProductRequest:
    """What to multiply: the whole matrix, or the diagonal block of ``group``, with ``vectors``.

    ``vectors`` has the shape (size, K), with the size of the matrix or block.
    """

    vectors: Tensor
    group: Group | None = None

    def scattered(self, layout: ParameterLayout) -> Tensor:
        """The vectors with 0 for the parameters that are not in the block, of shape (P, K)."""
        return self.vectors if self.group is None else self.group.scatter(self.vectors, layout.size)

    def tensors(self, layout: ParameterLayout) -> list[int]:
        """The numbers of the tensors that have parameters in the matrix or block."""
        return list(range(len(layout.names))) if self.group is None else self.group.tensors(layout)


class Products(Protocol):
    """A source of products with the curvature matrix of a mean loss."""

    def __call__(self, requests: Sequence[ProductRequest], *, exact: bool = False) -> list[Tensor]:
        """The product for each request, of the shape of its vectors.

        Args:
            requests: what to multiply.
            exact: use the plain module, with no graph kept and no operation replaced, and a copy of
                it in float64 where it takes that. The products are in float64 then.
        """

    def gradient(self) -> Tensor:
        """The gradient of the loss, of shape (P,)."""


def multiply(
    requests: Sequence[ProductRequest],
    graphs: Iterable[tuple[CurvatureGraph, bool]],
    layout: ParameterLayout,
    dtype: torch.dtype,
) -> list[Tensor]:
    """The product for each request, in ``dtype``; all of them share the graph of each batch.

    Args:
        requests: what to multiply.
        graphs: the graph of each batch, and whether it is kept for further products.
        layout: of the parameters.
        dtype: the floating type of the graphs.
    """
    columns = [each.scattered(layout).to(dtype) for each in requests]
    tensors = [None if each.group is None else each.tensors(layout) for each in requests]
    products = [torch.zeros_like(vectors) for vectors in columns]
    last = len(requests) - 1
    for graph, is_kept in graphs:
        for k, product in enumerate(products):
            product += graph.products(columns[k], tensors[k], keep=is_kept or k < last)
    return [
        product if request.group is None else request.group.gather(product)
        for request, product in zip(requests, products, strict=True)
    ]

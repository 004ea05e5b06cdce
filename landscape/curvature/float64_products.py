"""Products with the matrix in float64, which certify what float32 products have found.

In float32 the derivative of cross-entropy, softmax minus one-hot, cancels where a network is sure
of the class: the products of a network that fits its data are off by far more than a rounding.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from landscape.autograd.gradient_graph import CurvatureGraph
from landscape.autograd.skipped import SkippedParameters
from landscape.curvature.float64_copy import Float64Only, in_float64
from landscape.curvature.matrices import MakeGraph
from landscape.curvature.requests import ProductRequest, multiply
from landscape.data.batches import Batch
from landscape.objective.objective import Objective


def float64_products(
    objective: Objective,
    theta: Tensor | None,
    make_graph: MakeGraph,
    batches: Sequence[Batch],
    total_weight: float,
    requests: Sequence[ProductRequest],
) -> list[Tensor]:
    """The product for each request by a copy of the plain module in float64, which is then dropped.

    A batch is cut in two, so that a graph takes the memory of one of the whole batch in float32.

    Args:
        objective: the mean loss, in float32.
        theta: the weights, of shape (P,); by default the objective's own.
        make_graph: of ``landscape.curvature.matrices.MATRICES``.
        batches: the samples.
        total_weight: what the mean divides by.
        requests: what to multiply.

    Returns:
        The products in float64.

    Raises:
        NotMeasurableError: the model does not compute in float64 throughout. Others that it raises
            where it takes no float64 are passed on.
    """
    double = in_float64(objective)
    pieces = [piece for batch in batches for piece in batch.in_two()]

    def graphs() -> Iterator[tuple[CurvatureGraph, bool]]:
        for piece in pieces:
            cast = piece.in_precision(torch.float64)
            with Float64Only():
                outputs = double.criterion.call(double.module, cast)
                share = piece.weight / total_weight
                graph = make_graph(double, cast, outputs, share, SkippedParameters())
            yield graph, False

    with double.second_derivatives(None if theta is None else theta.double()):
        return multiply(requests, graphs(), objective.layout, torch.float64)

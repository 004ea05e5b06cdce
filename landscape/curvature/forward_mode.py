"""The second derivative of every sample's loss along a vector, by forward passes alone.

The sampling error of v'Hv needs v'H_i v of parts of the sample and no product H_i v. Along a line
every number of a forward pass is carried with its first and second derivative (Griewank and
Walther, Evaluating Derivatives, 2008, chapter 13), which gives all samples at once.

This takes more multiplications than products by backward passes, but fewer and longer operations:
it pays where an operation takes less time than its call. There one pass carries many vectors, too.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor
from torch.func import functional_call, jvp

from landscape.autograd.plain_forms import FORWARD_MODE, PlainForms
from landscape.curvature.requests import ProductRequest
from landscape.data.batches import Batch
from landscape.objective.objective import Objective

# What operations without derivatives in forward mode, and models that look into tensors, raise.
_REFUSALS = (RuntimeError, ValueError, TypeError, AttributeError, LookupError, AssertionError)


class _NoSampleLossesError(RuntimeError):
    """The loss of a batch can't be told sample by sample."""


def sample_curvatures(
    objective: Objective,
    vectors: Sequence[ProductRequest],
    batch: Batch,
    theta: Tensor | None = None,
    at_once: int = 1,
) -> Tensor | None:
    """w_i v'H_i v of every sample i and for every vector v, with the samples' weights w_i.

    Args:
        objective: the loss.
        vectors: each v, of shape (size, 1), of the whole Hessian or of a block of it.
        batch: n samples.
        theta: the weights, of shape (P,); by default the objective's own.
        at_once: how many vectors a pass carries, where the model can be taken for several.

    Returns:
        Float64 numbers of shape (K, n), whose sums over samples are those of the batch's loss; None
        where the loss can't be told sample by sample, or an operation has no such derivative.
    """
    if objective.criterion.step is not None:  # it may use the parts of the module itself
        return None
    with objective.second_derivatives(theta):
        chunks = [vectors[start : start + at_once] for start in range(0, len(vectors), at_once)]
        try:
            return torch.cat([_along_several(objective, chunk, batch) for chunk in chunks])
        except _REFUSALS:
            return None


def _along_several(objective: Objective, vectors: Sequence[ProductRequest], batch: Batch) -> Tensor:
    """The second derivatives of the samples' losses along each vector, of shape (K, n)."""
    if len(vectors) > 1:
        try:
            return _along(objective, vectors, batch)
        except _REFUSALS:  # a decision that depends on values can't be taken for several
            pass
    return torch.cat([_along(objective, [vector], batch) for vector in vectors])


def _along(objective: Objective, vectors: Sequence[ProductRequest], batch: Batch) -> Tensor:
    """The same in a single pass."""
    layout, parameters = objective.layout, objective.parameters
    numbers = sorted({number for vector in vectors for number in vector.tensors(layout)})
    flat = torch.stack([vector.scattered(layout)[:, 0] for vector in vectors])
    weights = {layout.names[n]: parameters[n].detach() for n in numbers}
    directions = {
        layout.names[n]: flat[:, slice(*layout.stretches[n])].reshape(-1, *parameters[n].shape)
        for n in numbers
    }

    def losses(weights: Mapping[str, Tensor]) -> Tensor:
        def model(*args: object, **keywords: object) -> object:
            return functional_call(objective.module, dict(weights), args, keywords)

        terms = objective.criterion.sample_terms(objective.criterion.call(model, batch), batch)
        if terms is None:
            raise _NoSampleLossesError
        return terms[0]

    def along(direction: Mapping[str, Tensor]) -> Tensor:
        return second_derivatives_along(losses, weights, direction)

    if len(vectors) == 1:
        return along({name: each[0] for name, each in directions.items()})[None].double()
    return torch.vmap(along)(directions).double()


def second_derivatives_along(
    function: Callable[[Mapping[str, Tensor]], Tensor],
    weights: Mapping[str, Tensor],
    direction: Mapping[str, Tensor],
) -> Tensor:
    """The second derivatives of a function of weights along a direction, of its values' shape.

    Call within :func:`landscape.objective.second_derivatives.twice_differentiable`.
    """

    def slopes(weights: Mapping[str, Tensor]) -> Tensor:
        slope: Tensor = jvp(function, (weights,), (direction,))[1]
        return slope

    with torch.no_grad(), PlainForms(FORWARD_MODE), warnings.catch_warnings():
        # torch loads its forward derivatives by torch.jit.script, which it deprecates: torch 2.14
        # by a FutureWarning, which everybody sees.
        warnings.filterwarnings("ignore", "`torch.jit.script` is")
        derivatives: Tensor = jvp(slopes, (weights,), (direction,))[1]
    return derivatives

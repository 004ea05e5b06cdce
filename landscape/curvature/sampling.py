"""The sampling error of an eigenvalue: how far it may be from that of all the data.

For another sample the Hessian is H + D, and an eigenvalue moves by v'Dv to first order. So its
sampling error is that of the mean of v'H_i v over the samples i, which is estimated from the
spread of the means over slices of the sample.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from landscape.curvature.forward_mode import sample_curvatures
from landscape.curvature.products import LocalProducts
from landscape.curvature.requests import ProductRequest
from landscape.data.batches import Batch
from landscape.data.batching import cache_bytes, largest_tensor
from landscape.estimates import Estimate
from landscape.objective.objective import Objective

# The spread is that of at least so many slices, if there are as many samples.
SLICES = 16
# The mean by forward passes may differ from the known v'Hv by this share of the error ...
AGREEMENT = 0.01
# ... or by this share of itself, where the samples are alike.
ROUNDING = 1e-5
# A forward pass that carries more vectors than these saves nothing further.
MOST_VECTORS = 16


@dataclass(frozen=True)
class SamplingErrors:
    """The standard errors of v'Hv for several vectors v.

    Attributes:
        errors: one for each v; nan for a single sample, or for a single batch that can't be cut.
        products: how many Hessian products they took, each over the whole sample.
    """

    errors: list[float]
    products: list[int]


def sampling_errors(
    objective: Objective,
    vectors: Sequence[ProductRequest],
    quotients: Sequence[float],
    matrix: str = "hessian",
    theta: Tensor | None = None,
) -> SamplingErrors:
    """The standard errors of v'Hv for several unit vectors v.

    Of the Hessian over a small sample they come by forward passes
    (:mod:`landscape.curvature.forward_mode`), where the means over the sample that these give are
    the known v'Hv; else, and of other matrices, by a product for each v of the plain module.

    Args:
        objective: the mean loss over the sample.
        vectors: each v, of shape (size, 1), of the whole matrix or of a block.
        quotients: v'Hv of each, as products of the plain module have given it.
        matrix: the curvature matrix H, of ``landscape.curvature.matrices.MATRICES``.
        theta: the weights, of shape (P,); by default the objective's own.
    """
    if len(list(sample_slices(objective.batches))) < 2:
        return SamplingErrors([math.nan] * len(vectors), [0] * len(vectors))
    at_once = _vectors_at_once(objective) if matrix == "hessian" else 0
    if at_once:
        estimates = _by_forward_passes(objective, vectors, theta, at_once)
        # A formula of torch that is wrong shows in most of the vectors, so all have to agree.
        if all(map(_agrees, estimates, quotients)):
            errors = [estimate.stderr for estimate in estimates]
            return SamplingErrors(errors, [0] * len(vectors))
    estimates = rayleigh_quotients(objective, vectors, objective.batches, matrix, theta)
    return SamplingErrors([estimate.stderr for estimate in estimates], [1] * len(vectors))


def _vectors_at_once(objective: Objective) -> int:
    """How many vectors a forward pass should carry, by the size of tensors; 0 for a large sample.

    Products take less time than forward passes where the tensors of these leave the cache.
    """
    first, cache = objective.batches[0], cache_bytes(objective.device)
    with objective.evaluating():
        of_a_batch = largest_tensor(lambda: objective.forward(first))
    if of_a_batch / first.size * objective.num_samples > cache:
        return 0
    of_a_vector = max(of_a_batch, objective.theta.numel() * objective.theta.element_size())
    # Vectors that share a pass gain until its tensors take twice the cache.
    return min(max(2 * cache // of_a_vector, 1), MOST_VECTORS)


def _agrees(estimate: Estimate, known: float) -> bool:
    allowed = max(AGREEMENT * estimate.stderr, ROUNDING * abs(known))
    return abs(estimate.value - known) <= allowed


def _by_forward_passes(
    objective: Objective,
    vectors: Sequence[ProductRequest],
    theta: Tensor | None,
    at_once: int,
) -> list[Estimate]:
    """v'Hv with its error for each v, without a product; nan where that can't be had."""
    unknown = [Estimate(math.nan, math.nan)] * len(vectors)
    if not vectors:
        return unknown
    quotients, weights = [], []
    for batch, pieces in _slices_of_batches(objective.batches):
        curvatures = sample_curvatures(objective, vectors, batch, theta, at_once)
        if curvatures is None or curvatures.shape[1:] != (batch.size,):
            return unknown
        for (start, stop), weight in pieces:
            sums = curvatures[:, start:stop].sum(1) / weight
            quotients.append(sums.tolist())
            weights.append(weight)
    return _estimates(quotients, weights)


def rayleigh_quotients(
    objective: Objective,
    vectors: Sequence[ProductRequest],
    batches: Sequence[Batch],
    matrix: str = "hessian",
    theta: Tensor | None = None,
) -> list[Estimate]:
    """v'Hv over some batches, and its sampling error, for several unit vectors v.

    Args:
        objective: the mean loss.
        vectors: each v, of shape (size, 1), of the whole matrix or of a block. Each costs one more
            product, by the plain module.
        batches: the samples of whose mean loss H is the matrix.
        matrix: the curvature matrix H, of ``landscape.curvature.matrices.MATRICES``.
        theta: the weights, of shape (P,); by default the objective's own.

    Returns:
        An estimate for each v; its error is nan for a single slice.
    """
    quotients, sizes = [], []
    for batch in sample_slices(batches):
        products = LocalProducts(
            objective, theta, matrix=matrix, batches=[batch], budget=0, in_float64=False
        )
        pairs = zip(vectors, products(vectors, exact=True), strict=True)
        quotients.append([(v.vectors.double() * hv.double()).sum().item() for v, hv in pairs])
        sizes.append(batch.weight)
    return _estimates(quotients, sizes)


def _estimates(quotients: Sequence[Sequence[float]], sizes: Sequence[float]) -> list[Estimate]:
    """The means of quotients (slices, K) and their errors; ``sizes`` is what each slice counts."""
    weights = np.array(sizes, dtype=np.float64)
    means = np.average(quotients, axis=0, weights=weights)
    errors = np.full(len(means), math.nan)
    if len(weights) > 1:
        # Slices that count more vary less: the variance of one is that of a unit of weight over it.
        squares = (weights[:, None] * (np.array(quotients) - means) ** 2).sum(0)
        errors = np.sqrt(squares / (len(weights) - 1) / weights.sum())
    dof = float(len(weights) - 1)
    return [
        Estimate(float(mean), float(error), dof) for mean, error in zip(means, errors, strict=True)
    ]


def sample_slices(batches: Sequence[Batch]) -> Iterator[Batch]:
    """The batches, in smaller slices where there are few of them and they can be cut."""
    for batch, pieces in _slices_of_batches(batches):
        for (start, stop), _ in pieces:
            yield batch if batch.is_whole else batch.slice(start, stop)


def _slices_of_batches(
    batches: Sequence[Batch],
) -> Iterator[tuple[Batch, list[tuple[tuple[int, int], float]]]]:
    """Each batch with the stretches of its slices, and what each of these counts for."""
    largest = max(1, sum(batch.size for batch in batches) // SLICES)
    for batch in batches:
        if batch.is_whole:
            yield batch, [((0, batch.size), batch.weight)]
            continue
        pieces = []
        for start in range(0, batch.size, largest):
            stretch = start, min(start + largest, batch.size)
            weight = batch.slice(*stretch).weight
            if weight > 0:
                pieces.append((stretch, weight))
        yield batch, pieces

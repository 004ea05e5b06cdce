"""Repeated eigenvalues: the eigenpairs that stay hidden from one Lanczos process.

A Lanczos process finds one eigenvector of each eigenspace, the projection of its start vector. An
eigenvalue of multiplicity k is thus found once, and k - 1 of its eigenpairs stay hidden. They are
found by further processes, each from a new random start, that multiply with the deflated operator
(I - VV') H (I - VV'), in which all known eigenvectors V have the eigenvalue 0.

There are three phases:

1. The screen, for most matrices all that the search costs. A hidden eigenvector is orthogonal to
   the whole Krylov space of the process that missed it, so that all of that space is deflated,
   which leaves little beside a hidden eigenvalue. A random vector has a share of a hidden
   eigenvector that is below any given size with a known probability, and the products so far bound
   that share (:meth:`landscape.eigen.krylov.Krylov.largest_share`). The screen ends where the
   probability is at most ``OVERLOOKED`` that a random vector has as little. Copies of the smallest
   eigenvalue that was asked for would not change the list, so that a single one needs no screen.
2. Probing, where the screen shows something: ``PROBE_STEPS`` products. An eigenvalue that belongs
   among those asked for lies well outside the rest of the deflated spectrum, and shows itself to a
   random vector by then.
3. The thorough search, once an eigenvalue has been found twice: then more repetitions are to be
   expected, and the process runs until its Ritz values and residuals say that none is left.

Probing is repeated until a process finds nothing.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import betainc
from torch import Tensor

from landscape.eigen.eigenpairs import WITH_ENDS, rounding
from landscape.eigen.krylov import Krylov
from landscape.eigen.operator import SymmetricOperator, random_vector

LOGGER = logging.getLogger(__name__)

# The share of an outlying eigenvector in a random start grows with every step by about the ratio
# of its eigenvalue to the next.
PROBE_STEPS = 8
# The probability with which the screen may overlook a hidden eigenvector, unless it has taken
# PROBE_STEPS.
OVERLOOKED = 0.03

Array = NDArray[np.float64]


class _ProjectedOperator:
    """R H R for an orthogonal projector R; ``project`` multiplies columns (P, M) by it."""

    def __init__(self, operator: SymmetricOperator, project: Callable[[Tensor], Tensor]) -> None:
        self.operator = operator
        self.project = project
        self.size, self.dtype, self.device = operator.size, operator.dtype, operator.device

    def matmat(self, vectors: Tensor) -> Tensor:
        """The product with ``vectors`` of shape (P, M)."""
        return self.project(self.operator.matmat(self.project(vectors)))

    def exact_matmat(self, vectors: Tensor) -> Tensor:
        """The same with the exact product of H."""
        return self.project(self.operator.exact_matmat(self.project(vectors)).to(vectors))


class DeflatedOperator(_ProjectedOperator):
    """(I - VV') H (I - VV') for orthonormal columns V of shape (P, K)."""

    def __init__(self, operator: SymmetricOperator, vectors: Tensor) -> None:
        super().__init__(operator, self._without_known)
        self.vectors = vectors

    def _without_known(self, vectors: Tensor) -> Tensor:
        for _ in range(2):
            vectors = vectors - self.vectors @ (self.vectors.T @ vectors)
        return vectors


@dataclass(frozen=True)
class RitzPairs:
    """Values (K,) and orthonormal vectors (P, K) without certificates.

    ``steps`` is how many products were spent on them.
    """

    values: Array
    vectors: Tensor
    steps: int

    def joined(self, hidden: "RitzPairs") -> "RitzPairs":
        """These pairs and after them ``hidden``."""
        return RitzPairs(
            np.append(self.values, hidden.values),
            torch.cat([self.vectors, hidden.vectors], dim=1),
            self.steps + hidden.steps,
        )

    def split(self, count: int) -> "tuple[RitzPairs, RitzPairs]":
        """The first ``count`` pairs, on which all products were spent, and the others."""
        return (
            RitzPairs(self.values[:count], self.vectors[:, :count], self.steps),
            RitzPairs(self.values[count:], self.vectors[:, count:], 0),
        )


def highest_multiplicity(values: Array, tolerance: float) -> int:
    """How often the most frequent of ``values`` occurs, where relative ``tolerance`` is equal."""
    if not len(values):
        return 0
    ascending = np.sort(values)
    is_new = np.diff(ascending) > tolerance * np.abs(ascending[1:])
    return int(np.bincount(np.concatenate([[0], np.cumsum(is_new)])).max())


def with_hidden_pairs(
    operator: SymmetricOperator,
    pairs: RitzPairs,
    count: int,
    tolerance: float,
    generator: torch.Generator,
    max_steps: int,
    which: str = "magnitude",
    process: Krylov | None = None,
) -> RitzPairs:
    """``pairs`` and the hidden eigenpairs that belong among the leading ones with them.

    Args:
        operator: the matrix H.
        pairs: what has been found, at least ``count`` pairs where H has as many.
        count: how many eigenvalues were asked for, of each end for ``which`` = ``ends``.
        tolerance: the relative residual up to which a hidden pair counts as found.
        generator: the source of the random starts.
        max_steps: the largest number of products.
        which: ``magnitude``, ``ends`` or ``magnitude with ends``, where copies of the ends are not
            looked for.
        process: the one that found the pairs, if it was a single one; without it there is no
            screen.
    """
    if which == WITH_ENDS:
        # The lower end may be far from an eigenvector, which deflation takes it for.
        pairs, ends = pairs.split(count)
        return with_hidden_pairs(
            operator, pairs, count, tolerance, generator, max_steps, "magnitude", process
        ).joined(ends)
    limit = pairs.steps + max_steps
    hint: Tensor | None = None
    if process is not None and highest_multiplicity(pairs.values, tolerance) < 2:
        interval = _Interval.of(pairs.values, count, tolerance, which, rounding(operator))
        bounds = interval.bounds_of_copies(pairs.values)
        if not bounds:
            return pairs
        steps, hint = _screen(operator, process, interval, bounds, generator, max_steps)
        pairs = replace(pairs, steps=pairs.steps + steps)
        if hint is None:
            return pairs
    while pairs.steps < limit and len(pairs.values) < operator.size:
        interval = _Interval.of(pairs.values, count, tolerance, which, rounding(operator))
        hidden = _search(
            DeflatedOperator(operator, pairs.vectors),
            interval,
            generator,
            limit - pairs.steps,
            is_thorough=highest_multiplicity(pairs.values, tolerance) > 1,
            hint=hint,
        )
        hint = None
        pairs = pairs.joined(hidden)
        if not len(hidden.values) and pairs.steps < limit:
            return pairs
    if len(pairs.values) < operator.size:
        LOGGER.info("repeated eigenvalues may be listed too few times; increase --max-steps")
    return pairs


@dataclass(frozen=True)
class _Interval:
    """An eigenvalue outside of (``low``, ``high``) belongs among those asked for.

    ``scale`` is what errors are relative to; None is each eigenvalue itself.
    """

    low: float
    high: float
    tolerance: float
    scale: float | None

    @classmethod
    def of(
        cls, values: Array, count: int, tolerance: float, which: str, noise: float
    ) -> "_Interval":
        """The interval that the last of ``count`` values bounds.

        ``noise`` is the share of the largest value that is rounding.
        """
        if which == "ends":
            scale = float(np.abs(values).max())
            margin = tolerance * scale
            ascending = np.sort(values)
            last = min(count, len(values))
            low, high = float(ascending[last - 1]), float(ascending[-last])
            return cls(low - margin, high + margin, tolerance, scale)
        ascending = np.sort(np.abs(values))
        smallest = max(ascending[-count] * (1 + tolerance), noise * ascending[-1])
        return cls(-smallest, smallest, tolerance, None)

    def bounds_of_copies(self, values: Array) -> list[float]:
        """The least extreme copies of ``values`` outside the interval: one on each side, if any."""
        margins = self.allowed_errors(values)
        below = (values + margins)[values < self.low]
        above = (values - margins)[values > self.high]
        lower = [float(below.max())] if len(below) else []
        upper = [float(above.min())] if len(above) else []
        return lower + upper

    def distances(self, values: Array) -> Array:
        """How far each value lies outside; negative within the interval."""
        return np.maximum(values - self.high, self.low - values)

    def allowed_errors(self, values: Array) -> Array:
        """The residual norms up to which Ritz values count as found."""
        scales = np.abs(values) if self.scale is None else np.full(len(values), self.scale)
        return self.tolerance * scales


def _screen(
    operator: SymmetricOperator,
    process: Krylov,
    interval: _Interval,
    bounds: Sequence[float],
    generator: torch.Generator,
    max_steps: int,
) -> tuple[int, Tensor | None]:
    """How many products it took, and a vector rich in a hidden eigenvector if one shows itself.

    Copies lie beyond ``bounds``, and decide when the screen ends. Any other eigenvalue that shows
    itself outside of ``interval`` belongs among the leading ones, too.
    """
    outside = _ProjectedOperator(operator, process.outside)
    dimension = operator.size - process.width
    start = outside.project(random_vector(outside, generator).unsqueeze(1)).squeeze(1)
    krylov = Krylov(outside, start, generator, min(PROBE_STEPS, max_steps, dimension))
    while krylov.steps < min(PROBE_STEPS, max_steps, dimension):
        krylov.advance(outside.matmat(krylov.vector.unsqueeze(1)).squeeze(1))
        values, coordinates = krylov.ritz()
        farthest = int(np.argmax(interval.distances(values)))
        if interval.distances(values)[farthest] > 0:
            return krylov.steps, krylov.ritz_vectors(coordinates[:, [farthest]]).squeeze(1)
        share = max(krylov.largest_share(bound) for bound in bounds)
        # The squared cosine of a random vector with a given one has this distribution.
        if betainc(0.5, max(dimension - 1, 1) / 2, share) <= OVERLOOKED:
            break
    return krylov.steps, None


def _search(
    deflated: DeflatedOperator,
    interval: _Interval,
    generator: torch.Generator,
    max_steps: int,
    *,
    is_thorough: bool,
    hint: Tensor | None = None,
) -> RitzPairs:
    """The eigenpairs outside the interval that one process finds; ``is_thorough``: phase three.

    ``hint`` (P,) is rich in an eigenvector sought, and is added to the random start.
    """
    start = random_vector(deflated, generator)
    if hint is not None:
        start = start + hint
    start = deflated.project(start.unsqueeze(1)).squeeze(1)
    krylov = Krylov(deflated, start, generator, min(max_steps, deflated.size))
    values, coordinates, chosen = np.empty(0), np.empty((0, 0)), np.empty(0, dtype=np.intp)
    while krylov.steps < min(max_steps, deflated.size - deflated.vectors.shape[1]):
        krylov.advance(deflated.matmat(krylov.vector.unsqueeze(1)).squeeze(1))
        values, coordinates = krylov.ritz()
        errors = krylov.errors(coordinates)
        distances = interval.distances(values)
        farthest = int(np.argmax(distances))
        is_settled = errors <= interval.allowed_errors(values)
        if distances[farthest] > 0:
            is_finished = bool(is_settled[farthest])
            is_settled[farthest] = True  # kept if products run out: the certificate will tell
            chosen = np.flatnonzero(is_settled & (distances > 0))
            if is_finished:
                break
        elif krylov.steps >= PROBE_STEPS:
            may_be_more = distances[farthest] + errors[farthest] > 0
            if not (is_thorough and may_be_more):
                break
    return RitzPairs(values[chosen], krylov.ritz_vectors(coordinates[:, chosen]), krylov.steps)

"""What each search takes, and how far from eigenvectors its vectors truly are."""

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks.curvature.searches import AIM, TOOLS, Budget, OutOfTimeError, Tool
from benchmarks.curvature.tools import Case
from landscape.objective.objective import Objective

# Relative to the right one: a tool that is further off has not found that eigenvalue.
SAME = 1e-2


@dataclass(frozen=True)
class Attempt:
    """One search with one setting.

    Attributes:
        network: of :data:`benchmarks.curvature.tools.NETWORKS`.
        top: how many eigenvalues were asked for.
        tool: its name.
        setting: its setting as text, such as ``tol 0.001``.
        seconds: wall time, from the plain module to the vectors.
        products: how many Hessian products it took.
        residual: the largest ||H v - l v|| / |l| of the vectors, by products of the plain module in
            float64; None if the search was ended because it took too long.
        missed: how many of the eigenvalues it does not have, to :data:`SAME`: of the largest in
            magnitude among all that any tool has found, each as often as one tool has it.
    """

    network: str
    top: int
    tool: str
    setting: str
    seconds: float
    products: int
    residual: float | None
    missed: int


@dataclass(frozen=True)
class _Search:
    """What one search took, and the values and residuals of its pairs; none if it was ended."""

    tool: Tool
    setting: float
    seconds: float
    products: int
    values: Sequence[float] = ()
    residuals: Sequence[float] = ()


def attempts(
    network: str, case: Case, top: int, at_most: float, missing: list[str]
) -> Iterable[Attempt]:
    """Run every tool with every setting; a tool that took too long is not run with the next.

    Args:
        network: its name.
        case: the batch and the model.
        top: how many eigenvalues are asked for.
        at_most: how many times as long as the first tool a search may take.
        missing: where tools are named that are not installed.
    """
    exact = case.objective(torch.float64)
    searches: list[_Search] = []
    longest = math.inf
    for tool in TOOLS:
        for setting in tool.values(top):
            try:
                search = _search(tool, case, exact, top, setting, longest)
            except ImportError as error:
                missing.append(f"{tool.name}: {error}")
                break
            searches.append(search)
            if not search.values:
                break
        if tool is TOOLS[0]:
            longest = at_most * _seconds_to_the_aim(searches)
    known = union((search.values, search.residuals) for search in searches)[:top]
    for search in searches:
        yield Attempt(
            network,
            top,
            search.tool.name,
            f"{search.tool.setting} {search.setting:g}",
            search.seconds,
            search.products,
            max(search.residuals, default=None),
            len(lacking(known, search.values)),
        )


def quality(exact: Objective, vectors: Tensor) -> tuple[list[float], list[float]]:
    """The Rayleigh quotients of vectors and their residuals, largest magnitude first."""
    columns = vectors.detach().double()
    columns = columns / torch.linalg.vector_norm(columns, dim=0)
    images = exact.hessian_product(columns)
    values = (columns * images).sum(0)
    residuals = torch.linalg.vector_norm(images - columns * values, dim=0) / values.abs()
    order = values.abs().argsort(descending=True)
    return values[order].tolist(), residuals[order].tolist()


def union(searches: Iterable[tuple[Sequence[float], Sequence[float]]]) -> list[float]:
    """The eigenvalues that searches have found, largest magnitude first.

    Each is there as often as the search that has it most often; a value whose residual is above
    :data:`SAME` is none.
    """
    known: list[float] = []
    for values, residuals in searches:
        pairs = zip(values, residuals, strict=True)
        known += lacking([value for value, residual in pairs if residual <= SAME], known)
    return sorted(known, key=abs, reverse=True)


def lacking(wanted: Sequence[float], values: Sequence[float]) -> list[float]:
    """The wanted eigenvalues without one of their own among ``values``, to :data:`SAME`."""
    left, missing = list(values), []
    for value in wanted:
        nearest = min(left, key=lambda other: abs(other - value), default=None)
        if nearest is not None and abs(nearest - value) <= SAME * abs(value):
            left.remove(nearest)
        else:
            missing.append(value)
    return missing


def _search(
    tool: Tool, case: Case, exact: Objective, top: int, setting: float, longest: float
) -> _Search:
    budget = Budget(longest)
    started = time.perf_counter()
    try:
        vectors = tool.search(case, top, setting, budget)
    except OutOfTimeError:
        return _Search(tool, setting, time.perf_counter() - started, budget.products)
    seconds = time.perf_counter() - started
    return _Search(tool, setting, seconds, budget.products, *quality(exact, vectors))


def _seconds_to_the_aim(searches: Sequence[_Search]) -> float:
    """Of the fastest search within it, or of the slowest if none is."""
    good = [search.seconds for search in searches if max(search.residuals) <= AIM]
    return min(good, default=max(search.seconds for search in searches))


def fastest(rows: Sequence[Attempt], largest_residual: float) -> Attempt | None:
    """The first row that has all eigenvalues within a residual, in seconds; None without any."""
    good = [
        row
        for row in rows
        if row.residual is not None and row.residual <= largest_residual and not row.missed
    ]
    return min(good, key=lambda row: row.seconds, default=None)

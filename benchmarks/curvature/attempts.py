"""What each search takes, and how far from eigenvectors its vectors truly are."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks.curvature.searches import TOOLS, Budget, OutOfTimeError, Tool
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


def attempts(
    network: str, case: Case, top: int, longest: float, missing: list[str]
) -> Iterable[Attempt]:
    """Run every tool with every setting; a tool that took too long is not run with the next.

    Args:
        network: its name.
        case: the batch and the model.
        top: how many eigenvalues are asked for.
        longest: how many seconds a search may take.
        missing: where tools are named that are not installed.
    """
    exact = case.objective(torch.float64)
    searches = []
    for tool in TOOLS:
        for value in tool.values(top):
            try:
                vectors, seconds, products = _search(tool, case, top, value, longest)
            except ImportError as error:
                missing.append(f"{tool.name}: {error}")
                break
            pairs = None if vectors is None else quality(exact, vectors)
            searches.append((tool, value, seconds, products, pairs))
            if vectors is None:
                break
    known = union([pairs for *_, pairs in searches if pairs is not None])[:top]
    for tool, value, seconds, products, pairs in searches:
        values, residuals = ([], []) if pairs is None else pairs
        yield Attempt(
            network,
            top,
            tool.name,
            f"{tool.setting} {value:g}",
            seconds,
            products,
            max(residuals, default=None),
            len(lacking(known, values)),
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
    tool: Tool, case: Case, top: int, value: float, longest: float
) -> tuple[Tensor | None, float, int]:
    budget = Budget(longest)
    started = time.perf_counter()
    try:
        vectors = tool.search(case, top, value, budget)
    except OutOfTimeError:
        vectors = None
    return vectors, time.perf_counter() - started, budget.products


def fastest(rows: Sequence[Attempt], largest_residual: float) -> Attempt | None:
    """The first row that has all eigenvalues within a residual, in seconds; None without any."""
    good = [
        row
        for row in rows
        if row.residual is not None and row.residual <= largest_residual and not row.missed
    ]
    return min(good, key=lambda row: row.seconds, default=None)

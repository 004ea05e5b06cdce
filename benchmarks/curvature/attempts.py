"""What each search takes, and how far from eigenvectors its vectors truly are."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks.curvature.searches import OURS, TOOLS, Budget, OutOfTimeError, Tool
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
        missed: how many of the eigenvalues it does not have, to :data:`SAME`.
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
    ours = [(value, *_search(OURS, case, top, value, longest)) for value in OURS.values(top)]
    reference = None
    for value, vectors, seconds, products in reversed(ours):
        if vectors is None:
            continue
        values, residual = quality(exact, vectors)
        reference = values if reference is None else reference
        yield _attempt(network, top, OURS, value, seconds, products, residual, values, reference)
    for tool in TOOLS[1:]:
        for value in tool.values(top):
            try:
                vectors, seconds, products = _search(tool, case, top, value, longest)
            except ImportError as error:
                missing.append(f"{tool.name}: {error}")
                break
            if vectors is None:
                yield _attempt(network, top, tool, value, seconds, products, None, None, reference)
                break
            values, residual = quality(exact, vectors)
            yield _attempt(
                network, top, tool, value, seconds, products, residual, values, reference
            )


def quality(exact: Objective, vectors: Tensor) -> tuple[Tensor, float]:
    """The Rayleigh quotients of vectors, largest magnitude first, and the largest residual."""
    columns = vectors.detach().double()
    columns = columns / torch.linalg.vector_norm(columns, dim=0)
    images = exact.hessian_product(columns)
    values = (columns * images).sum(0)
    residuals = torch.linalg.vector_norm(images - columns * values, dim=0) / values.abs()
    return values[values.abs().argsort(descending=True)], float(residuals.max())


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


def _attempt(
    network: str,
    top: int,
    tool: Tool,
    value: float,
    seconds: float,
    products: int,
    residual: float | None,
    values: Tensor | None,
    reference: Tensor | None,
) -> Attempt:
    missed = top
    if values is not None and reference is not None:
        missed = int(((values - reference).abs() > SAME * reference.abs()).sum())
    return Attempt(
        network, top, tool.name, f"{tool.setting} {value:g}", seconds, products, residual, missed
    )


def fastest(rows: Sequence[Attempt], largest_residual: float) -> Attempt | None:
    """The first row that has all eigenvalues within a residual, in seconds; None without any."""
    good = [
        row
        for row in rows
        if row.residual is not None and row.residual <= largest_residual and not row.missed
    ]
    return min(good, key=lambda row: row.seconds, default=None)

"""Searches for the eigenvalues of largest magnitude, of this project and other packages.

Each tool has a setting that says how hard it tries, and is run with several, the least first.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.curvature.tools import Case, curvlinops_of, eigenthings_of, pyhessian_of
from landscape.curvature.operators import CurvatureOperator
from landscape.eigen.lanczos import lanczos
from landscape.parameters.layout import flatten

# The true residual at which tools are compared.
AIM = 1e-3


class OutOfTimeError(Exception):
    """A search has taken longer than it may."""


class Budget:
    """Counts the products of a search, and ends it when its time is over.

    Args:
        seconds: how long it may take.
    """

    def __init__(self, seconds: float) -> None:
        self.products = 0
        self._end = time.perf_counter() + seconds

    def count(self, product: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, which counts its calls."""

        def counted(*arguments: Any, **named: Any) -> Any:
            if time.perf_counter() > self._end:
                raise OutOfTimeError
            self.products += 1
            return product(*arguments, **named)

        return counted


Search = Callable[[Case, int, float, Budget], Tensor]


@dataclass(frozen=True)
class Tool:
    """A tool and the settings that it is run with.

    Attributes:
        name: as in tables.
        setting: what the setting is called.
        values: its values for a number of eigenvalues, the least work first.
        search: returns vectors of shape (P, number) for a case, a number and a value.
    """

    name: str
    setting: str
    values: Callable[[int], tuple[float, ...]]
    search: Search


def our_search(case: Case, top: int, tolerance: float, budget: Budget) -> Tensor:
    """Lanczos until certified residuals are within a tolerance, with the search for copies."""
    objective = case.objective()
    operator = CurvatureOperator(objective)
    pairs = lanczos(
        operator,
        top,
        torch.Generator().manual_seed(0),
        tolerance=tolerance,
        hint=objective.gradient(),
    )
    budget.products = operator.products
    return pairs.vectors[:, :top]


def pyhessian_search(case: Case, top: int, tolerance: float, budget: Budget) -> Tensor:
    """Power iteration, one eigenvalue after the other, until it changes by less."""
    with _counted_in("pyhessian.hessian", "hessian_vector_product", budget):
        _, vectors = pyhessian_of(case).eigenvalues(maxIter=1000, tol=tolerance, top_n=top)
    return torch.stack([flatten(vector).detach() for vector in vectors], 1)


def eigenthings_search(case: Case, top: int, steps: float, budget: Budget) -> Tensor:
    """Lanczos with a number of steps."""
    return torch.as_tensor(_eigenthings_lanczos(case, top, budget)(int(steps)).eigenvectors).T


def eigenthings_doubling(case: Case, top: int, tolerance: float, budget: Budget) -> Tensor:
    """Lanczos with its default number of steps, doubled until it says that it has converged."""
    search = _eigenthings_lanczos(case, top, budget, tol=tolerance)
    steps = 2 * top
    result = search(steps)
    while not bool(torch.as_tensor(result.converged).all()):
        steps *= 2
        result = search(steps)
    return torch.as_tensor(result.eigenvectors).T


def _eigenthings_lanczos(
    case: Case, top: int, budget: Budget, **options: Any
) -> Callable[[int], Any]:
    """Their search, as a function of its number of steps."""
    from hessian_eigenthings import lanczos as their_lanczos

    operator = eigenthings_of(case)
    operator.matvec = budget.count(operator.matvec)
    return lambda steps: their_lanczos(
        operator, k=top, max_iter=steps, reorthogonalize=True, seed=0, **options
    )


def curvlinops_search(case: Case, top: int, tolerance: float, budget: Budget) -> Tensor:
    """SciPy's eigsh on the operator of curvlinops."""
    from scipy.sparse.linalg import LinearOperator, eigsh

    inner = curvlinops_of(case).to_scipy()
    operator = LinearOperator(inner.shape, matvec=budget.count(inner.matvec), dtype=inner.dtype)
    start = np.random.default_rng(0).standard_normal(inner.shape[1]).astype(np.float32)
    _, vectors = eigsh(operator, k=top, which="LM", tol=tolerance, v0=start)
    return torch.from_numpy(vectors.copy())


@contextmanager
def _counted_in(module: str, name: str, budget: Budget) -> Iterator[None]:
    """Count the calls that a module of another package makes of one of its functions."""
    place = sys.modules[module]
    original = getattr(place, name)
    setattr(place, name, budget.count(original))
    try:
        yield
    finally:
        setattr(place, name, original)


OURS = Tool("this project", "tolerance", lambda _top: (1e-2, AIM, 1e-4), our_search)
TOOLS = (
    OURS,
    Tool("hessian-eigenthings", "tol", lambda _top: (1e-2, AIM), eigenthings_doubling),
    Tool(
        "hessian-eigenthings, told its steps",
        "steps",
        lambda top: tuple(float(2 * top + more) for more in (0, 8, 16, 32, 64)),
        eigenthings_search,
    ),
    Tool("curvlinops + eigsh", "tol", lambda _top: (1e-1, 1e-2, AIM, 1e-4), curvlinops_search),
    Tool("PyHessian", "tol", lambda _top: (1e-2, AIM, 1e-4, 1e-6, 1e-8), pyhessian_search),
)

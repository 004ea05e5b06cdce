"""The density of a spectrum, its leading eigenpairs and those of blocks, by the same products."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from analyses.hessian.settings import Settings
from analyses.run_context import RunContext
from landscape.curvature.blocks import block_eigenvalues
from landscape.curvature.operators import CurvatureOperator
from landscape.curvature.pyhessian_check import pyhessian_eigenpairs
from landscape.curvature.recording import RecordedProducts
from landscape.curvature.requests import Products
from landscape.curvature.sharding import shared_products
from landscape.eigen.eigenpairs import WITH_ENDS, Eigenpairs
from landscape.eigen.lanczos import lanczos
from landscape.eigen.operator import rademacher_vectors
from landscape.eigen.power_iteration import power_iteration
from landscape.eigen.quadrature import Quadrature, stochastic_lanczos
from landscape.eigen.rayleigh_ritz import RitzSubspace, refine
from landscape.objective.objective import Objective
from landscape.parameters.groups import Group
from landscape.results.fingerprint import fingerprint

LOGGER = logging.getLogger(__name__)

FIRST_HALF = "half 0"

SOLVERS: dict[str, Callable[..., Eigenpairs]] = {
    "lanczos": lanczos,
    "power": power_iteration,
    "pyhessian": pyhessian_eigenpairs,
}
# So many Ritz vectors of the whole matrix make good starts for the blocks of it.
WIDE = 30
NO_QUADRATURE = Quadrature(np.empty((0, 0)), np.empty((0, 0)), np.empty(0))


@dataclass(frozen=True)
class Solved:
    """What products alone give, and how many they were.

    Attributes:
        pairs: of the whole matrix; those asked for are the first.
        blocks: the pairs of each block.
        gradient: of the loss with its L2 term.
        probes: of the density.
        quadrature: of the density.
        products: with the matrix and its blocks.
        block_products: those with blocks alone.
    """

    pairs: Eigenpairs
    blocks: dict[str, Eigenpairs]
    gradient: torch.Tensor
    probes: torch.Tensor
    quadrature: Quadrature
    products: int
    block_products: int


def solve(
    objective: Objective,
    groups: dict[str, Group],
    settings: Settings,
    context: RunContext,
    journal: str,
) -> Solved | None:
    """All eigenpairs and the density; None in all ranks but the first.

    The graphs of the products and the bases take the most memory, and end with this function.
    """
    with shared_products(objective, context.ranks, settings.matrix) as answer:
        if answer is None:
            return None
        with recorded_products(answer, objective, settings, context.journal(journal)) as recorded:
            operator = CurvatureOperator(objective, shift=settings.l2, answer=recorded)
            gradient = answer.gradient() + settings.l2 * objective.theta
            generator = torch.Generator().manual_seed(settings.seed)
            probes = rademacher_vectors(operator, settings.probes, generator)
            quadrature, subspace = _density(operator, settings, probes, generator)
            pairs = _eigenpairs(operator, settings, generator, gradient, subspace)
            leading = RitzSubspace.of(pairs.select(slice(settings.num_pairs)))
            blocks = block_eigenvalues(
                operator,
                groups,
                generator,
                subspace=(subspace and subspace.wide) or leading,
                tolerance=settings.tol,
                max_steps=settings.max_steps,
                which=WITH_ENDS,
            )
    return Solved(
        pairs, blocks, gradient, probes, quadrature, operator.products, operator.counter.blocks
    )


def _density(
    operator: CurvatureOperator,
    settings: Settings,
    probes: torch.Tensor,
    generator: torch.Generator,
) -> tuple[Quadrature, RitzSubspace | None]:
    """The density, and the subspace it has explored; nothing without probes."""
    if not settings.probes:
        return NO_QUADRATURE, None
    has_blocks = settings.components != "none" or bool(settings.group)
    leading = settings.top if settings.method == "lanczos" else 0
    return stochastic_lanczos(
        operator,
        probes,
        settings.density_steps,
        generator,
        leading=leading,
        wide=max(settings.top, WIDE) if leading and has_blocks else 0,
        which=_which(settings),
    )


def _which(settings: Settings) -> str:
    """The pairs that Lanczos looks for: both ends of the spectrum are always among them."""
    return WITH_ENDS if settings.which == "magnitude" else settings.which


def _eigenpairs(
    operator: CurvatureOperator,
    settings: Settings,
    generator: torch.Generator,
    gradient: torch.Tensor,
    subspace: RitzSubspace | None,
) -> Eigenpairs:
    """The top eigenpairs, refined from the density's subspace where there is one.

    Lanczos adds the ends of the spectrum where they are not among them.
    """
    if subspace is not None:
        return refine(
            operator,
            subspace,
            settings.top,
            generator,
            processes=settings.probes,
            tolerance=settings.tol,
            max_products=settings.max_steps,
            which=_which(settings),
        )
    is_lanczos = settings.method == "lanczos"
    lanczos_options = {"hint": gradient, "which": _which(settings)} if is_lanczos else {}
    return SOLVERS[settings.method](
        operator,
        settings.top,
        generator,
        tolerance=settings.tol,
        max_steps=settings.max_steps,
        **lanczos_options,
    )


@contextmanager
def recorded_products(
    answer: Products,
    objective: Objective,
    settings: Settings,
    path: Path | None,
    part: str = "",
) -> Iterator[Products]:
    """The same products, from the journal of an earlier run as far as it goes.

    ``part`` is the part of the sample that they are of.
    """
    if path is None:
        yield answer
        return
    recorded = RecordedProducts(
        answer, path, fingerprint(settings, objective.provenance(0.0)), part
    )
    # The halves come first, so that what they have just recorded is nothing to resume from.
    if recorded.num_recorded and part == (FIRST_HALF if settings.held_out else ""):
        LOGGER.info(f"Resuming after {recorded.num_recorded} Lanczos steps")
    try:
        yield recorded
    finally:
        recorded.close()

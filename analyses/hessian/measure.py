"""The Hessian spectrum: certified eigenvalues, density, trace, and the curvature of components."""

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from analyses.hessian.component_curvature import Components
from analyses.hessian.result import Spectrum
from analyses.hessian.settings import Settings
from analyses.run_context import RunContext
from landscape.curvature.blocks import block_eigenvalues
from landscape.curvature.operators import CurvatureOperator
from landscape.curvature.products import ProductRequest, Products
from landscape.curvature.pyhessian_check import pyhessian_eigenpairs
from landscape.curvature.recording import RecordedProducts
from landscape.curvature.sampling import sampling_errors
from landscape.curvature.second_difference import second_difference
from landscape.curvature.sharding import shared_products
from landscape.eigen.eigenpairs import Eigenpairs
from landscape.eigen.lanczos import lanczos
from landscape.eigen.operator import rademacher_vectors
from landscape.eigen.power_iteration import power_iteration
from landscape.eigen.quadrature import Quadrature, stochastic_lanczos
from landscape.eigen.rayleigh_ritz import RitzSubspace, refine
from landscape.eigen.trace import deflated_trace, frobenius_norm
from landscape.errors import NotMeasurableError
from landscape.estimates import Estimate
from landscape.objective.objective import Objective
from landscape.parameters.components import components
from landscape.parameters.groups import Group, groups_by_pattern
from landscape.results.fingerprint import fingerprint

LOGGER = logging.getLogger(__name__)

SOLVERS: dict[str, Callable[..., Eigenpairs]] = {
    "lanczos": lanczos,
    "power": power_iteration,
    "pyhessian": pyhessian_eigenpairs,
}
NO_QUADRATURE = Quadrature(np.empty((0, 0)), np.empty((0, 0)), np.empty(0))
UNKNOWN = Estimate(math.nan, math.nan)


def measure(objective: Objective, settings: Settings, context: RunContext) -> Spectrum | None:
    """Measure the spectrum at the objective's own weights.

    Eigenvalues, density, trace and components come from one set of Hessian products, which the
    ranks share.

    Args:
        objective: the loss.
        settings: the matrix, how many eigenvalues to what tolerance, and what else is measured.
        context: the ranks that share the work, and where finished products are kept.

    Returns:
        The spectrum without label, settings and provenance; None in all ranks but the first.

    Raises:
        NotMeasurableError: if the loss is not finite, or if ``settings.top`` is more than the
            number of parameters.

    Example:
        >>> from analyses import hessian
        >>> hessian.compute(objective, hessian.Settings(top=3, quick=True)).eigenvalues.shape
        (3,)
    """
    return measure_spectrum(objective, settings, context, Spectrum.analysis)


def measure_spectrum(
    objective: Objective, settings: Settings, context: RunContext, journal: str
) -> Spectrum | None:
    """Measure a spectrum for any analysis; ``journal`` is the name under which products are kept.

    Arguments, results and errors are otherwise those of :func:`measure`.
    """
    evaluation = objective.evaluate()
    if not math.isfinite(evaluation.loss):
        raise NotMeasurableError(
            f"the loss at the network's own weights is {evaluation.loss}: it has no Hessian"
        )
    if settings.top > objective.num_parameters:
        raise NotMeasurableError(
            f"--top {settings.top} is more than the {objective.num_parameters} parameters"
        )
    groups = _groups(objective, settings)
    with shared_products(objective, context.ranks, settings.matrix) as answer:
        if answer is None:
            return None
        with _recorded(answer, objective, settings, context.journal(journal)) as recorded:
            operator = CurvatureOperator(objective, shift=settings.l2, answer=recorded)
            gradient = answer.gradient() + settings.l2 * objective.theta
            generator = torch.Generator().manual_seed(settings.seed)
            probes = rademacher_vectors(operator, settings.probes, generator)
            quadrature, subspace = _density(operator, settings, probes, generator)
            pairs = _eigenpairs(operator, settings, generator, gradient, subspace)
            blocks = block_eigenvalues(
                operator,
                groups,
                generator,
                pairs=pairs,
                tolerance=settings.tol,
                max_steps=settings.max_steps,
            )
    first = pairs.vectors[:, 0]
    norm = torch.linalg.vector_norm(gradient.double()).item()
    requests = [ProductRequest(first.unsqueeze(1))]
    requests += [
        ProductRequest(pairs_of_block.vectors[:, :1], groups[name])
        for name, pairs_of_block in blocks.items()
    ]
    error, *block_errors = sampling_errors(objective, requests, settings.matrix)
    # A sampling error takes one more product; a single sample has none.
    has_error = not math.isnan(error)
    has_density = settings.probes > 0
    return Spectrum(
        eigenvalues=pairs.eigenvalues.cpu().numpy(),
        residuals=pairs.residuals.cpu().numpy(),
        converged=pairs.converged.cpu().numpy(),
        sampling_error=error,
        second_difference=_second_difference(objective, settings, first),
        quadrature=quadrature,
        trace=deflated_trace(quadrature, probes, pairs) if has_density else UNKNOWN,
        frobenius=frobenius_norm(quadrature, probes, pairs) if has_density else UNKNOWN,
        components=_components(blocks, groups, block_errors),
        loss=evaluation.loss + 0.5 * settings.l2 * objective.theta.double().square().sum().item(),
        loss_stderr=evaluation.loss_stderr,
        gradient_norm=norm,
        cosine=abs(gradient.double().dot(first.double()).item()) / norm if norm else 0.0,
        steps=pairs.steps,
        products=operator.products + len(requests) * has_error,
        block_products=operator.counter.blocks + len(blocks) * has_error,
        vectors=pairs.vectors.T.float().cpu().numpy()
        if settings.save_vectors
        else np.empty((0, 0), np.float32),
    )


def _second_difference(objective: Objective, settings: Settings, vector: torch.Tensor) -> Estimate:
    """That of the loss, with its L2 term, along a unit vector; unknown for other matrices."""
    if settings.matrix != "hessian":
        return UNKNOWN
    difference = second_difference(objective, vector)
    return Estimate(difference.value + settings.l2, difference.stderr)


@contextmanager
def _recorded(
    answer: Products, objective: Objective, settings: Settings, path: Path | None
) -> Iterator[Products]:
    """The same products, from the journal of an earlier run as far as it goes."""
    if path is None:
        yield answer
        return
    recorded = RecordedProducts(answer, path, fingerprint(settings, objective.provenance(0.0)))
    if recorded.num_recorded:
        LOGGER.info(f"Resuming after {recorded.num_recorded} Lanczos steps")
    try:
        yield recorded
    finally:
        recorded.close()


def _groups(objective: Objective, settings: Settings) -> dict[str, Group]:
    """The parameters of each component by its name; the user's own come last."""
    groups: dict[str, Group] = {}
    if settings.components == "auto":
        groups.update(components(objective.module, objective.layout))
    groups.update(groups_by_pattern(objective.layout, settings.patterns))
    return groups


def _density(
    operator: CurvatureOperator,
    settings: Settings,
    probes: torch.Tensor,
    generator: torch.Generator,
) -> tuple[Quadrature, RitzSubspace | None]:
    """The density, and the subspace it has explored; nothing without probes."""
    if not settings.probes:
        return NO_QUADRATURE, None
    leading = settings.top if settings.method == "lanczos" else 0
    return stochastic_lanczos(
        operator,
        probes,
        settings.density_steps,
        generator,
        leading=leading,
        which=settings.which,
    )


def _eigenpairs(
    operator: CurvatureOperator,
    settings: Settings,
    generator: torch.Generator,
    gradient: torch.Tensor,
    subspace: RitzSubspace | None,
) -> Eigenpairs:
    """The top eigenpairs, refined from the density's subspace where there is one."""
    if subspace is not None:
        return refine(
            operator,
            subspace,
            settings.top,
            generator,
            processes=settings.probes,
            tolerance=settings.tol,
            max_products=settings.max_steps,
            which=settings.which,
        )
    is_lanczos = settings.method == "lanczos"
    lanczos_options = {"hint": gradient, "which": settings.which} if is_lanczos else {}
    return SOLVERS[settings.method](
        operator,
        settings.top,
        generator,
        tolerance=settings.tol,
        max_steps=settings.max_steps,
        **lanczos_options,
    )


def _components(
    blocks: dict[str, Eigenpairs], groups: dict[str, Group], errors: Sequence[float]
) -> Components:
    """The first eigenpair of each component's block, as results hold it."""

    def column(name: str) -> NDArray[np.float64]:
        return np.array([getattr(pairs, name)[0].item() for pairs in blocks.values()])

    return Components(
        names=tuple(blocks),
        sizes=np.array([groups[name].size for name in blocks], dtype=np.int64),
        eigenvalues=column("eigenvalues"),
        residuals=column("residuals"),
        converged=column("converged").astype(bool),
        sampling_errors=np.array(errors, dtype=np.float64),
    )

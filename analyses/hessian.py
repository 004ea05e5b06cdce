"""The Hessian spectrum: certified eigenvalues, density, trace, and the curvature of components."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from analyses import hessian_settings
from analyses.component_curvature import Components
from analyses.hessian_result import Spectrum
from landscape.components import components
from landscape.curvature.blocks import block_eigenvalues
from landscape.curvature.eigenpairs import Eigenpairs
from landscape.curvature.lanczos import lanczos
from landscape.curvature.leading import Span, refine
from landscape.curvature.operators import CurvatureOperator, rademacher_vectors
from landscape.curvature.power_iteration import power_iteration
from landscape.curvature.products import Products, Request
from landscape.curvature.pyhessian_check import pyhessian_eigenpairs
from landscape.curvature.quadrature import Quadrature, stochastic_lanczos
from landscape.curvature.recording import RecordedProducts
from landscape.curvature.sampling import sampling_errors
from landscape.curvature.sharding import shared_products
from landscape.curvature.trace import Estimate, deflated_trace, frobenius_norm
from landscape.errors import NotMeasurableError
from landscape.groups import Group, groups_by_pattern
from landscape.objective import Objective
from landscape.progress import message
from landscape.question import question_of
from landscape.work import IN_MEMORY, Work

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from analyses.style import Look


Settings = hessian_settings.Settings

TITLE = "Hessian spectrum"
SUMMARY = "top Hessian eigenvalues with residuals, spectral density, trace and components"
READING = {
    "": (
        "The eigenvalues of the Hessian are the curvatures of the loss along its principal "
        "directions; the largest says how sharp the minimum is where it is sharpest, the trace is "
        "the sum over all directions. Together with its residual an eigenvalue is a bound: a true "
        "one of this sample's Hessian lies within residual × |λ|. The sampling error says how far "
        "λ₁ may be from that of all the data."
    ),
    "hessian": (
        "Above, the eigenvalues from the largest down: the higher a curve, the sharper the "
        "minimum, and a steep fall means that few directions carry the curvature. Below, for each "
        "network, how many of all directions have which curvature: the hump around 0 is the bulk "
        "of flat directions, the stems on the right are the steep ones."
    ),
    "hessian-tails": (
        "Read at a curvature on the horizontal axis which share of all directions is more curved "
        "than that, upwards on the left and downwards (negative curvature) on the right. A curve "
        "further to the right is sharper in as many directions; nothing is smoothed here, each "
        "step is a node of the quadrature."
    ),
    "hessian-linear": (
        "The same densities with the curvature on a linear axis, on which distances are true. "
        "The band is the standard error over the random probes; between two nodes of the "
        "quadrature the curve is a guess, so single humps beside the bulk are no finding."
    ),
    "hessian-components": (
        "The largest curvature within each part of the network, all other weights held fixed. "
        "Every part's is at most that of the whole network, and the part that comes closest to it "
        "is where the sharpness sits."
    ),
}

METHODS: dict[str, Callable[..., Eigenpairs]] = {
    "lanczos": lanczos,
    "power": power_iteration,
    "pyhessian": pyhessian_eigenpairs,
}
NO_QUADRATURE = Quadrature(np.empty((0, 0)), np.empty((0, 0)), np.empty(0))
UNKNOWN = Estimate(math.nan, math.nan)


def compute(
    objective: Objective, settings: Settings | None = None, work: Work = IN_MEMORY
) -> Spectrum | None:
    """The spectrum at the objective's own weights; None in all ranks but the first.

    Raises NotMeasurableError where the loss is not finite or has fewer parameters than asked for.
    """
    return measure_spectrum(objective, settings or Settings(), work, Spectrum.analysis)


def measure_spectrum(
    objective: Objective, settings: Settings, work: Work, journal: str
) -> Spectrum | None:
    """The same for any analysis; ``journal`` is the name under which its products are kept."""
    started = time.perf_counter()
    loss = objective.evaluate()
    if not math.isfinite(loss.loss):
        raise NotMeasurableError(
            f"the loss at the network's own weights is {loss.loss}: it has no Hessian"
        )
    if settings.top > objective.num_parameters:
        raise NotMeasurableError(
            f"--top {settings.top} is more than the {objective.num_parameters} parameters"
        )
    groups = _groups(objective, settings)
    with shared_products(objective, work.ranks, settings.matrix) as answer:
        if answer is None:
            return None
        with _recorded(answer, objective, settings, work.journal(journal)) as recorded:
            operator = CurvatureOperator(objective, shift=settings.l2, answer=recorded)
            gradient = answer.gradient() + settings.l2 * objective.theta
            generator = torch.Generator().manual_seed(settings.seed)
            probes = rademacher_vectors(operator, settings.probes, generator)
            quadrature, span = _density(operator, settings, probes, generator)
            pairs = _eigenpairs(operator, settings, generator, gradient, span)
            parts = block_eigenvalues(
                operator,
                groups,
                generator,
                pairs=pairs,
                tolerance=settings.tol,
                max_steps=settings.max_steps,
            )
    first = pairs.vectors[:, 0]
    norm = torch.linalg.vector_norm(gradient.double()).item()
    asked = [Request(first.unsqueeze(1))]
    asked += [Request(parts[name].vectors[:, :1], groups[name]) for name in parts]
    error, *part_errors = sampling_errors(objective, asked, settings.matrix)
    measured = settings.probes > 0
    return Spectrum(
        label=objective.origin.get("label", ""),
        settings=settings,
        provenance=objective.provenance(time.perf_counter() - started),
        eigenvalues=pairs.eigenvalues.cpu().numpy(),
        residuals=pairs.residuals.cpu().numpy(),
        converged=pairs.converged.cpu().numpy(),
        sampling_error=error,
        quadrature=quadrature,
        trace=deflated_trace(quadrature, probes, pairs) if measured else UNKNOWN,
        frobenius=frobenius_norm(quadrature, probes, pairs) if measured else UNKNOWN,
        components=_table(parts, groups, part_errors),
        loss=loss.loss + 0.5 * settings.l2 * objective.theta.double().square().sum().item(),
        loss_stderr=loss.loss_stderr,
        gradient_norm=norm,
        cosine=abs(gradient.double().dot(first.double()).item()) / norm if norm else 0.0,
        steps=pairs.steps,
        products=operator.products + len(asked) * (not math.isnan(error)),
        block_products=operator.counter.blocks + len(parts) * (not math.isnan(error)),
        vectors=pairs.vectors.T.float().cpu().numpy()
        if settings.save_vectors
        else np.empty((0, 0), np.float32),
    )


@contextmanager
def _recorded(
    answer: Products, objective: Objective, settings: Settings, path: Path | None
) -> Iterator[Products]:
    """The same products, from the journal of an earlier run as far as it goes."""
    if path is None:
        yield answer
        return
    recorded = RecordedProducts(answer, path, question_of(settings, objective.provenance(0.0)))
    if recorded.left:
        message(f"going on after {recorded.left} Lanczos steps that are done")
    try:
        yield recorded
    finally:
        recorded.close()


def _groups(objective: Objective, settings: Settings) -> dict[str, Group]:
    found: dict[str, Group] = {}
    if settings.components == "auto":
        found.update(components(objective.module, objective.layout))
    found.update(groups_by_pattern(objective.layout, settings.patterns))
    return found


def _density(
    operator: CurvatureOperator,
    settings: Settings,
    probes: torch.Tensor,
    generator: torch.Generator,
) -> tuple[Quadrature, Span | None]:
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
    span: Span | None,
) -> Eigenpairs:
    """The top eigenpairs: from what the density has found out, or by themselves."""
    if span is not None:
        return refine(
            operator,
            span,
            settings.top,
            generator,
            processes=settings.probes,
            tolerance=settings.tol,
            max_products=settings.max_steps,
            which=settings.which,
        )
    own = {"hint": gradient, "which": settings.which} if settings.method == "lanczos" else {}
    return METHODS[settings.method](
        operator,
        settings.top,
        generator,
        tolerance=settings.tol,
        max_steps=settings.max_steps,
        **own,
    )


def _table(
    parts: dict[str, Eigenpairs], groups: dict[str, Group], errors: Sequence[float]
) -> Components:
    def column(name: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        return np.array([getattr(pairs, name)[0].item() for pairs in parts.values()])

    return Components(
        names=tuple(parts),
        sizes=np.array([groups[name].size for name in parts], dtype=np.int64),
        eigenvalues=column("eigenvalues"),
        residuals=column("residuals"),
        converged=column("converged").astype(bool),
        sampling_errors=np.array(errors, dtype=np.float64),
    )


def tabulate(results: Sequence[Spectrum]) -> dict[str, list[dict[str, str]]]:
    """The tables of the report: eigenvalues, components, context, method and cost."""
    from analyses.hessian_tables import tables

    return tables(results)


def draw(results: Sequence[Spectrum], look: Look | None = None) -> dict[str, Figure]:
    """Eigenvalues and densities, tails, densities on a linear axis, components."""
    from analyses.hessian_figures import pictures

    return pictures(results)

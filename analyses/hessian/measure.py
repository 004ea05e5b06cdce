"""The Hessian spectrum: certified eigenvalues, density, trace, and the curvature of components."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import torch

from analyses.hessian.component_curvature import Components
from analyses.hessian.eigenvalues import LARGEST, SMALLEST, Eigenvalues
from analyses.hessian.result import Spectrum
from analyses.hessian.settings import Settings
from analyses.hessian.solve import recorded_products, solve
from analyses.run_context import RunContext
from landscape.curvature.held_out import HeldOut, held_out
from landscape.curvature.requests import ProductRequest, Products
from landscape.curvature.sampling import sampling_errors
from landscape.curvature.second_difference import second_difference
from landscape.curvature.sharding import shared_products
from landscape.data.batches import Batch
from landscape.eigen.eigenpairs import Eigenpairs
from landscape.eigen.trace import deflated_trace, frobenius_norm
from landscape.errors import InputError, NotMeasurableError
from landscape.estimates import Estimate
from landscape.objective.evaluation import Evaluation
from landscape.objective.objective import Objective
from landscape.parameters.components import components
from landscape.parameters.groups import Group, groups_by_pattern
from landscape.runtime.cost import need_memory
from landscape.runtime.devices import free_memory

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
    need_memory(
        settings.probes * objective.num_parameters * objective.theta.element_size(),
        f"--probes {settings.probes:,}, each of {objective.num_parameters:,} numbers,",
        "lower --probes",
        free_memory(objective.device),
    )
    # First, since not every sample has halves.
    halves = _held_out(objective, settings, context, journal) if settings.held_out else None
    spectrum = _whole(objective, evaluation, settings, context, journal)
    return None if spectrum is None else replace(spectrum, held_out=halves)


def _whole(
    objective: Objective,
    evaluation: Evaluation,
    settings: Settings,
    context: RunContext,
    journal: str,
) -> Spectrum | None:
    """The spectrum of the whole sample, whose loss is ``evaluation``."""
    groups = _groups(objective, settings)
    solved = solve(objective, groups, settings, context, journal)
    if solved is None:
        return None
    both, blocks, gradient = solved.pairs, solved.blocks, solved.gradient
    pairs = both.select(slice(settings.num_pairs))
    first = pairs.vectors[:, 0]
    norm = torch.linalg.vector_norm(gradient.double()).item()
    requests = [ProductRequest(vector.unsqueeze(1)) for vector in both.vectors.T]
    requests += [
        ProductRequest(vector.unsqueeze(1), groups[name])
        for name, pairs_of_block in blocks.items()
        for vector in pairs_of_block.vectors.T
    ]
    values = torch.cat([both.eigenvalues, *(block.eigenvalues for block in blocks.values())])
    quotients = (values - settings.l2).tolist()
    sampling = sampling_errors(objective, requests, quotients, settings.matrix)
    count_of_whole = len(both.eigenvalues)
    whole_errors, block_errors = sampling.errors[:count_of_whole], sampling.errors[count_of_whole:]
    everything = Eigenvalues.of(both, whole_errors)
    leading = everything.take(range(len(pairs.eigenvalues)))
    has_density = settings.probes > 0
    return Spectrum(
        eigenvalues=leading.values,
        residuals=leading.residuals,
        converged=leading.converged,
        sampling_errors=leading.sampling_errors,
        ends=everything.extremes if settings.method == "lanczos" else leading.ends,
        second_difference=_second_difference(objective, settings, first),
        quadrature=solved.quadrature,
        trace=deflated_trace(solved.quadrature, solved.probes, pairs) if has_density else UNKNOWN,
        frobenius=frobenius_norm(solved.quadrature, solved.probes, pairs)
        if has_density
        else UNKNOWN,
        components=_components(blocks, groups, block_errors),
        loss=evaluation.loss + 0.5 * settings.l2 * objective.theta.double().square().sum().item(),
        loss_stderr=evaluation.loss_stderr,
        gradient_norm=norm,
        cosine=abs(gradient.double().dot(first.double()).item()) / norm if norm else 0.0,
        steps=pairs.steps,
        residual_bits=min(8 * each.precision.itemsize for each in (pairs, *blocks.values())),
        products=solved.products + sum(sampling.products),
        block_products=solved.block_products + sum(sampling.products[count_of_whole:]),
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


def _groups(objective: Objective, settings: Settings) -> dict[str, Group]:
    """The parameters of each component by its name; the user's own come last."""
    groups: dict[str, Group] = {}
    if settings.components == "auto":
        groups.update(components(objective.module, objective.layout))
    taken = sorted(groups.keys() & settings.patterns.keys())
    if taken:
        raise InputError(
            f"--group names {taken[0]!r}, which is a component of this network already; take "
            "another name, or pass --components none"
        )
    groups.update(groups_by_pattern(objective.layout, settings.patterns))
    return groups


def _components(
    blocks: dict[str, Eigenpairs], groups: dict[str, Group], errors: Sequence[float]
) -> Components:
    """Both ends of each component's block; ``errors`` are of all pairs of one after the other."""
    ends, place = [], 0
    for pairs in blocks.values():
        stop = place + len(pairs.eigenvalues)
        ends.append(Eigenvalues.of(pairs, errors[place:stop]).extremes)
        place = stop
    return Components(
        tuple(blocks),
        np.array([groups[name].size for name in blocks], dtype=np.int64),
        Eigenvalues.joined([pair.take([LARGEST]) for pair in ends]),
        Eigenvalues.joined([pair.take([SMALLEST]) for pair in ends]),
    )


def _held_out(
    objective: Objective, settings: Settings, context: RunContext, journal: str
) -> HeldOut | None:
    """Both halves of the sample; None in all ranks but the first."""
    path = context.journal(journal)

    @contextmanager
    def share(part: Sequence[Batch], number: int) -> Iterator[Products | None]:
        with shared_products(objective, context.ranks, settings.matrix, part) as answer:
            if answer is None:
                yield None
                return
            with recorded_products(answer, objective, settings, path, f"half {number}") as recorded:
                yield recorded

    return held_out(
        objective,
        torch.Generator().manual_seed(settings.seed),
        matrix=settings.matrix,
        shift=settings.l2,
        tolerance=settings.tol,
        max_steps=settings.max_steps,
        share=share,
    )
